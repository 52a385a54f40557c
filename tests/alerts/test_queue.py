"""A transition becomes deliveries: held, for who takes them, and in place where an incident is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.store import Store
from services.alerts.notify.queue import TOPIC
from spendmeter import platform
from spendmeter.contracts.incidents import decode_incident
from tests.alerts.conftest import WEBHOOK_SECRET, Book
from tests.alerts.test_deliveries import SLACK
from tests.alerts.test_store import opened
from tests.terms import counts_in

ALL_DAY_BUT_A_MINUTE = [{"from": "00:00", "until": "12:00"}, {"from": "12:01", "until": "00:00"}]


async def told(book: Book) -> list[asyncpg.Record]:
    return await book.owner.fetch(
        "SELECT channel_id, transition, held, next_attempt_at, body FROM deliveries WHERE channel_id <> $1 "
        "ORDER BY number, channel_id",
        TOPIC,
    )


async def open_one(store: Store, **changed: Any) -> Incident:
    now = datetime.now(UTC)
    incident = replace(opened(now), **changed)
    await store.open("acme", now, lambda _: [incident])
    (known,) = await store.current("acme", now)
    return known


async def test_what_can_wait_is_held_until_the_quiet_hours_of_the_tenants_zone_are_over(
    book: Book, store: Store
) -> None:
    await counts_in(book.owner, "acme", zone="Asia/Tokyo")
    await book.channel("https://a.example", quiet=ALL_DAY_BUT_A_MINUTE)
    now = datetime.now(UTC)
    await open_one(store, severity="warning")
    [held] = await told(book)
    if (now.hour, now.minute) != (3, 0):  # the minute of noon in Tokyo
        assert held["held"] == "quiet"
        assert held["next_attempt_at"].astimezone(UTC).strftime("%H:%M") == "03:00"


async def test_critical_money_waits_for_neither_the_morning_nor_a_digest(book: Book, store: Store) -> None:
    await book.channel("https://a.example", quiet=ALL_DAY_BUT_A_MINUTE, digest_minutes=60)
    await open_one(store, severity="critical")
    [at_once] = await told(book)
    assert at_once["held"] == ""
    assert at_once["next_attempt_at"] <= datetime.now(UTC) + timedelta(seconds=5)


async def test_a_digest_holds_its_messages(book: Book, store: Store) -> None:
    await book.channel("https://a.example", digest_minutes=60)
    await open_one(store, severity="warning")
    [held] = await told(book)
    assert held["held"] == "digest"
    assert (held["next_attempt_at"].minute, held["next_attempt_at"].second) == (0, 0)


async def test_a_critical_incident_that_nobody_takes_goes_to_the_first_channel_and_says_so(
    book: Book, store: Store
) -> None:
    await book.channel("https://b.example", match={"kinds": ["drift"]}, position=2)
    first = await book.channel("https://a.example", match={"kinds": ["drift"]}, position=1)
    known = await open_one(store, severity="critical")
    [fallback] = await told(book)
    assert fallback["channel_id"] == first
    assert decode_incident(fallback["body"]).summary.endswith(
        "because it is critical and this one is the first."
    )
    await store.resolve(known, resolved(known, "it is over", datetime.now(UTC)))
    assert [(row["channel_id"], row["transition"]) for row in await told(book)] == [
        (first, "opened"), (first, "resolved"),
    ]  # fmt: skip


async def test_new_figures_go_to_who_shows_the_incident_in_place_and_was_told_of_it(
    book: Book, store: Store
) -> None:
    await book.channel("https://a.example")
    slack = await book.channel("", settings=SLACK)
    known = await open_one(store)
    later = replace(known, amount=Decimal(60), updated_at=known.updated_at + timedelta(seconds=15))
    await store.update(known, later)
    assert [row["transition"] for row in await told(book)] == ["opened", "opened"]
    await book.owner.execute(
        "INSERT INTO channel_memory (tenant, incident_id, channel_id, event, told_at) "
        "VALUES ('acme', $1, $2, '{}', now())",
        known.id, slack,
    )  # fmt: skip
    await store.update(
        later, replace(later, amount=Decimal(61), updated_at=later.updated_at + timedelta(seconds=15))
    )
    updates = [row for row in await told(book) if row["transition"] == "updated"]
    assert [(row["channel_id"], decode_incident(row["body"]).amount) for row in updates] == [(slack, "61")]


async def test_a_route_that_cannot_be_read_keeps_no_incident_back(book: Book, store: Store) -> None:
    channel = await book.channel("https://a.example", match={"severity": "grave"}, quiet=[{"from": "x"}])
    await open_one(store)
    assert [row["channel_id"] for row in await told(book)] == [channel]


async def test_webhooks_of_before_keep_working_and_come_back_with_a_rollback(book: Book) -> None:
    text = (Path(platform.__path__[0]) / "migrations" / "0050_channel_settings.sql").read_text("utf-8")
    _, _, steps = text.partition("-- migrate: apply")
    apply, _, rollback = steps.partition("-- migrate: rollback")
    channel = await book.channel("https://a.example/x")
    await book.channel("", settings=SLACK)
    undo = book.owner.transaction()
    await undo.start()
    try:
        await book.owner.execute(rollback)
        before = await book.owner.fetch("SELECT id, kind, url, secret FROM channels")
        assert [tuple(row) for row in before] == [(channel, "webhook", "https://a.example/x", WEBHOOK_SECRET)]
        await book.owner.execute(apply)
        after = await book.owner.fetch("SELECT id, kind, settings, digest_minutes FROM channels")
        webhook = {"kind": "webhook", "url": "https://a.example/x", "secret": WEBHOOK_SECRET}
        assert [tuple(row) for row in after] == [(channel, "webhook", webhook, 0)]
    finally:
        await undo.rollback()
