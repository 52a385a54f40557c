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
from spendmeter.contracts.incidents import IncidentEvent, encode_incident
from spendmeter.platform.public_addresses import ForbiddenAddressError, check_address
from spendmeter.platform.public_resolver import PublicResolver
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import WEBHOOK_SECRET, Book, Listener
from tests.alerts.notifying import incident_event
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


def an_event(incident: UUID, transition: str = "opened", number: int = 0, **fields: Any) -> IncidentEvent:
    said = {"severity": "warning", "title": f"agent triage {transition}", "summary": "It spends.", "at": NOW}
    return incident_event(
        incident_id=str(incident), transition=transition, number=number, **{**said, **fields}
    )


async def to_deliver(
    book: Book,
    channel: UUID,
    transitions: tuple[str, ...] = ("opened",),
    tenant: str = "acme",
    held: str = "",
) -> UUID:
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
            "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, created_at, number, held) "
            "VALUES ($5, $1, $2, $3, $7, now() + $4::interval, $6, $8)",
            incident,
            transition,
            channel,
            timedelta(milliseconds=place),
            tenant,
            place,
            encode_incident(an_event(incident, transition, place)).decode(),
            held,
        )
    return incident


async def state(book: Book) -> list[tuple[str, int, str]]:
    rows = await book.owner.fetch("SELECT state, attempts, last_error FROM deliveries ORDER BY created_at")
    return [tuple(row) for row in rows]


async def until_all_are(book: Book, states: list[str], within_s: float = 5.0) -> None:
    async def reached() -> bool:
        return [each[0] for each in await state(book)] == states

    await until(reached, f"deliveries {states}", within_s=within_s)


async def test_a_failing_receiver_is_tried_seven_times_with_one_id(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=status) for status in (500, 302, 404, 503, 500, 400, 500)]
    await to_deliver(book, await book.channel(listener.url))
    waits = []
    async with delivering(pool):
        for attempt in range(1, 8):
            await listener.wait_for(attempt)
            async with asyncio.timeout(5):
                while (await state(book))[0][2] == "" or (
                    attempt == 7 and (await state(book))[0][0] == "pending"
                ):
                    await asyncio.sleep(0.05)
            waits.append(await book.owner.fetchval("SELECT next_attempt_at - now() FROM deliveries"))
            await book.owner.execute("UPDATE deliveries SET next_attempt_at = now(), last_error = ''")
        await until_all_are(book, ["failed"])
    for waited, planned in zip(waits, RETRY_AFTER, strict=False):
        assert planned * 0.9 < waited < planned * 1.15
    assert len(listener.requests) == 7
    assert len({headers["webhook-id"] for headers, _ in listener.requests}) == 1
    for headers, body in listener.requests:
        assert Webhook(WEBHOOK_SECRET).verify(body, headers)["data"]["title"] == "agent triage opened"


async def test_gone_disables_the_channel(book: Book, pool: asyncpg.Pool, new_listener: Any) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=410)]
    await to_deliver(book, await book.channel(listener.url), ("opened", "resolved"))
    async with delivering(pool):
        await until_all_are(book, ["merged", "failed"])
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


async def test_what_was_not_delivered_is_told_by_the_newest_message_with_what_it_replaces(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=500)]
    channel = await book.channel(listener.url)
    incident = await to_deliver(book, channel)
    async with delivering(pool):
        await listener.wait_for(1)
        await asyncio.sleep(1.2)
        assert len(listener.requests) == 1  # the next attempt is five seconds away
        await book.owner.execute(
            "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, number) "
            "VALUES ('acme', $1, 'resolved', $2, $3, 1)",
            incident, channel, encode_incident(an_event(incident, "resolved", 1)).decode(),
        )  # fmt: skip
        await until_all_are(book, ["merged", "delivered"])
    messages = [Webhook(WEBHOOK_SECRET).verify(body, headers) for headers, body in listener.requests]
    assert [message["type"] for message in messages] == ["incident.opened", "incident.resolved"]
    assert messages[1]["data"]["summary"] == (
        "It spends. Not told here before: 2026-11-23 10:00 it opened (UTC)."
    )
    assert [each["transition"] for each in messages[1]["data"]["details"]["replaces"]] == ["opened"]
    first, second = await book.owner.fetch("SELECT id, merged_into FROM deliveries ORDER BY created_at")
    assert (first["merged_into"], second["merged_into"]) == (second["id"], None)


