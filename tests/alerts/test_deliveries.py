"""Deliveries: claimed rows, one id over all attempts, signed; a slow or failing receiver holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.deliveries import PER_TENANT_MAX, RETRY_AFTER, Deliveries
from services.alerts.notify.senders import Senders
from spendmeter.contracts.channels import WebhookSettings
from spendmeter.contracts.incidents import encode_incident
from spendmeter.platform.public_addresses import ForbiddenAddressError, check_address
from spendmeter.platform.public_resolver import PublicResolver
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import WEBHOOK_SECRET, Book, Listener
from tests.alerts.notifying import SUMMARY, incident_event
from tests.waiting import until

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class FakeTopic:
    """Stands for the topic: its deliveries have a test of their own on real Kafka."""

    async def send(self, **_: Any) -> DeliveryOutcome:
        return DeliveryOutcome(delivered=True)


@asynccontextmanager
async def delivering(pool: asyncpg.Pool) -> AsyncIterator[None]:
    async with Senders(allow_private=True) as senders:
        work = asyncio.create_task(Deliveries(pool, senders, FakeTopic(), Meters()).run())  # type: ignore[arg-type]
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def to_deliver(
    book: Book, channel: UUID, transitions: tuple[str, ...] = ("opened",), tenant: str = "acme"
) -> None:
    incident = uuid4()
    await book.owner.execute(
        "INSERT INTO incidents (tenant, id, kind, rule_id, rule_revision, rule_name, scope, scope_digest, episode, "
        "began_at, currency, amount, expected, rate_per_hour, expected_per_hour, of_which_provisional, "
        "top_contributor, summary, suggested_action) "
        "VALUES ($3, $1, 'anomaly', 'r', 1, 'r', '{}', $2, 1, now(), 'USD', 1, 1, 1, 1, 0, '{}', '', '')",
        incident,
        incident.bytes,
        tenant,
    )
    for place, transition in enumerate(transitions):
        await book.owner.execute(
            "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, created_at, number) "
            "VALUES ($5, $1, $2, $3, $6, now() + $4::interval, $7)",
            incident,
            transition,
            channel,
            timedelta(milliseconds=place),
            tenant,
            encode_incident(
                incident_event(tenant=tenant, incident_id=str(incident), transition=transition)
            ).decode(),
            place,
        )


async def state(book: Book) -> list[tuple[str, int, str]]:
    rows = await book.owner.fetch("SELECT state, attempts, last_error FROM deliveries ORDER BY created_at")
    return [tuple(row) for row in rows]


async def until_all_are(book: Book, states: list[str], within_s: float = 5.0) -> None:
    async def reached() -> bool:
        return [each[0] for each in await state(book)] == states

    await until(reached, f"deliveries {states}", within_s=within_s)


async def test_a_failing_receiver_is_tried_five_times_with_one_id(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=status) for status in (500, 302, 404, 503, 500)]
    await to_deliver(book, await book.channel(listener.url))
    waits = []
    async with delivering(pool):
        for attempt in range(1, 6):
            await listener.wait_for(attempt)
            async with asyncio.timeout(5):
                while (await state(book))[0][2] == "" or (
                    attempt == 5 and (await state(book))[0][0] == "pending"
                ):
                    await asyncio.sleep(0.05)
            waits.append(await book.owner.fetchval("SELECT next_attempt_at - now() FROM deliveries"))
            await book.owner.execute("UPDATE deliveries SET next_attempt_at = now(), last_error = ''")
        await until_all_are(book, ["failed"])
    for waited, planned in zip(waits, RETRY_AFTER, strict=False):
        assert planned * 0.9 < waited < planned * 1.15
    assert len(listener.requests) == 5
    assert len({headers["webhook-id"] for headers, _ in listener.requests}) == 1
    for headers, body in listener.requests:
        assert Webhook(WEBHOOK_SECRET).verify(body, headers)["data"]["summary"] == SUMMARY


async def test_gone_disables_the_channel(book: Book, pool: asyncpg.Pool, new_listener: Any) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=410)]
    await to_deliver(book, await book.channel(listener.url), ("opened", "resolved"))
    async with delivering(pool):
        await until_all_are(book, ["failed", "failed"])
    assert len(listener.requests) == 1
    assert await book.owner.fetchval("SELECT disabled_reason FROM channels") == "HTTP 410"


async def test_a_receiver_that_hangs_delays_no_other(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    slow, quick = await new_listener(), await new_listener()
    slow.delay_s = 30
    slow_channel, quick_channel = await book.channel(slow.url), await book.channel(quick.url)
    for _ in range(40):
        await to_deliver(book, slow_channel)
    await to_deliver(book, quick_channel)
    async with delivering(pool):
        await quick.wait_for(1, seconds=3)
        await asyncio.sleep(1)
        assert len(slow.requests) <= 4


async def test_a_tenant_whose_receivers_all_hang_silences_no_other_tenant(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    await book.tenant("zeta")
    slow, quick = await new_listener(), await new_listener()
    slow.delay_s = 30
    for _ in range(20):
        channel = await book.channel(slow.url)
        for _ in range(20):
            await to_deliver(book, channel)
    async with delivering(pool):
        await slow.wait_for(PER_TENANT_MAX)  # acme has all that it may have under way
        await to_deliver(book, await book.channel(quick.url, tenant="zeta"), tenant="zeta")
        await quick.wait_for(1, seconds=3)
        assert len(slow.requests) <= 16


async def test_an_incidents_end_is_told_after_its_beginning(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=500)]
    await to_deliver(book, await book.channel(listener.url), ("opened", "resolved"))
    async with delivering(pool):
        await listener.wait_for(1)
        await asyncio.sleep(1.2)
        assert len(listener.requests) == 1
        await book.owner.execute("UPDATE deliveries SET next_attempt_at = now()")
        await until_all_are(book, ["delivered", "delivered"])
    types = [Webhook(WEBHOOK_SECRET).verify(body, headers)["type"] for headers, body in listener.requests]
    assert types == ["incident.opened", "incident.opened", "incident.resolved"]


async def test_two_workers_make_one_attempt(book: Book, pool: asyncpg.Pool, new_listener: Any) -> None:
    listener: Listener = await new_listener()
    channel = await book.channel(listener.url)
    for _ in range(30):
        await to_deliver(book, channel)
    async with delivering(pool), delivering(pool):
        await until_all_are(book, ["delivered"] * 30, within_s=15)
    assert len(listener.requests) == 30


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
     "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a00:1",
     "2002:a00:1::1", "2001:0:a00:1::", "fec0::1", "2001:db8::1"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        check_address(address, unless="never")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    check_address(address, unless="never")


async def test_a_name_that_leads_to_a_private_address_is_refused() -> None:
    with pytest.raises(ForbiddenAddressError, match="not a public address"):
        await PublicResolver("never").resolve("localhost", 443)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/hook", "https"),
        ("https://127.0.0.1:1/hook", "not a public address"),
        ("https://[::ffff:10.0.0.1]/hook", "not a public address"),
        ("https://localhost:1/hook", "not a public address"),
        ("https://2130706433/hook", ""),
        ("https://0x7f.1/hook", ""),
        ("https://user:secret@example.com/", "user or password"),
    ],
)
async def test_a_forbidden_url_is_never_called(url: str, reason: str) -> None:
    message = IncidentMessage(event=incident_event(), delivery=uuid4(), created_at=NOW)
    async with Senders(allow_private=False) as senders:
        answer = await senders.send(WebhookSettings(url=url, secret=WEBHOOK_SECRET), message, {})
    assert not answer.delivered
    assert reason in answer.error
