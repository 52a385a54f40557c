"""Whatever comes after a close, in any order: closed periods keep what they had, and nothing is lost between periods."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.corrector.closings.keeper import ClosingsKeeper
from spendmeter.contracts.catalog import Conditions
from spendmeter.contracts.periods import add_months
from tests.corrector.closing_world import (
    ask_to_close,
    booked_by_period,
    close_all,
    keeper_of,
    reopen,
    sums_at_close,
)
from tests.corrector.true_up_world import TrueUpBook, opened, term
from tests.corrector.written_book import Book, correction

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FIRST = date(2026, 8, 1)
SINCE = datetime(2026, 8, 1, tzinfo=UTC)
ALLOWANCE = term("allowance", quantity="500000", when=Conditions(effective_from=SINCE), recorded_at=SINCE)
"""So every change of usage is a true-up's, too: of input tokens half a million a month are free."""
STEPS = 40


@pytest.fixture
async def world(book: Book, database: str) -> AsyncIterator[TrueUpBook]:
    async with opened(book, database) as made:
        yield made


@pytest.fixture
async def keeper(book: Book, database: str) -> AsyncIterator[ClosingsKeeper]:
    async with keeper_of(database) as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_closed_periods_keep_what_they_had_whatever_comes(
    world: TrueUpBook, keeper: ClosingsKeeper, seed: int
) -> None:
    chance, book = random.Random(seed), world.book
    await book.publish(ALLOWANCE)
    booked: list[str] = []
    due, closed = FIRST, []
    for step in range(STEPS):
        act = chance.choice(["use"] * 4 + ["amend", "retract", "true_up", "close", "reopen"])
        if act == "use" or not booked:
            at = SINCE + timedelta(minutes=chance.randrange(116 * 24 * 60))
            booked.append(await world.use(chance.randrange(1, 10) * 100_000, at))
        elif act == "amend":
            patch = f'{{"usage": {{"input_tokens": {chance.randrange(1, 10) * 100_000}}}}}'
            await book.correct(correction(chance.choice(booked), patch=patch, revision=step, id=f"c{step}"))
        elif act == "retract":
            await book.correct(correction(booked.pop(chance.randrange(len(booked))), id=f"c{step}"))
        elif act == "true_up":
            await world.reckon(NOW)
        elif act == "close" and due < date(2026, 11, 1):
            await ask_to_close(book.owner, due)
            assert await close_all(keeper) == 1
            closed.append(due)
            due = add_months(due, 1)
        elif act == "reopen" and closed and chance.random() < 0.5:
            due = closed.pop()
            await reopen(book.owner, due)
        held = await booked_by_period(book)
        at_close = await sums_at_close(book)
        nothing = (0, Decimal(0))
        assert {each: held.get(each, nothing) for each in closed} == {
            each: at_close.get(each, nothing) for each in closed
        }
    await world.reckon(NOW)
    events, _, effective = await world.spent()
    periods = (await booked_by_period(book)).values()
    assert (sum(count for count, _ in periods), sum(amount for _, amount in periods)) == (events, effective)
    assert await world.faults() == []
