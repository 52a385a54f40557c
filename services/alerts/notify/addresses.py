"""Which network addresses a webhook may reach: public ones, unless the operator allows private ones."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64: reaches whatever IPv4 address is inside
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("2001::/32"),  # Teredo
    ipaddress.ip_network("::/96"),  # IPv4-compatible
    ipaddress.ip_network("fec0::/10"),  # site-local, long deprecated, still routed by some
)


class ForbiddenAddressError(OSError):
    """A webhook's host is, or resolves to, an address that it must not reach."""


def check_address(address: str) -> None:
    """Raise ForbiddenAddressError for a loopback, private, link-local, CGNAT, mapped or multicast address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    hidden = isinstance(parsed, ipaddress.IPv6Address) and any(parsed in network for network in _TRANSLATED)
    if hidden or not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        raise ForbiddenAddressError(errno.EACCES, f"{address} is not a public address")


class PublicResolver(AbstractResolver):
    """Resolves once, refuses a host with any forbidden address; the connection goes to what was checked."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The host's addresses. Raises OSError: unknown host, or ForbiddenAddressError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [(kind, str(address[0])) for kind, _, _, _, address in found]
        for _, address in addresses:
            check_address(address)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Nothing is kept."""
