"""Bills of several organisations with one provider, each told apart as its own file does: all that they come to, and no
cause that another's file made. Prices as in test_invoice_causes: 21 dollars are booked, of 2 million tokens in and 1 out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import structs

from services.api.invoices.billed import InvoiceLine
from services.api.invoices.coverage import SpokenOf, shortfalls
from services.api.invoices.held_against import Variance, held_against
from spendmeter.contracts.money import total
from tests.api.test_invoice_causes import INPUT, OUTPUT, M, causes, lines
from tests.api.vendor_bills import (
    DAY,
    anthropic_cost,
    anthropic_costs,
    anthropic_usage,
    anthropic_used,
    openai_costs,
    openai_line,
    read_bill,
)


def bill_of(account: str, provider: str, *pages: bytes) -> list[InvoiceLine]:
    """What an import under this account has."""
    return [structs.replace(row, account=account) for page in pages for row in read_bill(provider, page).rows]


def held(rows: Iterable[InvoiceLine]) -> list[Variance]:
    return held_against(
        rows, [INPUT, OUTPUT], currency="USD", days=[DAY], name_of=str.lower, rate_of=lambda *_: None
    )


def whole(amount: float) -> bytes:
    """A day's total without groups."""
    return openai_costs({DAY: [openai_line(None, amount)]})


def test_a_total_of_one_account_is_not_the_total_of_all() -> None:
    # a: 3 and its total of 3; b: 18, by model alone. Together they are the book.
    rows = bill_of("a", "openai", lines(input=1, output=0), whole(3))
    rows += bill_of("b", "openai", lines(input=1, output=1))
    found = held(rows)
    assert total(row.billed for row in found) == 21
    assert causes(found) == {}


def test_what_an_account_tells_by_a_total_alone_is_of_nobody_knows_which_model() -> None:
    # b's 18 dollars are on no line: what a's lines lack of the book is in them, and the two meet in the sum.
    found = held(bill_of("a", "openai", lines(input=1, output=0)) + bill_of("b", "openai", whole(18)))
    assert total(row.billed for row in found) == 21
    assert {row.model: causes([row]) for row in found} == {"m": {"truncated": "-18"}, "": {"truncated": "18"}}


def test_quantities_of_one_account_are_not_those_of_all() -> None:
    # Both were billed a half; of b there is no report of usage, so nobody knows how much it used: none is unbilled.
    half = anthropic_costs(
        {
            DAY: [
                anthropic_cost("300", model="m", token_type="uncached_input_tokens"),
                anthropic_cost("750", model="m", token_type="output_tokens"),
            ]
        }
    )
    more = half.replace(b'"750"', b'"850"')
    usage = anthropic_usage({DAY: [anthropic_used(M, output=M // 2, model="m")]})
    assert causes(held(bill_of("a", "anthropic", half, usage) + bill_of("b", "anthropic", half))) == {}
    [row] = held(bill_of("a", "anthropic", half, usage) + bill_of("b", "anthropic", more))
    assert (row.causes, row.unexplained) == ({}, Decimal(1))
    assert "usage report" in row.note
    both = bill_of("a", "anthropic", half, usage) + bill_of("b", "anthropic", half, usage)
    assert causes(held(both)) == {}


def test_a_day_that_went_on_after_its_bill_and_one_that_an_account_lacks_are_told() -> None:
    midnight = datetime(2026, 11, 11, tzinfo=UTC)  # the end of DAY
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    spoken = [
        SpokenOf(before, "cost", "a", midnight), SpokenOf(DAY, "cost", "a", midnight - timedelta(seconds=1)),
        SpokenOf(DAY, "usage", "b", midnight), SpokenOf(DAY, "total", "b", midnight),
        SpokenOf(after, "cost", "a", midnight),
    ]  # fmt: skip
    early, lacking = shortfalls(spoken, (before, after))
    assert early.startswith("2026-11-10 was not over when a bill of it was imported")
    assert lacking.startswith("account 'b' has no bill of 1 of these days, the first is 2026-11-09")
    assert shortfalls([each for each in spoken if each.day == before], (before, after)) == []
