"""A dry run is about the book as it stood when it began; what it did not see is named when the job is applied."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from services.corrector.in_force import TOO_OFTEN
from tests.corrector.rerate_world import NOON, RerateBook, use
from tests.corrector.test_rerates import wrong_then_right
from tests.pricing.entries import price
from tests.pricing.test_causes import withdrawn


async def test_what_is_booked_after_a_dry_run_began_is_not_in_it_and_named_when_it_is_applied(
    rerate_book: RerateBook,
) -> None:
    """a and b at 2,000,000 each are to cost 2. c is booked by a rater that does not know the right price, d by one that
    does: the dry run has neither, and applying changes c alone of the two."""
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    job = await rerate_book.ask(right)
    await rerate_book.book(use("c"), version=1)
    await rerate_book.book(use("d"))
    await rerate_book.work()
    assert (await rerate_book.counts(job, "preview"))["seen"] == 2
    assert (await rerate_book.differences(job, "preview"))[0] == ("payments", "m", "", 2, "4000000", "4")
    await rerate_book.apply(job)
    await rerate_book.work()
    assert (await rerate_book.counts(job))["changed"] == 3
    assert await rerate_book.since_dry_run(job) == (2, 1)
    assert await rerate_book.money() == Decimal(8)


async def test_what_is_booked_late_while_a_job_is_applied_is_counted_once(rerate_book: RerateBook) -> None:
    """c comes behind or before the cursor, as it happens; the job's own entries are no news to it."""
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    job = await rerate_book.ask(right)
    await rerate_book.work()
    await rerate_book.apply(job)
    await rerate_book.book(use("c"), version=1)
    await rerate_book.work()
    assert (await rerate_book.counts(job))["changed"] == 3
    assert await rerate_book.since_dry_run(job) == (1, 1)


async def test_what_others_have_corrected_since_the_dry_run_is_named_though_it_is_right_by_now(
    rerate_book: RerateBook,
) -> None:
    """Another job of the same version was faster with a: applying the first one changes b alone."""
    later = NOON + timedelta(minutes=5)
    right = await wrong_then_right(rerate_book, use("a"), use("b", at=later))
    job = await rerate_book.ask(right)
    await rerate_book.work()
    assert (await rerate_book.counts(job, "preview"))["changed"] == 2
    await rerate_book.rerate(right, until=later)
    await rerate_book.apply(job)
    await rerate_book.work()
    assert (await rerate_book.counts(job))["changed"] == 1
    assert await rerate_book.since_dry_run(job) == (1, 0)


async def test_an_entry_that_was_corrected_too_often_stays_and_is_listed_under_the_job(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one pair here: a went from 2 to 3 a million, and stays there; b, booked since, goes on to 4."""
    monkeypatch.setattr("services.corrector.job_writing.SEQ_MAX", 1)
    prices = [price("m", "input_tokens", per_million) for per_million in ("2", "3", "4")]
    await rerate_book.publish(prices[0])
    await rerate_book.book(use("a"))
    await rerate_book.rerate(await rerate_book.publish(withdrawn(prices[0]), prices[1]))
    await rerate_book.book(use("b"))
    assert await rerate_book.money() == Decimal(6)
    newest = await rerate_book.publish(withdrawn(prices[1]), prices[2])
    job = await rerate_book.ask(newest)
    await rerate_book.work()
    assert (await rerate_book.counts(job, "preview"))["left_alone"] == 1
    await rerate_book.apply(job)
    await rerate_book.work()
    assert await rerate_book.state(job) == "applied"
    assert await rerate_book.money() == Decimal(7)
    assert await left(rerate_book.owner, job) == [("a", "preview", TOO_OFTEN), ("a", "applied", TOO_OFTEN)]
    await rerate_book.retract("a")
    assert await rerate_book.money() == Decimal(4)


async def left(owner: asyncpg.Connection, job: str) -> list[tuple[str, str, str]]:
    rows = await owner.fetch(
        "SELECT event_id, phase, reason FROM rerate_left WHERE rerate_id = $1 ORDER BY phase DESC", job
    )
    return [tuple(row) for row in rows]
