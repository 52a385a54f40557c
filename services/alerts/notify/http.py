"""The one way out over HTTP, for every channel that has a URL: public addresses alone, and nothing kept."""

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from services.alerts.notify import DeliveryOutcome
from spendmeter.platform.public_addresses import ForbiddenAddressError, checked_url
from spendmeter.platform.public_resolver import connector
from spendmeter.platform.webhooks import UNLESS

ATTEMPT_S_MAX = 10
CONNECT_S_MAX = 5
CONNECTIONS_MAX = 64
RESPONSE_LINE_BYTES_MAX = 4096
"""Of the status line and each header."""
ANSWER_BYTES_MAX = 64 * 1024
"""Of the body, where somebody reads it; more is not read."""
RETRY_AFTER_MAX = timedelta(hours=1)
"""Later than that no receiver is believed: it would hear of nothing."""
RETRY_AFTER_LIMITED = timedelta(seconds=30)
"""Where a receiver says 429 and not when."""
TROUBLE_CHARACTERS_MAX = 200
GONE, TOO_MANY = 410, 429


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """What came back: a status with the beginning of its body, or why nothing did."""

    status: int = 0
    body: bytes = b""
    retry_after: timedelta | None = None
    trouble: str = ""

    def outcome(self, final: frozenset[int] = frozenset()) -> DeliveryOutcome:
        """What it means where nothing but the status counts. `final`: after which nothing is tried again."""
        if self.trouble:
            return DeliveryOutcome(error=self.trouble)
        if 200 <= self.status < 300:
            return DeliveryOutcome(delivered=True)
        gone = self.status == GONE
        return DeliveryOutcome(
            error=f"HTTP {self.status}",
            final=gone or self.status in final,
            gone=gone,
            retry_after=self.retry_after,
        )


class HttpDoor:
    """`async with HttpDoor(...) as door: await door.post(...)`.

    https and public addresses only, unless `allow_private`. No redirects, cookies, proxies or shared
    connections: what a receiver answers changes nothing but its own delivery.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=connector(
                allow_private=self._allow_private, unless=UNLESS, connections_max=CONNECTIONS_MAX
            ),
            timeout=aiohttp.ClientTimeout(total=ATTEMPT_S_MAX, sock_connect=CONNECT_S_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=RESPONSE_LINE_BYTES_MAX,
            max_field_size=RESPONSE_LINE_BYTES_MAX,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        secret: str = "",
        read: bool = False,
    ) -> HttpAnswer:
        """POST JSON once. `secret`: what of the URL no error may repeat; `read`: whether the body counts."""
        headers = {"content-type": "application/json", "user-agent": "spendmeter", **(headers or {})}
        try:
            target = checked_url(url, allow_private=self._allow_private, unless=UNLESS)
            async with self._session.post(
                target, data=body, headers=headers, allow_redirects=False
            ) as response:
                return HttpAnswer(
                    status=response.status,
                    body=await _beginning(response) if read else b"",
                    retry_after=_retry_after(response),
                )
        except TimeoutError:
            return HttpAnswer(trouble=f"no answer within {ATTEMPT_S_MAX} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return HttpAnswer(trouble=_without(secret, why_unreached(error))[:TROUBLE_CHARACTERS_MAX])


def why_unreached(error: Exception) -> str:
    """Why nothing came back, for whoever set the channel up: aiohttp's own words begin with what it is made
    of, and the reason is behind them."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as why):
            return f"the certificate of {error.host} is not accepted: {why.verify_message}"
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate of {error.host} is not accepted"
        case aiohttp.ClientConnectorSSLError():
            return f"{error.host}:{error.port} speaks no TLS that we do"
        case aiohttp.ClientConnectorError(os_error=ForbiddenAddressError() as why):
            return why.strerror or "not a public address"
        case aiohttp.ClientConnectorDNSError():
            return f"{error.host} is not a name that leads anywhere"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int() as number)) if number > 0:
            return f"no connection to {error.host}:{error.port}: {os.strerror(number)}"
        case aiohttp.ServerDisconnectedError():
            return "it hung up without an answer"
        case ForbiddenAddressError():
            return error.strerror or "not a public address"
    return f"{type(error).__name__}: {error}"


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(ANSWER_BYTES_MAX):
        body += chunk
        if len(body) >= ANSWER_BYTES_MAX:
            break
    return bytes(body[:ANSWER_BYTES_MAX])


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    """When to come again, of who says so: seconds or a date, within bounds."""
    if response.status not in (TOO_MANY, 503):
        return None
    said = response.headers.get("retry-after", "").strip()
    unsaid = RETRY_AFTER_LIMITED if response.status == TOO_MANY else None
    if said.isascii() and said.isdigit():
        return min(timedelta(seconds=int(said[:9])), RETRY_AFTER_MAX)
    try:
        wait = parsedate_to_datetime(said) - datetime.now(UTC)
    except (ValueError, TypeError):
        return unsaid
    return min(max(wait, timedelta()), RETRY_AFTER_MAX)


def _without(secret: str, text: str) -> str:
    """Errors quote the URL as it is called, which may be spelt otherwise than what was set."""
    if not secret:
        return text
    with suppress(ValueError):
        called = URL(secret)
        for spelling in (str(called), called.raw_path_qs, called.path_qs):
            text = text.replace(spelling, "...") if len(spelling) > 1 else text
    return text.replace(secret, "...")
