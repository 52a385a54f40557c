"""Webhooks, signed as Standard Webhooks says: one attempt at one delivery."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

import aiohttp
from standardwebhooks import Webhook

from services.alerts.notify import DeliveryOutcome
from spendmeter.platform.public_addresses import checked_url
from spendmeter.platform.public_resolver import connector
from spendmeter.platform.webhooks import UNLESS

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

    async def send(
        self, endpoint: Endpoint, *, delivery: UUID, transition: str, at: datetime, body: str
    ) -> DeliveryOutcome:
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
            url = checked_url(endpoint.url, allow_private=self._allow_private, unless=UNLESS)
            async with self._session.post(
                url, data=payload.encode(), headers=headers, allow_redirects=False
            ) as response:
                return _answer(response.status)
        except TimeoutError:
            return DeliveryOutcome(error=f"no answer within {ATTEMPT_S_MAX} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return DeliveryOutcome(error=f"{type(error).__name__}: {error}"[:200])


def _answer(status: int) -> DeliveryOutcome:
    if 200 <= status < 300:
        return DeliveryOutcome(delivered=True)
    return DeliveryOutcome(final=status == GONE, gone=status == GONE, error=f"HTTP {status}")
