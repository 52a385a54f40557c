"""Bills of OpenAI's and Anthropic's types with one cause planted, or two at once: each is named with its amount, and
nothing is left. Where two readings of a bill are as good as each other none is named.

On each of two days the book has a million tokens of each kind at the standard tier, and half a million at the faster one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from services.api.invoices.held_against import Variance
from services.api.invoices.sides import BookedUse
from tests.api.test_invoice_causes import booked, held
from tests.api.vendor_bills import (
    DAY,
    anthropic_cost,
    anthropic_costs,
    anthropic_usage,
    anthropic_used,
    openai_costs,
    openai_line,
)

NEXT = DAY + timedelta(days=1)
VENDORS = ("openai", "anthropic")
FASTER = {"openai": "priority", "anthropic": "fast"}
NOTHING = Decimal(0)
MILLION = {"input_tokens": Decimal(3), "cache_read_tokens": Decimal("0.3"), "output_tokens": Decimal(15)}
"""What a million costs; at the faster tier it is twice as much. So a day is 3 + 0.3 + 15 and as much again: 36.6."""
WORDS = {
    "openai": {"input_tokens": "input", "cache_read_tokens": "cached input", "output_tokens": "output"},
    "anthropic": {
        "input_tokens": "uncached_input_tokens", "cache_read_tokens": "cache_read_input_tokens",
        "output_tokens": "output_tokens",
    },
}  # fmt: skip
USED = {"input_tokens": "uncached", "cache_read_tokens": "read", "output_tokens": "output"}
Cell = tuple[date, str, bool]
"""Day, unit, whether at the faster tier."""
BOOKED: dict[Cell, int] = {
    (day, unit, fast): 500_000 if fast else 1_000_000
    for day in (DAY, NEXT)
    for unit in MILLION
    for fast in (False, True)
}


def worth(cell: Cell, tokens: int) -> Decimal:
    """At the list price, in the book's currency."""
    return MILLION[cell[1]] * (2 if cell[2] else 1) * tokens / 1_000_000


@dataclass(kw_only=True)
class Bill:
    """One that is the book, until something is planted in it."""

    vendor: str
    tokens: dict[Cell, int] = field(default_factory=lambda: dict(BOOKED))
    given: Decimal = NOTHING
    agreed: Decimal = NOTHING
    """Parts of the list price: of the bill, and of the book."""
    rates: tuple[str, str] | None = None
    """What of the bill's currency one of the book's is: theirs and ours. None = both are in dollars."""
    cut: int = 0
    """Tokens of another model, which is in the total alone."""

    @property
    def currencies(self) -> tuple[str, str]:
        """Of the bill, and of the book. Anthropic's are in dollars."""
        return (
            ("USD", "USD")
            if not self.rates
            else ("EUR", "USD")
            if self.vendor == "openai"
            else ("USD", "EUR")
        )

    def amount(self, cell: Cell, tokens: int) -> Decimal:
        """At the list price, in the bill's currency."""
        return worth(cell, tokens) * Decimal(self.rates[0] if self.rates else 1)

    def pages(self) -> list[bytes]:
        amounts = {cell: self.amount(cell, tokens) for cell, tokens in self.tokens.items()}
        beyond = self.amount((DAY, "output_tokens", False), self.cut)
        whole = sum((amount for cell, amount in amounts.items() if cell[0] == DAY), beyond) * (1 - self.given)
        if self.vendor == "openai":
            shown = openai_costs({day: list(self._openai(day, amounts)) for day in (DAY, NEXT)})
            total = openai_costs(
                {DAY: [openai_line(None, float(whole), currency=self.currencies[0].lower())]}
            )
            return [shown, total] if self.cut else [shown]
        shown = anthropic_costs({day: list(self._anthropic(day, amounts)) for day in (DAY, NEXT)})
        used = anthropic_usage({day: list(self._used(day)) for day in (DAY, NEXT)})
        total = anthropic_costs({DAY: [anthropic_cost(f"{whole * 100}")]})
        return [shown, used, total] if self.cut else [shown, used]

    def _openai(self, of: date, amounts: dict[Cell, Decimal]) -> Iterator[Any]:
        for (day, unit, fast), amount in amounts.items():
            if day == of:
                line = f"{'priority | ' if fast else ''}m, {WORDS['openai'][unit]}"
                tokens = self.tokens[day, unit, fast]
                yield openai_line(line, float(amount), tokens, currency=self.currencies[0].lower())

    def _anthropic(self, of: date, amounts: dict[Cell, Decimal]) -> Iterator[Any]:
        for (day, unit, fast), amount in amounts.items():
            if day == of:
                group = {
                    "model": "m",
                    "token_type": WORDS["anthropic"][unit],
                    "speed": "fast" if fast else "standard",
                }
                yield anthropic_cost(f"{amount * (1 - self.given) * 100}", f"{amount * 100}", **group)

    def _used(self, of: date) -> Iterator[Any]:
        for (day, unit, fast), tokens in self.tokens.items():
            if day == of:
                yield anthropic_used(model="m", speed="fast" if fast else "standard", **{USED[unit]: tokens})

    def _book(self) -> Iterator[BookedUse]:
        cells = [(cell, tokens, "m") for cell, tokens in BOOKED.items()]
        cells += [((DAY, "output_tokens", False), self.cut, "n")] if self.cut else []
        for cell, tokens, model in cells:
            listed = worth(cell, tokens)
            yield booked(
                cell[1],
                tokens,
                day=cell[0],
                amount=f"{listed * (1 - self.agreed)}",
                listed=f"{listed}",
                model=model,
                tier=FASTER[self.vendor] if cell[2] else "standard",
                currency=self.currencies[1],
            )

    def variances(self) -> list[Variance]:
        rates = {self.currencies[1]: self.rates[1]} if self.rates else None
        return held(self.vendor, *self.pages(), book=self._book(), rates=rates)


