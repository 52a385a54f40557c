"""Which addresses we call for others: public ones over https, unless a setting of its own allows more. One
rule for whoever takes a URL and whoever calls it."""

import asyncio
import errno
import ipaddress
import socket

from yarl import URL

from spendmeter.platform.hosts import is_address

_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64: reaches whatever IPv4 address is inside
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("2001::/32"),  # Teredo
    ipaddress.ip_network("::/96"),  # IPv4-compatible
    ipaddress.ip_network("fec0::/10"),  # site-local, long deprecated, still routed by some
)


class ForbiddenAddressError(OSError):
    """A host is, or resolves to, an address that must not be reached."""


def check_address(address: str, *, unless: str) -> None:
    """Raise ForbiddenAddressError for a loopback, private, link-local, CGNAT, mapped or multicast address;
    `unless` says which setting would allow it."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    hidden = isinstance(parsed, ipaddress.IPv6Address) and any(parsed in network for network in _TRANSLATED)
    if hidden or not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        raise ForbiddenAddressError(errno.EACCES, f"{address} is not a public address ({unless})")


def checked_url(text: str, *, allow_private: bool, unless: str) -> URL:
    """The URL, if it may be called. Raises ValueError or ForbiddenAddressError with the rule.

    A host's name is not looked up here: `resolve_public` does that, and the one who connects must use it.
    """
    if not text.isprintable() or " " in text:
        raise ValueError("holds a blank or a control character")
    try:
        url = URL(text)
        host, _ = url.host or "", url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.user is not None or url.password is not None:
        raise ValueError("must not hold a user or password: everybody who may read sees it")
    if url.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// and name a host")
    if allow_private:
        return url
    if url.scheme != "https":
        raise ValueError(f"must begin with https:// ({unless})")
    if is_address(host.partition("%")[0]):
        check_address(host, unless=unless)  # a literal address never comes to a resolver
    return url


async def resolve_public(
    host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC, *, unless: str
) -> list[tuple[int, str]]:
    """A host's addresses, all of them public. Raises OSError: unknown host, or ForbiddenAddressError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
    addresses: list[tuple[int, str]] = [(kind, str(address[0])) for kind, _, _, _, address in found]
    for _, address in addresses:
        check_address(address, unless=unless)
    return addresses
