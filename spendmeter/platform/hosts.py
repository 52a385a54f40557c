"""Which names this process answers to: a page whose own name was re-bound to our address gets nothing."""

import ipaddress
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from spendmeter.platform.problem import problem

ANY = "*"
PROBES = frozenset({"/health", "/ready", "/metrics"})
"""Whoever runs the process asks by address, or in HTTP/1.0 by no name at all: nothing here is private."""

_HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[0-9a-zA-Z._-]+)(?::[0-9]{1,5})?")


class KnownHosts:
    """Around an application: a request for a host that is not in `hosts` is refused with 421, or 400 where it
    names none or two. `hosts` are lower case, without ports, IPv6 in brackets; `*` = any."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and ANY not in self._hosts:
            named = [value for name, value in scope["headers"] if name == b"host"]
            host = host_of(named[0]) if len(named) == 1 else None
            if host not in self._hosts and not (scope["path"] in PROBES and _of_a_prober(named, host)):
                answer = _no_host() if host is None else _unknown_host()
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_of(value: bytes) -> str | None:
    """The host that a Host header names, without the port; None = it is none."""
    found = _HOST.fullmatch(value)
    return found[1].decode("ascii").lower() if found else None


def _of_a_prober(named: list[bytes], host: str | None) -> bool:
    return not named or is_address((host or "").strip("[]"))


def is_address(text: str) -> bool:
    """Whether the text is an IP address, without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _no_host() -> ASGIApp:
    return problem(400, "Bad Request", "a request has one header Host, with the name that was asked for")


def _unknown_host() -> ASGIApp:
    detail = "this service does not answer to that host name; SPENDMETER_HOSTS lists those that it does"
    return problem(421, "Misdirected Request", detail)
