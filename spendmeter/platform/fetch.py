"""Fetches a public file over HTTP, within bounds: without redirects, and only where it has changed."""

import hashlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import stamina

from spendmeter.platform.public_addresses import checked_url
from spendmeter.platform.public_resolver import connector

ATTEMPTS_MAX = 3
RETRY_S = 1.0
CONNECT_S_MAX = 5
CHUNK_BYTES = 64 * 1024
HEADER_BYTES_MAX = 4096
USER_AGENT = "spendmeter"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file; `content` None = it has not changed since the one whose validators were sent."""

    content: bytes | None
    etag: str
    last_modified: str

    @property
    def sha256(self) -> str:
        """Of the content; '' where there is none."""
        return "" if self.content is None else hashlib.sha256(self.content).hexdigest()


class FetchError(Exception):
    """The file is not to be had: the message says why, and `away` whether another time may do."""

    def __init__(self, message: str, *, away: bool = False) -> None:
        super().__init__(message)
        self.away = away


@dataclass(frozen=True, kw_only=True)
class FileFetcher:
    """`await FileFetcher(...).fetch(url)`: at most `bytes_max` within `seconds_max`; https and public
    addresses only, unless `allow_private` (`unless` names the setting)."""

    bytes_max: int
    seconds_max: float
    allow_private: bool
    unless: str

    async def fetch(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched:
        """The file, asked for again where the network is away. Raises FetchError."""
        headers = {"accept-encoding": "identity", "user-agent": USER_AGENT}
        headers |= {"if-none-match": etag} if etag else {}
        headers |= {"if-modified-since": last_modified} if last_modified else {}
        async for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, FetchError) and error.away,
            attempts=ATTEMPTS_MAX,
            wait_initial=RETRY_S,
            wait_jitter=RETRY_S,
        ):
            with attempt:
                return await self._attempt(url, headers)
        raise AssertionError("the last attempt raises")

    async def _attempt(self, url: str, headers: Mapping[str, str]) -> Fetched:
        try:
            address = checked_url(url, allow_private=self.allow_private, unless=self.unless)
        except (ValueError, OSError) as error:
            raise FetchError(f"{url}: {error}") from None
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector(
                        allow_private=self.allow_private, unless=self.unless, connections_max=1
                    ),
                    timeout=aiohttp.ClientTimeout(total=self.seconds_max, sock_connect=CONNECT_S_MAX),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                    auto_decompress=False,
                    max_line_size=HEADER_BYTES_MAX,
                    max_field_size=HEADER_BYTES_MAX,
                ) as session,
                session.get(address, headers=headers, allow_redirects=False) as answer,
            ):
                return await self._read(url, answer)
        except TimeoutError:
            raise FetchError(f"{url}: not all of it came within {self.seconds_max:g} s", away=True) from None
        except aiohttp.ClientPayloadError:
            raise FetchError(f"{url}: it ends before its stated length", away=True) from None
        except aiohttp.ClientConnectorError as error:
            raise FetchError(f"{url}: cannot be reached: {_why(error.os_error)}"[:300], away=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise FetchError(f"{url}: {type(error).__name__}: {error}"[:300], away=True) from None

    async def _read(self, url: str, answer: aiohttp.ClientResponse) -> Fetched:
        validators = {
            "etag": answer.headers.get("etag", ""),
            "last_modified": answer.headers.get("last-modified", ""),
        }
        if answer.status == 304:
            return Fetched(content=None, **validators)
        if 300 <= answer.status < 400:
            to = answer.headers.get("location", "nowhere")
            raise FetchError(f"{url}: redirects to {to:.200}, and no redirect is followed")
        if answer.status != 200:
            raise FetchError(f"{url}: HTTP {answer.status}", away=answer.status >= 500)
        if encoding := answer.headers.get("content-encoding"):
            raise FetchError(f"{url}: is encoded as {encoding:.40}, which was not asked for")
        return Fetched(content=await self._content(url, answer), **validators)

    async def _content(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            content += chunk
            if len(content) > self.bytes_max:
                raise FetchError(f"{url}: has more than {self.bytes_max:,} bytes")
        return bytes(content)


def _why(error: OSError) -> str:
    """In words; the number of a TLS error is none of the system's."""
    if isinstance(error, ssl.SSLError) or not error.errno or error.errno < 0:
        return str(error)
    return os.strerror(error.errno)
