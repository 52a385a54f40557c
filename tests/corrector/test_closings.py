"""Closed periods: nothing more is booked in them, whatever comes, and nothing is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.corrector.closings.keeper import ClosingsKeeper, read_sums
from spendmeter.verify.closings import check_closings
from spendmeter.verify.report import Report
from tests.corrector.closing_world import (
    ask_to_close,
    booked_by_period,
    carried,
    close_all,
    keeper_of,
    reopen,
    sums_at_close,
)
from tests.corrector.written_book import Book, correction, event

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
IN_OCTOBER = datetime(2026, 10, 20, 9, 30, tzinfo=UTC)
IN_NOVEMBER = datetime(2026, 11, 23, 12, tzinfo=UTC)
ONE = Decimal("0.0035")
"""An event's cost: 1,000 input tokens at 2.5 and 100 output tokens at 10 US dollars a million."""


@pytest.fixture
async def keeper(book: Book, database: str) -> AsyncIterator[ClosingsKeeper]:
    async with keeper_of(database) as made:
        yield made


async def test_a_closed_period_has_the_sums_of_its_close(book: Book, keeper: ClosingsKeeper) -> None:
    await book.book_events(event("e1", time=IN_OCTOBER), event("e2", time=IN_NOVEMBER))
    await ask_to_close(book.owner, OCTOBER)
    assert await close_all(keeper) == 1
    assert await sums_at_close(book) == {OCTOBER: (1, ONE)}


async def test_a_late_event_of_a_closed_period_is_booked_with_its_own_time_in_the_next(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await book.book_events(event("e1", time=IN_OCTOBER))
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER), event("e2", time=IN_NOVEMBER))
    row = await book.owner.fetchrow(
        "SELECT occurred_at, accounting_period FROM entries WHERE origin_offset = 1"
    )
    assert tuple(row) == (IN_OCTOBER, NOVEMBER)
    assert await booked_by_period(book) == {OCTOBER: (1, ONE), NOVEMBER: (2, 2 * ONE)}
    assert await carried(book) == [(date(2026, 10, 20), NOVEMBER, 1, ONE)]


async def test_what_comes_for_a_month_before_the_closed_one_is_booked_in_the_next_open_one_too(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER - timedelta(days=40)))
    assert await booked_by_period(book) == {NOVEMBER: (1, ONE)}


async def test_of_a_tenant_nothing_is_carried_by_what_another_has_closed(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await ask_to_close(book.owner, OCTOBER, tenant="globex")
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER))
    assert await booked_by_period(book) == {OCTOBER: (1, ONE)}
    assert await carried(book) == []


async def test_a_correction_of_a_closed_period_reverses_and_replaces_in_the_next(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await book.book_events(event("e1", time=IN_OCTOBER), event("e2", time=IN_OCTOBER))
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.correct(correction("e1", patch='{"usage": {"input_tokens": 2000}}'), correction("e2"))
    # e1 now has 2,000 input tokens more dearly by 0.0025, and e2 is taken back.
    assert await booked_by_period(book) == {OCTOBER: (2, 2 * ONE), NOVEMBER: (-1, Decimal("0.0025") - ONE)}
    assert await sums_at_close(book) == {OCTOBER: (2, 2 * ONE)}


async def test_what_was_carried_and_is_corrected_in_the_same_period_leaves_nothing_there(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER))
    await book.correct(correction("late"))
    assert await booked_by_period(book) == {NOVEMBER: (0, Decimal(0))}
    assert await carried(book) == [
        (date(2026, 10, 20), NOVEMBER, 1, ONE),
        (date(2026, 10, 20), NOVEMBER, -1, -ONE),
    ]


async def test_after_a_reopening_what_comes_late_is_booked_in_the_period_again(
    book: Book, keeper: ClosingsKeeper
) -> None:
    await book.book_events(event("e1", time=IN_OCTOBER))
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER))
    await reopen(book.owner, OCTOBER)
    await book.book_events(event("later", time=IN_OCTOBER))
    await book.correct(correction("late"))  # where it was booked
    assert await booked_by_period(book) == {OCTOBER: (2, 2 * ONE), NOVEMBER: (0, Decimal(0))}
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    assert await sums_at_close(book) == {OCTOBER: (2, 2 * ONE)}
    history = await book.owner.fetch("SELECT number, events FROM closing_sums ORDER BY number")
    assert [tuple(row) for row in history] == [(1, 1), (2, 2)]


async def faults(book: Book) -> list[str]:
    """What verify finds wrong with what was carried."""
    report = Report()
    async with book.owner.transaction():
        await check_closings(book.owner, report)
    return [each.what for found in report.named.values() for each in found]


