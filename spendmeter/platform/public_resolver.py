"""Resolves a host for aiohttp, once: the connection goes to the address that was checked."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from spendmeter.platform.public_addresses import resolve_public


class PublicResolver(AbstractResolver):
    """Refuses a host with any forbidden address; `unless` says which setting would allow it."""

    def __init__(self, unless: str) -> None:
        self._unless = unless

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The host's addresses. Raises OSError: unknown host, or ForbiddenAddressError."""
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in await resolve_public(host, port, family, unless=self._unless)
        ]

    async def close(self) -> None:
        """Nothing is kept."""


def connector(*, allow_private: bool, unless: str, connections_max: int) -> aiohttp.TCPConnector:
    """A connector that reaches public addresses alone, unless `allow_private`; nothing is shared or kept."""
    return aiohttp.TCPConnector(
        resolver=aiohttp.ThreadedResolver() if allow_private else PublicResolver(unless),
        use_dns_cache=False,
        force_close=True,
        limit=connections_max,
    )
