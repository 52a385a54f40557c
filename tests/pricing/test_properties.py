"""What holds for any prices and any usage."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import Conditions, Price
from spendmeter.contracts.money import EXACT, plain
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import price, rated, used

TOKENS = sorted(name for name, unit in UNITS.items() if unit.whole and name.endswith("_tokens"))
quantities = st.integers(min_value=0, max_value=2**63 - 1)
usages = st.dictionaries(st.sampled_from(TOKENS), quantities, min_size=1, max_size=8)
amounts = st.decimals(min_value=0, max_value=1000, places=6).map(plain)


@st.composite
def prices(draw: st.DrawFn) -> list[Price]:
    """Prices of openai/m: some units, some with a batch price, some with a cliff."""
    entries = []
    for unit in draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6, unique=True)):
        if draw(st.booleans()):
            cliff = draw(st.integers(min_value=1, max_value=10**6))
            entries.append(price("m", unit, draw(amounts), when=Conditions(context_max=cliff)))
            entries.append(price("m", unit, draw(amounts), when=Conditions(context_min=cliff)))
        else:
            entries.append(price("m", unit, draw(amounts)))
        if draw(st.booleans()):
            entries.append(price("m", unit, draw(amounts), when=Conditions(batch=True)))
    return entries


@settings(max_examples=150, deadline=None)
@given(prices(), usages, st.booleans(), st.randoms(use_true_random=False))
def test_neither_the_order_of_units_nor_of_entries_matters(entries, usage, batch, random) -> None:
    shuffled_usage, shuffled_entries = list(usage.items()), list(entries)
    random.shuffle(shuffled_usage)
    random.shuffle(shuffled_entries)
    one = rated(entries, usage, batch=batch)
    other = rated(shuffled_entries, dict(shuffled_usage), batch=batch)
    assert (one.list, one.status) == (other.list, other.status)
    assert sorted(map(msgspec.json.encode, one.lines)) == sorted(map(msgspec.json.encode, other.lines))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, unique=True), amounts, usages, st.data())
def test_splitting_quantities_never_changes_the_sum_of_linear_units(units, amount, usage, data) -> None:
    book = PriceBook([price("m", unit, amount) for unit in units])
    first = {unit: data.draw(st.integers(0, quantity)) for unit, quantity in usage.items()}
    second = {unit: quantity - first[unit] for unit, quantity in usage.items()}
    whole, one, other = (rate(used("openai", "m", part), book).list for part in (usage, first, second))
    assert whole == EXACT.add(one, other)


@settings(max_examples=150, deadline=None)
@given(prices(), usages, st.booleans())
def test_no_amount_is_negative_and_the_lines_add_up(entries, usage, batch) -> None:
    rating = rated(entries, usage, batch=batch)
    assert all(Decimal(line.amount) >= 0 for line in rating.lines if line.amount is not None)
    assert rating.list == sum(Decimal(line.amount) for line in rating.lines if line.amount is not None)
    for line in rating.lines:
        if line.price is not None and line.amount is not None:
            assert EXACT.multiply(Decimal(line.price), Decimal(usage[line.unit])) == Decimal(line.amount)


@settings(max_examples=100, deadline=None)
@given(prices(), usages, amounts)
def test_an_unrelated_entry_changes_nothing(entries, usage, amount) -> None:
    unrelated = [price("other", unit, amount) for unit in TOKENS]
    elsewhere = price("m", "input_tokens", amount, provider="elsewhere")
    assert msgspec.json.encode(rated(entries, usage)) == msgspec.json.encode(
        rated([*entries, *unrelated, elsewhere], usage)
    )


@settings(max_examples=100, deadline=None)
@given(prices(), st.lists(usages, min_size=2, max_size=5))
def test_a_book_that_priced_other_events_before_prices_the_same(entries, usages) -> None:
    book = PriceBook(entries)
    again = [msgspec.json.encode(rate(used("openai", "m", usage), book)) for usage in usages]
    assert again == [msgspec.json.encode(rated(entries, usage)) for usage in usages]