async def test_a_booking_that_began_just_before_a_tenants_first_closing_and_saw_it_is_right(
    book: Book, keeper: ClosingsKeeper
) -> None:
    """Its transaction begins, the closing is asked for, and then it asks what is closed."""
    await ask_to_close(book.owner, OCTOBER)
    await close_all(keeper)
    await book.book_events(event("late", time=IN_OCTOBER))
    assert await faults(book) == []
    await book.owner.execute(
        "UPDATE period_closings SET asked_at = (SELECT recorded_at + interval '1 ms' FROM entries)"
    )
    assert await faults(book) == []
    await book.owner.execute("UPDATE carried SET effective = effective + 1")
    assert [each.partition(":")[0] for each in await faults(book)] == ["carried"]


async def test_a_booking_that_began_just_after_the_asking_and_has_not_seen_it_is_right(book: Book) -> None:
    """The closing is not committed yet when it asks. Its rater put the event into November by other terms, and of
    a tenant that has closed nothing that is carried nowhere: it counts by its day."""
    await book.book_events(event("e1", time=IN_OCTOBER))
    await book.owner.execute("UPDATE entries SET accounting_period = $1", NOVEMBER)
    await ask_to_close(book.owner, OCTOBER)
    await book.owner.execute(
        "UPDATE period_closings SET asked_at = (SELECT recorded_at - interval '1 ms' FROM entries)"
    )
    assert await faults(book) == []


async def test_a_closing_waits_for_a_booking_that_does_not_know_of_it(
    book: Book, keeper: ClosingsKeeper
) -> None:
    async with book.ledger.transaction():
        await book.ledger.execute("SELECT 1 FROM positions WHERE partition = 0 FOR UPDATE")
        await book.ledger.execute("CREATE TEMPORARY TABLE holds_a_number (x int) ON COMMIT DROP")
        await ask_to_close(book.owner, OCTOBER)
        assert await keeper.look() == 0
        assert await keeper.look() == 0
        said = await book.owner.fetchrow("SELECT closed_at, moment FROM closed_periods")
        assert tuple(said) == (None, None)
    assert await close_all(keeper) == 1


async def test_while_a_closing_waits_bookings_go_on_in_the_next_period(
    book: Book, keeper: ClosingsKeeper, database: str
) -> None:
    frozen = await asyncpg.connect(database)
    async with frozen.transaction():
        await frozen.execute("CREATE TEMPORARY TABLE holds_a_number (x int) ON COMMIT DROP")
        await ask_to_close(book.owner, OCTOBER)
        assert await keeper.look() == 0
        await asyncio.wait_for(book.book_events(event("late", time=IN_OCTOBER)), 5)
        assert await booked_by_period(book) == {NOVEMBER: (1, ONE)}
    await frozen.close()
    assert await close_all(keeper) == 1
    assert await sums_at_close(book) == {}


async def test_a_closing_that_was_begun_by_who_died_is_ended_by_another_once(
    book: Book, keeper: ClosingsKeeper, database: str
) -> None:
    await book.book_events(event("e1", time=IN_OCTOBER))
    frozen = await asyncpg.connect(database)
    async with frozen.transaction():
        await frozen.execute("CREATE TEMPORARY TABLE holds_a_number (x int) ON COMMIT DROP")
        await ask_to_close(book.owner, OCTOBER)
        await keeper.look()
    await frozen.close()
    async with keeper_of(database) as other:
        done = await asyncio.gather(close_all(other), close_all(keeper), return_exceptions=True)
    assert [each for each in done if each == 1] == [1]
    assert await sums_at_close(book) == {OCTOBER: (1, ONE)}


async def test_a_closing_that_takes_too_long_keeps_no_other_tenant_waiting(
    book: Book, keeper: ClosingsKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late_for_globex(connection: asyncpg.Connection, tenant: str, period: date) -> list[Any]:
        if tenant == "globex":
            raise TimeoutError
        return await read_sums(connection, tenant, period)

    monkeypatch.setattr("services.corrector.closings.keeper.read_sums", late_for_globex)
    await book.book_events(event("e1", time=IN_OCTOBER))
    await ask_to_close(book.owner, OCTOBER, tenant="globex")
    await ask_to_close(book.owner, OCTOBER)
    for _ in range(200):
        with suppress(TimeoutError):
            await keeper.look()
        if await sums_at_close(book):
            break
        await asyncio.sleep(0.05)
    assert await sums_at_close(book) == {OCTOBER: (1, ONE)}
    monkeypatch.undo()
    assert await close_all(keeper) == 1