async def test_nothing_of_an_incident_goes_out_while_another_of_its_messages_is_under_way(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.delay_s = 1.5
    channel = await book.channel(listener.url)
    incident = await to_deliver(book, channel)
    async with delivering(pool), delivering(pool):
        await listener.wait_for(1)
        await book.owner.execute(
            "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, number) "
            "VALUES ('acme', $1, 'resolved', $2, $3, 1)",
            incident, channel, encode_incident(an_event(incident, "resolved", 1)).decode(),
        )  # fmt: skip
        await asyncio.sleep(1)
        assert len(listener.requests) == 1
        await until_all_are(book, ["delivered", "delivered"], within_s=8)
    types = [Webhook(WEBHOOK_SECRET).verify(body, headers)["type"] for headers, body in listener.requests]
    assert types == ["incident.opened", "incident.resolved"]


async def test_a_digest_is_held_and_goes_out_once_with_all_that_waited(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    channel = await book.channel(listener.url, digest_minutes=60)
    await to_deliver(book, channel, ("opened", "resolved"), held="digest")
    for _ in range(2):
        await to_deliver(book, channel, held="digest")
    await book.owner.execute("UPDATE deliveries SET next_attempt_at = now() + interval '2 seconds'")
    async with delivering(pool), delivering(pool):
        await asyncio.sleep(1)
        assert listener.requests == []
        await listener.wait_for(1)
        await asyncio.sleep(1.5)
    [(headers, body)] = listener.requests
    message = Webhook(WEBHOOK_SECRET).verify(body, headers)
    assert message["type"] == "incident.digest"
    assert message["data"]["title"].startswith("3 incidents, 1 of them over: ")
    assert sorted(each["state"] for each in message["data"]["details"]["incidents"]) == [
        "open", "open", "resolved"
    ]  # fmt: skip
    states = [each[0] for each in await state(book)]
    assert sorted(states) == ["delivered", "merged", "merged", "merged"]
    assert await book.owner.fetchval("SELECT count(*) FROM channel_memory") == 0  # it shows no incident


class Recording:
    """A sender that answers as it is told, and keeps what it was given."""

    def __init__(self, *answers: DeliveryOutcome) -> None:
        self.answers = list(answers)
        self.given: list[tuple[Any, IncidentMessage, dict[str, str]]] = []

    async def send(self, settings: Any, message: IncidentMessage, remembered: Any) -> DeliveryOutcome:
        self.given.append((settings, message, dict(remembered)))
        return self.answers.pop(0) if self.answers else DeliveryOutcome(delivered=True)


SLACK = {"kind": "slack", "token": "xoxb-1234567890-abcdef", "channel": "C0123ABCD"}


@asynccontextmanager
async def recording(pool: asyncpg.Pool, sender: Recording) -> AsyncIterator[None]:
    deliveries = Deliveries(pool, sender, FakeTopic(), Meters())  # type: ignore[arg-type]
    work = asyncio.create_task(deliveries.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_what_a_channel_answered_is_given_to_its_next_message(book: Book, pool: asyncpg.Pool) -> None:
    sender = Recording(
        DeliveryOutcome(error="HTTP 500", remember={"half": "1"}),
        DeliveryOutcome(delivered=True, remember={"ts": "17.5"}),
    )
    await to_deliver(book, await book.channel("", settings=SLACK))
    async with recording(pool, sender):
        await until(lambda: answered(sender, 1), "one attempt", within_s=5)
        await asyncio.sleep(0.3)
        await book.owner.execute("UPDATE deliveries SET next_attempt_at = now()")
        await until_all_are(book, ["delivered"])
    assert [remembered for _, _, remembered in sender.given] == [{}, {"half": "1"}]
    memory = await book.owner.fetchrow("SELECT * FROM channel_memory")
    assert memory["remembered"] == {"half": "1", "ts": "17.5"}
    assert memory["told_at"] is not None
    assert memory["resend_at"] is None  # an Alertmanager's alone


async def answered(sender: Recording, number: int) -> bool:
    return len(sender.given) >= number


async def test_a_receiver_that_says_when_to_come_again_uses_up_no_attempt(
    book: Book, pool: asyncpg.Pool
) -> None:
    sender = Recording(DeliveryOutcome(error="HTTP 429", retry_after=timedelta(seconds=600)))
    await to_deliver(book, await book.channel("", settings=SLACK))
    async with recording(pool, sender):
        await until(lambda: answered(sender, 1), "one attempt", within_s=5)
        await asyncio.sleep(0.3)
        waits = await book.owner.fetchrow("SELECT attempts, next_attempt_at - now() AS wait FROM deliveries")
        assert waits["attempts"] == 0
        assert timedelta(seconds=590) < waits["wait"] <= timedelta(seconds=600)
        channel = await book.owner.fetchrow("SELECT failing_since, failures FROM channels")
        assert tuple(channel) == (None, 0)  # to be asked to wait is no failure
        await book.owner.execute("UPDATE deliveries SET next_attempt_at = now()")
        await until_all_are(book, ["delivered"])


async def test_a_receiver_that_asks_for_no_wait_at_all_is_not_called_each_second_for_days(
    book: Book, pool: asyncpg.Pool
) -> None:
    sender = Recording(DeliveryOutcome(error="HTTP 503", retry_after=timedelta(0)))
    await to_deliver(book, await book.channel("", settings=SLACK))
    await book.owner.execute("UPDATE deliveries SET created_at = now() - interval '1 hour'")
    async with recording(pool, sender):
        await until(lambda: answered(sender, 1), "one attempt", within_s=5)
        await asyncio.sleep(0.3)
        wait = await book.owner.fetchval("SELECT next_attempt_at - now() FROM deliveries")
        assert timedelta(seconds=290) < wait <= timedelta(minutes=5)


async def test_a_digest_that_was_asked_to_wait_is_sent_as_it_is_and_takes_nothing_more_in(
    book: Book, pool: asyncpg.Pool
) -> None:
    sender = Recording(DeliveryOutcome(error="HTTP 429", retry_after=timedelta(seconds=1)))
    channel = await book.channel("", settings=SLACK, digest_minutes=60)
    one, _ = [await to_deliver(book, channel, held="digest") for _ in range(2)]
    async with recording(pool, sender):
        await until(lambda: answered(sender, 1), "one attempt", within_s=5)
        await to_deliver(book, channel, held="digest")
        await book.owner.execute(  # critical by now, so not held
            "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, number) "
            "VALUES ('acme', $1, 'grew', $2, $3, 1)",
            one, channel, encode_incident(an_event(one, "grew", 1)).decode(),
        )  # fmt: skip
        await until_all_are(book, ["delivered", "merged", "delivered", "delivered"])
    said = [message.event for _, message, _ in sender.given]
    digests = [event for event in said if event.transition == "digest"]
    assert [len(event.details["incidents"]) for event in digests] == [2, 2]
    assert digests[0] == digests[1]
    assert sorted(event.transition for event in said if event.transition != "digest") == ["grew", "opened"]


async def test_a_channel_that_delivers_again_has_what_waits_for_it_at_once(
    book: Book, pool: asyncpg.Pool
) -> None:
    sender, channel = Recording(), await book.channel("", settings=SLACK)
    await book.owner.execute(
        "UPDATE channels SET failing_since = now() - interval '1 hour', last_error = 'x'"
    )
    await to_deliver(book, channel)
    await book.owner.execute(
        "UPDATE deliveries SET attempts = 4, next_attempt_at = now() + interval '2 hours'"
    )
    await to_deliver(book, channel)
    async with recording(pool, sender):
        await until_all_are(book, ["delivered", "delivered"], within_s=8)
    fares = await book.owner.fetchrow("SELECT last_success_at, failing_since, last_error FROM channels")
    assert fares["last_success_at"] is not None
    assert (fares["failing_since"], fares["last_error"]) == (None, "")


async def test_a_test_goes_the_way_of_every_message_once_and_ends_where_it_would_stay_open(
    book: Book, pool: asyncpg.Pool
) -> None:
    pagerduty = {"kind": "pagerduty", "routing_key": "a" * 32}
    channel = await book.channel("", settings=pagerduty)
    sender = Recording()
    insert = "INSERT INTO deliveries (tenant, transition, channel_id, body) VALUES ('acme', 'test', $1, '')"
    await book.owner.execute(insert, channel)
    async with recording(pool, sender):
        await until_all_are(book, ["delivered"])
        assert [message.event.transition for _, message, _ in sender.given] == ["opened", "resolved"]
        assert sender.given[0][1].event.details == {"test": True}
        sender.answers = [DeliveryOutcome(error="HTTP 500")]
        await book.owner.execute(insert, channel)
        await until_all_are(book, ["delivered", "failed"])
    fares = await book.owner.fetchrow("SELECT last_error, failing_since FROM channels")
    assert tuple(fares) == ("HTTP 500", None)


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
    message = IncidentMessage(event=an_event(uuid4()), delivery=uuid4(), created_at=NOW)
    async with Senders(allow_private=False) as sender:
        answer = await sender.send(WebhookSettings(url=url, secret=WEBHOOK_SECRET), message, {})
    assert not answer.delivered
    assert reason in answer.error
