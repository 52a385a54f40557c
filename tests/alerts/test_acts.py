"""What people do about incidents is obeyed in the book: snoozed, planned, expected; told again when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.alerts.bursts.transitions import repeated
from services.alerts.incidents.acts import obey
from services.alerts.incidents.following import renew
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.snoozing import FLAPS
from services.alerts.incidents.store import Store
from services.alerts.incidents.words import Wording
from services.alerts.notify.queue import TOPIC
from spendmeter import platform
from tests.alerts.conftest import Book
from tests.alerts.test_snoozing import incident
from tests.alerts.test_store import UTC_ZONE

WORDS = Wording(zone=UTC_ZONE)


def now() -> datetime:
    return datetime.now(UTC)


async def say(book: Book, one: Incident, act: str, until: datetime | None = None) -> None:
    await book.owner.execute(
        "INSERT INTO incident_acts (tenant, incident_id, act, until, by) VALUES ('acme', $1, $2, $3, 'ann')",
        one.id, act, until,
    )  # fmt: skip


async def plan(book: Book, filter: dict[str, str], *, ends_in: timedelta = timedelta(hours=1)) -> UUID:
    return await book.owner.fetchval(
        "INSERT INTO planned_windows (tenant, name, filter, starts_at, ends_at, reason, created_by) "
        "VALUES ('acme', 'Backfill', $1, $2, $3, 'agreed', 'ann') RETURNING id",
        filter, now() - timedelta(hours=2), now() + ends_in,
    )  # fmt: skip


async def open_one(book: Book, store: Store, **columns: Any) -> Incident:
    one = replace(incident(began_at=now(), **columns), opened_at=now(), updated_at=now(), hot_at=now())
    await store.open("acme", now(), lambda _: [one])
    return await the_one(store)


async def told_and_snoozed(book: Book, store: Store) -> Incident:
    """One that its channel has heard of, before somebody snoozes it for four hours."""
    await book.channel("https://a.example")
    one = await open_one(book, store)
    await book.owner.execute("UPDATE deliveries SET state = 'delivered', finished_at = now()")
    await say(book, one, "snooze", now() + timedelta(hours=4))
    await obey(store, now())
    return one


async def the_one(store: Store) -> Incident:
    [known] = await store.current("acme", now())
    return known


async def waiting(book: Book) -> list[tuple[str, str]]:
    """Of the channel: each message, and why it waits."""
    rows = await book.owner.fetch(
        "SELECT transition, held FROM deliveries WHERE channel_id <> $1 ORDER BY number", TOPIC
    )
    return [tuple(row) for row in rows]


async def test_a_snooze_holds_what_is_on_its_way_and_what_comes_and_an_unsnooze_lets_it_go(
    book: Book, store: Store
) -> None:
    await book.channel("https://a.example")
    one = await open_one(book, store)
    until = now() + timedelta(hours=4)
    await say(book, one, "snooze", until)
    await obey(store, now())
    known = await the_one(store)
    assert (known.snoozed_until, known.snoozed_amount) == (until, 100)
    await store.open("acme", now(), lambda _: [replace(known, number=1, updated_at=now())])
    assert await waiting(book) == [("opened", "snooze"), ("grew", "snooze")]
    first = "SELECT min(next_attempt_at) FROM deliveries WHERE channel_id <> $1"
    assert await book.owner.fetchval(first, TOPIC) == until
    await say(book, one, "unsnooze")
    await obey(store, now())
    assert (await the_one(store)).snoozed_until is None
    assert await waiting(book) == [("opened", ""), ("grew", "")]


async def test_money_beyond_twice_what_people_knew_and_the_end_are_told_although_it_is_snoozed(
    book: Book, store: Store
) -> None:
    await told_and_snoozed(book, store)
    before = await the_one(store)
    await renew(store, WORDS, before, replace(before, amount=Decimal(200), updated_at=now()), "")
    before = await the_one(store)
    await renew(store, WORDS, before, replace(before, amount=Decimal(300), updated_at=now()), "")
    before = await the_one(store)
    assert (before.number, before.snoozed_amount) == (1, 280)
    assert "told were 100" in before.title
    await renew(store, WORDS, before, replace(before, updated_at=now()), "nothing unusual for 5 minutes")
    assert await waiting(book) == [("opened", ""), ("grew", ""), ("resolved", "")]


async def test_of_what_flaps_while_it_is_snoozed_nobody_hears(book: Book, store: Store) -> None:
    one = await told_and_snoozed(book, store)
    before = await the_one(store)
    await renew(store, WORDS, before, replace(before, updated_at=now()), "nothing unusual for 5 minutes")
    over = await the_one(store)
    again = replace(one, number=over.number + 1, repeats=1, updated_at=now())
    await store.open("acme", now(), lambda _: [again])
    before = await the_one(store)
    assert before.snoozed_until is not None
    await renew(store, WORDS, before, replace(before, updated_at=now()), "nothing unusual for 10 minutes")
    assert await waiting(book) == [
        ("opened", ""), ("resolved", ""), ("repeated", "snooze"), ("resolved", "snooze"),
    ]  # fmt: skip


async def test_what_begins_again_long_after_its_end_is_told_however_long_the_first_time_was_snoozed(
    book: Book, store: Store
) -> None:
    """The snooze is for four hours, of what was over within one; three quarters of an hour later it is news."""
    one = await told_and_snoozed(book, store)
    before, ended_at = await the_one(store), now()
    await renew(store, WORDS, before, replace(before, updated_at=ended_at), "nothing unusual for 5 minutes")
    await obey(store, now())  # what was said before the end is not said of what comes after it
    over = await the_one(store)
    assert over.snoozed_until == ended_at + FLAPS
    later = now() + FLAPS + timedelta(minutes=5)
    await store.open("acme", later, lambda _: [repeated(over, replace(one, updated_at=later), later)])
    assert (await waiting(book))[2:] == [("repeated", "")]
    await obey(store, later)
    assert (await waiting(book))[2:] == [("repeated", "")]


async def test_what_is_planned_is_kept_and_told_once_it_goes_on_after_its_window(
    book: Book, store: Store
) -> None:
    await book.channel("https://a.example")
    window = await plan(book, {"team": "data"})
    one = await open_one(book, store)
    assert (one.told, one.planned) == (False, window)
    await obey(store, now())
    assert await waiting(book) == []
    await book.owner.execute("UPDATE planned_windows SET ends_at = now() - interval '5 minutes'")
    await obey(store, now())
    assert await waiting(book) == []  # it may be ending
    await book.owner.execute("UPDATE planned_windows SET ends_at = now() - interval '7 minutes'")
    await obey(store, now())
    assert await waiting(book) == [("opened", "")]
    assert (await the_one(store)).told


async def test_a_budget_is_told_whatever_is_planned(book: Book, watch: Any) -> None:
    await book.channel("https://a.example")
    await plan(book, {})
    await book.budget("10")
    await book.spend("11", team="data")
    await (await watch()).look("budgets")
    assert await waiting(book) == [("opened", "")]


async def test_a_part_of_what_was_told_is_told_when_it_outlasts_it(book: Book, store: Store) -> None:
    await book.channel("https://a.example")
    burst = incident(began_at=now(), scope={"workflow": "refund"})
    loop = incident(began_at=now(), kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=500)
    await store.open("acme", now(), lambda _: [burst])
    await store.open("acme", now(), lambda _: [loop])
    assert await waiting(book) == [("opened", "")]
    await book.owner.execute(
        "UPDATE incidents SET state = 'resolved', resolved_at = now() - interval '3 minutes' WHERE id = $1",
        burst.id,
    )
    await obey(store, now())
    await obey(store, now())
    assert len(await waiting(book)) == 2


@pytest.mark.parametrize(("whole", "messages"), [("burst", 1), ("loop", 2)])
async def test_a_part_that_is_faster_than_the_whole_was_told_is_news_where_that_has_not_all_of_its_money(
    book: Book, store: Store, whole: str, messages: int
) -> None:
    """Each knows how fast it went in its own seconds. All that a loop spends is in its burst, which tells of that."""
    await book.channel("https://a.example")
    burst = incident(began_at=now(), scope={"workflow": "refund"})
    loop = incident(began_at=now(), kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=500)
    first, part = (burst, loop) if whole == "burst" else (loop, burst)
    await store.open("acme", now(), lambda _: [first])
    await store.open("acme", now(), lambda _: [part])
    await obey(store, now())
    assert len(await waiting(book)) == 1
    change = "UPDATE incidents SET peak_per_hour = $2, updated_at = $3 WHERE id = $1"
    await book.owner.execute(change, part.id, Decimal(1300), now())
    await book.owner.execute(change, first.id, first.peak_per_hour, now() + timedelta(minutes=1))
    await obey(store, now())
    assert len(await waiting(book)) == messages


async def test_what_was_expected_may_be_spent_for_thirty_days_after_its_end_and_not_while_it_is_open(
    book: Book, store: Store
) -> None:
    one = await open_one(book, store)
    await say(book, one, "expected")
    await obey(store, now())
    before = await the_one(store)
    assert before.expected_until is None
    await renew(store, WORDS, before, replace(before, updated_at=now()), "nothing unusual for 5 minutes")
    await obey(store, now())
    over = await the_one(store)
    assert over.resolved_at is not None
    assert over.expected_until == over.resolved_at + timedelta(days=30)
    await book.owner.execute("UPDATE incidents SET resolved_at = resolved_at - interval '20 days'")
    await obey(store, now())
    assert (await the_one(store)).expected_until == over.expected_until - timedelta(days=20)
    await say(book, one, "false_alarm")
    await obey(store, now())
    assert await store.current("acme", now()) == []


async def test_what_was_acknowledged_before_is_kept_and_comes_back_with_a_rollback(
    book: Book, store: Store
) -> None:
    text = (Path(platform.__path__[0]) / "migrations" / "0052_incident_acts.sql").read_text("utf-8")
    _, _, steps = text.partition("-- migrate: apply")
    apply, _, rollback = steps.partition("-- migrate: rollback")
    one = await open_one(book, store)
    await say(book, one, "acknowledge")
    await say(book, one, "snooze", now() + timedelta(hours=1))
    undo = book.owner.transaction()
    await undo.start()
    try:
        await book.owner.execute(rollback)
        before = await book.owner.fetch("SELECT incident_id, acknowledged_by FROM acknowledgements")
        assert [tuple(row) for row in before] == [(one.id, "ann")]
        await book.owner.execute(apply)
        after = await book.owner.fetch("SELECT incident_id, act, by FROM incident_acts")
        assert [tuple(row) for row in after] == [(one.id, "acknowledge", "ann")]
    finally:
        await undo.rollback()