INPUT, READ, OUTPUT = MILLION
Plant = Callable[[Bill, int], None]


def _moved(bill: Bill, tokens: int, out: Cell | None, into: Cell | None) -> None:
    if out:
        bill.tokens[out] -= tokens
    if into:
        bill.tokens[into] += tokens


def missing_usage(bill: Bill, tokens: int) -> None:
    """Fast output that nobody told of."""
    _moved(bill, tokens, None, (DAY, OUTPUT, True))


def tier(bill: Bill, tokens: int) -> None:
    _moved(bill, tokens, (DAY, INPUT, False), (DAY, INPUT, True))


def cache(bill: Bill, tokens: int) -> None:
    _moved(bill, tokens, (DAY, INPUT, False), (DAY, READ, False))


def days_edge(bill: Bill, tokens: int) -> None:
    _moved(bill, tokens, (DAY, OUTPUT, False), (NEXT, OUTPUT, False))


def currency(bill: Bill, _: int) -> None:
    """A hundredth off."""
    bill.rates = ("0.909", "0.9")


def discount(bill: Bill, _: int) -> None:
    """A tenth: Anthropic gives it, and nobody agreed; of OpenAI it was agreed, and is not given."""
    bill.given, bill.agreed = (NOTHING, TENTH) if bill.vendor == "openai" else (TENTH, NOTHING)


def truncated_groups(bill: Bill, tokens: int) -> None:
    bill.cut = tokens


TENTH = Decimal("0.1")
PLANTS: dict[Plant, str] = {
    missing_usage: "unseen", tier: "tier", cache: "cache", days_edge: "timing", currency: "currency",
    discount: "discount", truncated_groups: "truncated",
}  # fmt: skip


def told(rows: list[Variance]) -> dict[tuple[date, str], dict[str, Decimal]]:
    """By day and model the causes that are something, and what is left."""
    return {
        (row.day, row.model): {cause: amount for cause, amount in said.items() if amount}
        for row in rows
        if any((said := row.causes | {"unexplained": row.unexplained or NOTHING}).values())
    }


# Of 100,000 tokens, by day and model.
BY_HAND: dict[Plant, dict[tuple[date, str], dict[str, str]]] = {
    missing_usage: {(DAY, "m"): {"unseen": "3"}},  # at 30 a million
    tier: {(DAY, "m"): {"tier": "0.3"}},  # at 6 and not at 3
    cache: {(DAY, "m"): {"cache": "-0.27"}},  # at 0.3 and not at 3
    days_edge: {(DAY, "m"): {"timing": "-1.5"}, (NEXT, "m"): {"timing": "1.5"}},  # at 15
    currency: {(day, "m"): {"currency": "0.3294"} for day in (DAY, NEXT)},  # 36.6 at 0.909 and not at 0.9
    truncated_groups: {(DAY, "n"): {"truncated": "-1.5"}, (DAY, ""): {"truncated": "1.5"}},
}
DISCOUNTS = {"openai": "3.66", "anthropic": "-3.66"}
"""A tenth of 36.6."""


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_one_planted_cause_is_named_with_its_amount_and_nothing_is_left(plant: Plant, vendor: str) -> None:
    bill = Bill(vendor=vendor)
    plant(bill, 100_000)
    by_hand = BY_HAND.get(plant) or {(day, "m"): {"discount": DISCOUNTS[vendor]} for day in (DAY, NEXT)}
    expected = {
        at: {cause: Decimal(said) for cause, said in causes.items()} for at, causes in by_hand.items()
    }
    assert told(bill.variances()) == expected


