"""Webhooks, signed as Standard Webhooks says: one attempt at one delivery."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

import aiohttp
from standardwebhooks import Webhook
from yarl import URL

from services.alerts.notify import Answer
from services.alerts.notify.addresses import PublicResolver, check_address

ATTEMPT_S_MAX = 10
CONNECT_S_MAX = 5
CONNECTIONS_MAX = 64
RESPONSE_LINE_BYTES_MAX = 4096
"""Of the status line and each header; the body is never read."""
GONE = 410


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a channel's notifications go, and the secret (`whsec_...`) that signs them."""

    url: str
    secret: str


class WebhookSender:
    """`async with WebhookSender(...) as sender: await sender.send(...)`.

    https and public addresses only, unless `allow_private`. No redirects, cookies, proxies or shared
    connections: what an endpoint answers changes nothing but its own delivery.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=aiohttp.ThreadedResolver() if self._allow_private else PublicResolver(),
            use_dns_cache=False,
            force_close=True,
            limit=CONNECTIONS_MAX,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
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

    async def send(
        self, endpoint: Endpoint, *, delivery: UUID, transition: str, at: datetime, body: str
    ) -> Answer:
        """POST once. `body`: an IncidentEvent as JSON; `delivery` is the same over all attempts."""
        now = datetime.now(UTC)
        payload = f'{{"type":"incident.{transition}","timestamp":{json.dumps(at.isoformat())},"data":{body}}}'
        headers = {
            "content-type": "application/json",
            "user-agent": "spendmeter",
            "webhook-id": str(delivery),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(endpoint.secret).sign(str(delivery), now, payload),
        }
        try:
            url = self._checked(endpoint.url)
            async with self._session.post(
                url, data=payload.encode(), headers=headers, allow_redirects=False
            ) as response:
                return _answer(response.status)
        except TimeoutError:
            return Answer(error=f"no answer within {ATTEMPT_S_MAX} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(error=f"{type(error).__name__}: {error}"[:200])

    def _checked(self, text: str) -> URL:
        """The URL, if it may be called. Raises ValueError or ForbiddenAddressError with the rule."""
        url = URL(text)
        if url.user is not None or url.password is not None:
            raise ValueError("a webhook's URL must not carry a user or password")
        if self._allow_private:
            return url
        if url.scheme != "https":
            raise ValueError("a webhook's URL must begin with https://")
        if _is_address(url.host or ""):
            check_address(url.host or "")  # a literal address never comes to the resolver
        return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _answer(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(delivered=True)
    return Answer(final=status == GONE, gone=status == GONE, error=f"HTTP {status}")
