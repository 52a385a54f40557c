"""What fires in an Alertmanager is said again by one worker each minute, and its end for five."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiohttp import web

from services.alerts.notify.resend import Resend
from services.alerts.notify.senders import Senders
from spendmeter.contracts.incidents import encode_incident
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import Book, Listener
from tests.alerts.notifying import incident_event


async def said(
    book: Book, channel: UUID, *, due: timedelta = timedelta(seconds=-1), over_for: timedelta | None = None
) -> UUID:
    """An incident that the channel was told of, and when that is to be said again."""
    incident, now = uuid4(), datetime.now(UTC)
    await book.owner.execute(
        "INSERT INTO incidents (tenant, id, kind, rule_id, rule_revision, rule_name, scope, scope_digest, episode, "
        "began_at, currency, amount, expected, rate_per_hour, expected_per_hour, of_which_provisional, "
        "top_contributor, summary, suggested_action) "
        "VALUES ('acme', $1, 'anomaly', 'r', 1, 'r', '{}', $2, 1, now(), 'USD', 1, 1, 1, 1, 0, '{}', '', '')",
        incident,
        incident.bytes,
    )
    changed: dict[str, Any] = {"transition": "opened"}
    if over_for is not None:
        changed = {"transition": "resolved", "at": now - over_for, "began_at": now - over_for}
    event = incident_event(incident_id=str(incident), **changed)
    await book.owner.execute(
        "INSERT INTO channel_memory (tenant, incident_id, channel_id, event, delivery_id, told_at, resend_at) "
        "VALUES ('acme', $1, $2, $3, $4, now(), now() + $5::interval)",
        incident, channel, encode_incident(event).decode(), uuid4(), due,
    )  # fmt: skip
    return incident


async def resend(pool: asyncpg.Pool, times: int = 1) -> None:
    async with Senders(allow_private=True) as senders:
        await asyncio.gather(*(Resend(pool, senders, Meters()).once() for _ in range(times)))


async def alertmanager(book: Book, listener: Listener) -> UUID:
    return await book.channel("", settings={"kind": "alertmanager", "url": listener.url})


def alerts(listener: Listener) -> list[dict[str, Any]]:
    return [json.loads(body)[0] for _, body in listener.requests]


async def due_in_s(book: Book) -> float | None:
    waits = await book.owner.fetchval("SELECT extract(epoch FROM resend_at - now()) FROM channel_memory")
    return None if waits is None else float(waits)


async def test_what_fires_is_said_again_by_one_of_many_workers_for_a_quarter_of_an_hour_more(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    channel = await alertmanager(book, listener)
    for _ in range(20):
        await said(book, channel)
    await resend(pool, times=4)
    assert len(listener.requests) == 20
    for alert in alerts(listener):
        stands = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
        assert 880 < stands.total_seconds() <= 900
    await resend(pool)
    assert len(listener.requests) == 20  # a minute has not passed


async def test_what_is_not_due_is_not_said(book: Book, pool: asyncpg.Pool, new_listener: Any) -> None:
    listener: Listener = await new_listener()
    await said(book, await alertmanager(book, listener), due=timedelta(seconds=30))
    await resend(pool)
    assert listener.requests == []


@pytest.mark.parametrize(("over_for_s", "again"), [(10, True), (230, True), (290, False), (3600, False)])
async def test_an_end_is_said_for_five_minutes(
    book: Book, pool: asyncpg.Pool, new_listener: Any, over_for_s: int, again: bool
) -> None:
    listener: Listener = await new_listener()
    await said(book, await alertmanager(book, listener), over_for=timedelta(seconds=over_for_s))
    await resend(pool)
    (alert,) = alerts(listener)
    assert datetime.fromisoformat(alert["endsAt"]) < datetime.now(UTC)
    assert (await due_in_s(book) is not None) == again


async def test_a_channel_that_was_switched_off_hears_nothing_more(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    await said(book, await alertmanager(book, listener))
    await book.owner.execute("UPDATE channels SET disabled_at = now()")
    await resend(pool)
    assert listener.requests == []
    assert await due_in_s(book) is None


async def test_a_channel_that_fails_is_left_alone_until_the_next_minute(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    broken, works = await new_listener(), await new_listener()
    broken.answers = [web.Response(status=503) for _ in range(200)]
    first, second = await alertmanager(book, broken), await alertmanager(book, works)
    for _ in range(60):
        await said(book, first)
    await said(book, second)
    await resend(pool)
    assert len(broken.requests) <= 16  # those that were under way beside the first
    assert len(works.requests) == 1


async def test_a_repetition_does_not_overtake_the_message_that_is_being_delivered(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    channel = await alertmanager(book, listener)
    incident = await said(book, channel)
    await book.owner.execute(
        "INSERT INTO deliveries (tenant, incident_id, transition, channel_id, body, number, claimed_until) "
        "VALUES ('acme', $1, 'resolved', $2, '{}', 1, now() + interval '30 seconds')",
        incident,
        channel,
    )
    await resend(pool)
    assert listener.requests == []
    assert 55 < (await due_in_s(book) or 0) <= 60


async def test_a_channel_whose_labels_were_changed_ends_the_alert_with_the_old_ones(
    book: Book, pool: asyncpg.Pool, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    channel = await alertmanager(book, listener)
    await said(book, channel)
    await resend(pool)
    await book.owner.execute('UPDATE channels SET settings = settings || \'{"labels":{"route":"finops"}}\'')
    for _ in range(2):
        await book.owner.execute("UPDATE channel_memory SET resend_at = now()")
        await resend(pool)
    first, second, third = (json.loads(body) for _, body in listener.requests)
    assert (len(first), len(second), len(third)) == (1, 2, 1)
    assert second[0]["labels"]["route"] == "finops"
    assert datetime.fromisoformat(second[1]["endsAt"]) <= datetime.now(UTC)