TOKENS = st.integers(1_000, 400_000)


@settings(max_examples=60, database=None, deadline=None)
@given(
    vendor=st.sampled_from(VENDORS), pair=st.sampled_from(list(combinations(PLANTS, 2))), first=TOKENS,
    second=TOKENS,
)  # fmt: skip
@example(vendor="openai", pair=(missing_usage, days_edge), first=50_000, second=100_000)
@example(vendor="openai", pair=(currency, discount), first=1, second=1)
@example(vendor="anthropic", pair=(currency, discount), first=1, second=1)
def test_two_planted_causes_are_both_named_and_nothing_is_left(
    vendor: str, pair: tuple[Plant, Plant], first: int, second: int
) -> None:
    assume(first != second)
    bill = Bill(vendor=vendor)
    for plant, tokens in zip(pair, (first, second), strict=True):
        plant(bill, tokens)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for said in told(bill.variances()).values():
        for cause, amount in said.items():
            found[cause] += amount
    assert found == sums(bill, dict(zip(pair, (first, second), strict=True)))


def sums(bill: Bill, planted: dict[Plant, int]) -> dict[str, Decimal]:
    """Of both days, by the prices of a million: usage at what was agreed and at our rate, all of it at theirs."""
    theirs, ours = map(Decimal, bill.rates or ("1", "1"))
    million = {missing_usage: Decimal(30), tier: Decimal(3), cache: Decimal("-2.7"), days_edge: NOTHING}
    listed = {
        plant: price * planted[plant] / 1_000_000 for plant, price in million.items() if plant in planted
    }
    whole = Decimal("73.2") + sum(listed.values())
    expected = {PLANTS[plant]: amount * ours * (1 - bill.agreed) for plant, amount in listed.items()}
    if discount in planted:
        expected["discount"] = bill.agreed * whole * ours - bill.given * whole * theirs
    if currency in planted:
        expected["currency"] = whole * (theirs - ours)
    if truncated_groups in planted:  # what the total has of it, and the book
        beyond = 15 * Decimal(bill.cut) / 1_000_000
        expected["truncated"] = beyond * ((1 - bill.given) * theirs - (1 - bill.agreed) * ours)
    return expected


EDGES = [
    (DAY, INPUT, False, DAY, INPUT, True), (DAY, INPUT, True, NEXT, INPUT, True),
    (DAY, INPUT, False, DAY, READ, False), (DAY, READ, False, NEXT, READ, False),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [(30_000, 50_000), (50_000, 30_000)])
@pytest.mark.parametrize(("called", "named"), [(EDGES[:2], "tier"), (EDGES[2:], "cache")])
def test_what_was_called_otherwise_and_counted_on_the_next_day_is_both(
    called: Any, named: str, first: int, second: int
) -> None:
    bill = Bill(vendor="anthropic")
    for edge, tokens in zip(called, (first, second), strict=True):
        _moved(bill, tokens, edge[:3], edge[3:])
    assert {cause for said in told(bill.variances()).values() for cause in said} == {named, "timing"}


def test_a_rate_and_a_discount_that_cannot_be_told_apart_are_unexplained() -> None:
    # 36.6 x 0.909 less 36.6 x 0.97 x 0.9 is 1.3176 a day: three hundredths that were agreed and not given, and a rate one
    # hundredth off; or a rate four hundredths off.
    bill = Bill(vendor="openai", agreed=Decimal("0.03"), rates=("0.909", "0.9"))
    rows = bill.variances()
    assert {row.unexplained for row in rows} == {Decimal("1.3176")}
    assert all(not row.causes and "discount not given" in row.note for row in rows)
