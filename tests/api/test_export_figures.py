"""The pure parts of an export: unit prices that make the cost, and what was told apart adds up again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from services.api.exports.changed_since import CellChange, apart
from services.api.exports.figures import Costs, UnitPrice, priced
from services.api.exports.layout import Layout
from services.api.exports.usage_rows import FIGURES, CellPricing, CellUsage, MeterPrice, series_piece
from services.api.exports.vocabulary import (
    COLUMNS,
    SERVICES,
    VERSIONS,
    consumed_unit,
    meter_words,
    model_details,
    pricing_unit,
)
from spendmeter.contracts.money import plain
from spendmeter.contracts.units import UNITS

amounts = st.decimals(-(10**9), 10**9, places=12)
quantities = st.one_of(st.just(Decimal(0)), st.decimals(-(10**12), 10**12, places=6))
HALF_A_LAST_PLACE = Decimal("5e-19")
"""Of a unit price, which has 18 places."""
PRICING = CellPricing.of(
    MeterPrice("", "", False, "USD", "input_tokens", "priced", "p", "", "", "", "USD", "USD")
)


def costs_of(*costs: Decimal) -> Costs:
    return Costs._make(f"{cost:f}" for cost in costs)


@given(quantities, amounts, amounts, st.sampled_from([1, 1_000_000]))
def test_a_unit_price_times_its_quantity_is_the_cost(
    quantity: Decimal, listed: Decimal, contracted: Decimal, per: int
) -> None:
    found = priced(
        f"{quantity:f}", per, costs_of(listed, contracted, contracted, listed, contracted, contracted)
    )
    for price, cost in ((found.list, listed), (found.contracted, contracted)):
        if price:
            assert Decimal(price) >= 0
            count = Decimal(found.quantity)
            with localcontext(prec=60):
                assert abs(Decimal(price) * count - cost) <= abs(count) * HALF_A_LAST_PLACE
        else:
            assert (listed < 0) != (contracted < 0)
    assert found.whole or Decimal(found.quantity) * per == quantity


@given(quantities, amounts, st.decimals(0, 10**6, places=6), st.sampled_from([1, 1_000_000]))
def test_the_price_of_the_row_before_is_taken_only_where_it_is_this_ones_too(
    quantity: Decimal, cost: Decimal, before: Decimal, per: int
) -> None:
    made = quantity * before
    for amount in (cost, made, Decimal(0)):
        costs = Costs.alike(f"{amount:f}")
        found = priced(f"{quantity:f}", per, costs)
        for price in (before, Decimal(found.list or 0)):
            last = UnitPrice(price, plain(price))
            assert priced(f"{quantity:f}", per, costs, last) == found


def test_what_no_quantity_makes_is_priced_as_a_whole() -> None:
    costs = costs_of(*[Decimal("-3.25")] * 6)
    assert priced("20", 1, costs)[:3] == (True, "-1", "3.25")
    assert priced("-20", 1, costs)[:3] == (False, "-20", "0.1625")
    assert priced("0", 1, costs_of(*[Decimal(2)] * 6))[:3] == (True, "1", "2")
    assert priced("3000000", 1_000_000, costs_of(*[Decimal(0)] * 6))[:3] == (False, "3", "0")


@given(quantities, amounts, quantities, amounts)
def test_what_a_cell_was_and_what_corrected_it_are_the_cell(
    quantity: Decimal, cost: Decimal, changed: Decimal, change: Decimal
) -> None:
    used = CellUsage(date(2026, 10, 5), "ab", 3, f"{quantity:f}", costs_of(*[cost] * 6), PRICING)
    parts = apart(used, [(None, CellChange(-1, changed, *[change] * 6))])
    assert sum((Decimal(each.quantity) for each in parts), Decimal()) == quantity
    assert sum((Decimal(each.costs.effective) for each in parts), Decimal()) == cost
    assert [each.correction for each in parts] in (["", "Correction"], [""], ["Correction"], [])


def test_every_version_has_its_columns_once_and_figures_stand_in_their_order() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    for version in VERSIONS:
        layout = Layout(version)
        assert [column.name for column in layout.scopes["figures"]] == FIGURES
        assert [column.name for column in layout.columns][-1] == "x_RowId"


def test_words_for_every_class_and_unit() -> None:
    assert {*SERVICES} == {
        "model", "tool", "database", "vector", "compute", "storage", "network", "hardware", "licence", "labour",
        "training", "other",
    }  # fmt: skip
    assert all(consumed_unit(unit) and meter_words(unit) for unit in UNITS)
    assert {consumed_unit(unit) for unit in UNITS if unit.endswith("_tokens")} == {"Tokens"}
    said = {
        unit: consumed_unit(unit)
        for unit in ("gpu_hours", "gb_months", "io_requests", "seat_hours", "searches")
    }
    assert said == {
        "gpu_hours": "Hours", "gb_months": "GB-Months", "io_requests": "IO Requests", "seat_hours": "Seat-Hours",
        "searches": "Searches",
    }  # fmt: skip
    assert pricing_unit("Tokens") == (1_000_000, "1000000 Tokens")


def test_tokens_say_their_direction_and_what_the_cache_did() -> None:
    said = {
        unit: (found.get("x_TokenDirection"), found.get("x_TokenCacheAction"))
        for unit in (
            "input_tokens",
            "cache_read_tokens",
            "cache_write_1h_tokens",
            "reasoning_tokens",
            "searches",
        )
        for found in [model_details("claude-sonnet-4-5-20250929", unit)]
    }
    assert said == {
        "input_tokens": ("Input", "Uncached"), "cache_read_tokens": ("Input", "Read"),
        "cache_write_1h_tokens": ("Input", "Write"), "reasoning_tokens": ("Output", None), "searches": (None, None),
    }  # fmt: skip
    found = model_details("claude-sonnet-4-5-20250929", "input_tokens")
    assert (found["x_ModelDeveloper"], found["x_ModelFamily"], found["x_ModelVersion"]) == (
        "Anthropic", "claude-sonnet", "4.5",
    )  # fmt: skip
    assert "x_ModelDeveloper" not in model_details("our-own", "input_tokens")


def test_a_cell_that_could_be_read_otherwise_is_quoted() -> None:
    layout = Layout("1.4")
    piece = series_piece(layout, {"team": 'a,"b"\n', "cost_class": "model"}).piece
    assert piece.csv.startswith('"team:a,""b""\n","a,""b""\n",Team,')
