"""The fold of `cells`: amounts worked out by hand, whatever lines say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from spendmeter.book.cells import NO_LINE, Cell, CellFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.events import Amount, Context, encode_event
from spendmeter.contracts.rated import Line, Multiplier
from tests.corrector.book_by_hand import folded
from tests.ledger_records import NOON, usage_event

FIGURES = "quantity list_priced contracted_priced effective_priced list contracted effective".split()


def figures(cell: Cell) -> tuple[str, ...]:
    return tuple(f"{getattr(cell, name):f}" for name in FIGURES)


def entry(
    *lines: Line,
    amounts: tuple[str, str, str] = ("0", "0", "0"),
    status: str = "priced",
    seq: int = 0,
    currency: str = "USD",
    lines_text: str = "",
    **data: Any,
) -> BookEntry:
    event = encode_event(usage_event(**data)).decode()
    return read_entry(
        seq, NOON, "acme", b"s" * 16, status, currency, *amounts, event,
        lines_text or msgspec.json.encode(lines).decode(),
    )  # fmt: skip


def cells(*entries: BookEntry) -> dict[str, Cell]:
    """By unit; a test with two cells of a unit asks for the rows itself."""
    rows = folded(CellFold(), entries)
    found = {row.unit: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_each_unit_has_a_cell_and_the_event_counts_once_without_a_unit() -> None:
    lines = (
        Line(unit="input_tokens", entry="p1", price="0.000003", amount="0.003"),
        Line(unit="output_tokens", entry="p2", price="0.000015", amount="0.0015"),
    )
    found = cells(*(entry(*lines, amounts=("0.0045", "0.0045", "0.0045")) for _ in range(2)))
    assert figures(found["input_tokens"]) == ("2000", *["0.006"] * 6)
    assert figures(found["output_tokens"]) == ("200", *["0.0030"] * 6)
    assert figures(found[""]) == ("0",) * 7
    assert {unit: cell.events for unit, cell in found.items()} == {
        "": 2,
        "input_tokens": 2,
        "output_tokens": 2,
    }
    said = found["input_tokens"]
    assert (said.day, said.tier, said.region, said.batch) == (
        date(2026, 11, 23),
        "standard",
        "",
        False,
    )
    assert (said.entry, said.reason, said.priced_in, said.currency) == ("p1", "", "USD", "USD")


def test_a_price_in_another_currency_is_kept_as_priced_and_in_book_currency() -> None:
    line = Line(
        unit="input_tokens", entry="p1", price="0.002", amount="2", currency="EUR", fx="fx1", book_list="2.2",
        contracted_entry="c1", contracted_price="0.001", contracted_amount="1", book_contracted="1.1",
    )  # fmt: skip
    found = cells(entry(line, amounts=("2.2", "1.1", "1.1"), usage={"input_tokens": 1000}))
    assert figures(found["input_tokens"]) == ("1000", "2", "1", "1", "2.2", "1.1", "1.1")
    said = found["input_tokens"]
    assert (said.priced_in, said.contracted_in, said.contracted_entry) == ("EUR", "EUR", "c1")
    assert figures(found[""]) == ("0",) * 7


def test_a_contract_in_another_currency_than_the_list_has_its_own() -> None:
    line = Line(
        unit="input_tokens", entry="p1", price="0.002", amount="2", contracted_price="0.0015", contracted_amount="1.5",
        contracted_currency="GBP", contracted_fx="fx1", book_contracted="1.95",
    )  # fmt: skip
    found = cells(entry(line, amounts=("2", "1.95", "1.95"), usage={"input_tokens": 1000}))
    assert figures(found["input_tokens"]) == ("1000", "2", "1.5", "1.5", "2", "1.95", "1.95")
    assert (found["input_tokens"].priced_in, found["input_tokens"].contracted_in) == (
        "USD",
        "GBP",
    )


def test_what_has_no_exchange_rate_is_known_as_priced_and_unpriced_in_the_book() -> None:
    line = Line(
        unit="input_tokens",
        entry="p1",
        price="0.002",
        amount="2",
        currency="JPY",
        status="unpriced",
        reason="No rate",
    )
    found = cells(entry(line, status="unpriced", usage={"input_tokens": 1000}))
    assert figures(found["input_tokens"]) == ("1000", "2", "2", "2", "0", "0", "0")
    assert found["input_tokens"].status == found[""].status == "unpriced"


def test_a_unit_without_a_price_says_the_reason_in_place_of_the_entry() -> None:
    line = Line(unit="input_tokens", status="unpriced", reason="No price for input_tokens of openai/gpt-x")
    found = cells(entry(line, status="unpriced", usage={"input_tokens": 1000}))
    assert figures(found["input_tokens"]) == ("1000", *["0"] * 6)
    assert found["input_tokens"].reason == "No price for input_tokens of openai/gpt-x"


def test_factors_tell_cells_of_one_price_apart() -> None:
    plain = Line(unit="input_tokens", entry="p1", price="0.001", amount="1")
    factors = (
        Multiplier(name="residency", factor="1.1", entry="f1"),
        Multiplier(name="long", factor="2", entry="f2"),
    )
    dearer = Line(unit="input_tokens", entry="p1", price="0.0022", amount="2.2", multipliers=factors)
    rows = folded(
        CellFold(),
        [
            entry(plain, amounts=("1", "1", "1"), usage={"input_tokens": 1000}),
            entry(dearer, amounts=("2.2", "2.2", "2.2"), usage={"input_tokens": 1000}),
        ],
    )
    found = {row.factors: row.list for row in rows if row.unit}
    assert found == {"": 1, "f1 f2": Decimal("2.2")}


def test_what_the_price_bills_is_the_quantity_not_what_was_used() -> None:
    line = Line(unit="searches", entry="p1", price="0.01", amount="0.05", quantity=5)
    found = cells(entry(line, amounts=("0.05", "0.05", "0.05"), usage={"searches": 9}))
    assert found["searches"].quantity == 5


def test_quantities_without_a_line_of_their_own_are_not_lost() -> None:
    line = Line(
        unit="reported_cost",
        price="0.7",
        amount="0.7",
        quantity=1,
        status="reported",
        reason="as reported by the sender",
    )
    found = cells(
        entry(
            line,
            amounts=("0.7", "0.7", "0.7"),
            status="reported",
            usage={"input_tokens": 1000, "gpu_seconds": "1.50"},
            reported_cost=Amount(amount="0.7", currency="USD"),
        )
    )
    assert figures(found["reported_cost"]) == ("1", *["0.7"] * 6)
    assert figures(found["input_tokens"]) == ("1000", *["0"] * 6)
    assert figures(found["gpu_seconds"]) == ("1.5", *["0"] * 6)
    assert found["gpu_seconds"].reason == NO_LINE


def test_a_reversal_takes_away_what_its_target_added() -> None:
    line = Line(unit="input_tokens", entry="p1", price="0.001", amount="1")
    found = cells(
        entry(line, amounts=("1.5", "1.5", "1.5"), usage={"input_tokens": 1000}),
        entry(line, amounts=("-1.5", "-1.5", "-1.5"), seq=1, usage={"input_tokens": 1000}),
    )
    assert [figures(cell) for cell in found.values()] == [("0", *["0"] * 6), ("0", *["0.0"] * 6)]
    assert [cell.events for cell in found.values()] == [0, 0]


def test_what_lines_leave_of_the_amounts_stands_with_the_event() -> None:
    line = Line(unit="input_tokens", entry="p1", price="0.001", amount="1")
    found = cells(entry(line, amounts=("1.25", "1.2", "0.7"), usage={"input_tokens": 1000}))
    assert figures(found["input_tokens"]) == ("1000", *["1"] * 6)
    assert figures(found[""]) == ("0", "0.25", "0.2", "-0.3", "0.25", "0.2", "-0.3")


@pytest.mark.parametrize(
    "lines_text",
    [
        "[{]",
        "7",
        '[{"unit":"input_tokens","amount":"NaN"}]',
        '[{"unit":"input_tokens","amount":"Infinity"}]',
        '[{"unit":"input_tokens","amount":"1E+999"}]',
        '[{"unit":"input_tokens","amount":"1E-999"}]',
        '[{"unit":"input_tokens","amount":"much"}]',
        '[{"unit":"input_tokens","amount":"1","quantity":"NaN"}]',
        '[{"unit":"input_tokens","amount":"1","currency":"EUR","book_list":"sNaN"}]',
        '[{"unit":"input\\u0000tokens","amount":"1"}]',
    ],
)
def test_what_cannot_be_read_counts_with_its_sums_alone(lines_text: str) -> None:
    found = cells(entry(lines_text=lines_text, amounts=("1.5", "1.5", "1.5"), usage={"input_tokens": 1000}))
    assert list(found) == [""]
    assert figures(found[""]) == ("0", *["1.5"] * 6)
    assert found[""].events == 1


def test_the_way_of_serving_is_what_the_event_states() -> None:
    served = Context(service_tier="Priority", region="eu-west-1", batch=True)
    (row,) = folded(CellFold(), [entry(context=served, usage={"input_tokens": 0}, lines_text="[]")][:1])[1:]
    assert (row.tier, row.region, row.batch) == ("Priority", "eu-west-1", True)
