"""A month with steps, an allowance and commitments, late events and corrections, against an independent
computation: written from the words of docs/price-files.md, event by event, in whole micro-dollars."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from spendmeter.contracts.catalog import Step
from tests.corrector.true_up_world import TrueUpBook, at, opened, term
from tests.corrector.written_book import Book, correction

MILLION = 1_000_000
STEPS = term(
    "graduated", skus=("gpt-4o",), units=("output_tokens",), per=MILLION,
    steps=(Step(price="10"), Step(over="200000", price="8"), Step(over="1000000", price="5")),
)  # fmt: skip
WHOLE = term(
    "volume", skus=("gpt-4o-mini",), units=("output_tokens",), per=MILLION,
    steps=(Step(price="0.6"), Step(over="500000", price="0.5")),
)  # fmt: skip
FREE = term("allowance", skus=("gpt-4o",), quantity="2000000")
PAID = term("commitment", skus=("gpt-4o-mini",), quantity="40000000", amount="4")
PRICES = {  # micro-dollars a million, as booked
    ("gpt-4o", "input_tokens"): 2_500_000,
    ("gpt-4o", "output_tokens"): 10_000_000,
    ("gpt-4o-mini", "input_tokens"): 150_000,
    ("gpt-4o-mini", "output_tokens"): 600_000,
}
Uses = dict[str, tuple[str, int, int]]
"""By event: the model, its input and output tokens."""


@pytest.fixture
async def world(book: Book, database: str) -> AsyncIterator[TrueUpBook]:
    async with opened(book, database) as made:
        yield made
        assert await made.faults() == []


def month_by_the_words(uses: Uses, *, ended: bool) -> Decimal:
    """What all of it costs, in dollars."""
    dear = [each for each in uses.values() if each[0] == "gpt-4o"]
    small = [each for each in uses.values() if each[0] == "gpt-4o-mini"]
    due = Decimal(0)
    # each step prices what lies in it: token by token would be the same, and take longer
    out = sum(tokens for *_, tokens in dear)
    for size, price in ((200_000, 10), (800_000, 8), (10**12, 5)):
        due += Decimal(min(out, size) * price) / MILLION
        out -= min(out, size)
    # the step that is reached prices all
    out = sum(tokens for *_, tokens in small)
    due += out * (Decimal("0.5") if out > 500_000 else Decimal("0.6")) / MILLION
    # the first two million are free, what comes beyond costs the average, which is one price here
    due += max(0, sum(tokens for _, tokens, _ in dear) - 2 * MILLION) * Decimal("2.5") / MILLION
    # 40 million for 4 dollars, used or not; beyond at its price
    tokens = sum(tokens for _, tokens, _ in small)
    used = min(tokens, 40 * MILLION)
    due += Decimal(4) if ended else Decimal(4) * used / (40 * MILLION)
    return due + (tokens - used) * Decimal("0.15") / MILLION


@pytest.mark.parametrize("seed", range(4))
async def test_a_month_equals_what_the_words_make_of_it(world: TrueUpBook, seed: int) -> None:
    chance = random.Random(seed)
    await world.book.publish(STEPS, WHOLE, FREE, PAID)
    uses: Uses = {}

    async def use(days: range) -> None:
        for _ in range(chance.randrange(1, 6)):
            sku = chance.choice(["gpt-4o", "gpt-4o-mini"])
            tokens = chance.randrange(0, 20 * MILLION), chance.randrange(0, 400_000)
            name = await world.use_sku(sku, *tokens, time=at(chance.choice(days), chance.randrange(24)))
            uses[name] = sku, *tokens

    for today in (6, 13, 20, 27):
        await use(range(max(1, today - 7), today))
        if uses and chance.random() < 0.6:  # late: of any day that is over
            await use(range(1, today))
        if uses and chance.random() < 0.6:
            gone = chance.choice(list(uses))
            await world.book.correct(correction(gone))
            del uses[gone]
        await world.reckon(at(today))
        assert (await world.spent())[2] == month_by_the_words(uses, ended=False)
    await world.reckon(at(2, month=12))
    assert (await world.spent())[2] == month_by_the_words(uses, ended=True)
    said = await world.period(PAID)
    assert said["used"] + said["unused"] == 4
    await use(range(1, 27))  # and when all is over
    await world.reckon(at(3, month=12))
    assert (await world.spent())[2] == month_by_the_words(uses, ended=True)
    assert await world.reckon(at(3, month=12)) == 0
    booked = sum(
        PRICES[sku, "input_tokens"] * tokens + PRICES[sku, "output_tokens"] * out
        for sku, tokens, out in uses.values()
    )
    assert (await world.spent())[1] == Decimal(booked) / MILLION / MILLION
    assert not world.passed_over
