"""A bill with one thing wrong names this one thing, and nothing is left: bills by the vendors' own types, amounts by hand.

A million tokens: input 3, read from the cache 0.3, written to it 3.75, output 15; at the priority tier twice as much,
beyond 200k of context input 6."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.api.invoices.billed import BillError, InvoiceLine
from services.api.invoices.held_against import Variance, held_against
from services.api.invoices.moves import BilledCell, moves_of
from services.api.invoices.sides import BookedUse
from spendmeter.contracts.money import EXACT, total
from tests.api.vendor_bills import (
    DAY,
    anthropic_cost,
    anthropic_costs,
    anthropic_items,
    anthropic_usage,
    anthropic_used,
    openai_costs,
    openai_line,
    openai_usage,
    read_bill,
    usage_rows,
)

NEXT = DAY + timedelta(days=1)
M = 1_000_000
PRICES = {
    "input_tokens": "3",
    "cache_read_tokens": "0.3",
    "cache_write_5m_tokens": "3.75",
    "output_tokens": "15",
}


def booked(
    unit: str,
    tokens: int,
    *,
    day: date = DAY,
    amount: str | None = None,
    listed: str | None = None,
    **more: Any,
) -> BookedUse:
    """So many tokens at their price, unless it says an amount."""
    worth = Decimal(PRICES[unit]) * tokens / M if amount is None else Decimal(amount)
    said = {
        "model": "m", "tier": "standard", "context": "short", "region": "global", "status": "priced",
        "currency": "USD", "contracted": worth, "listed": worth if listed is None else Decimal(listed),
    }  # fmt: skip
    return BookedUse(day=day, unit=unit, quantity=Decimal(tokens), **said | more)


INPUT, OUTPUT = booked("input_tokens", 2 * M), booked("output_tokens", M)
"""6 and 15 dollars."""


def held(
    provider: str,
    *pages: bytes,
    book: Iterable[BookedUse] = (INPUT, OUTPUT),
    rates: dict[str, str] | None = None,
) -> list[Variance]:
    bills = [read_bill(provider, each) for each in pages]
    days = sorted({day for bill in bills for day, kind in bill.days if kind != "usage"})
    rows: list[InvoiceLine] = [row for bill in bills for row in bill.rows]
    currency = next(row.currency for row in rows if row.currency)
    found = held_against(
        rows,
        book,
        currency=currency,
        days=days,
        name_of=str.lower,
        rate_of=lambda base, _: Decimal(rates[base]) if rates and base in rates else None,
    )
    for each in found:
        if each.booked is not None and each.unexplained is not None:
            named = EXACT.add(total(each.causes.values()), each.unexplained)
            assert named == EXACT.subtract(each.billed, each.booked), each
    return found


def causes(rows: Iterable[Variance]) -> dict[str, str]:
    """Of all rows: causes and what is left, in plain digits."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        for cause, amount in (*row.causes.items(), ("unexplained", row.unexplained or Decimal(0))):
            sums[cause] = EXACT.add(sums.get(cause, Decimal(0)), amount)
    return {cause: f"{amount.normalize():f}" for cause, amount in sums.items() if amount}


def lines(*more: Any, input: float = 2, output: float = 1, day: date = DAY) -> bytes:
    """OpenAI's costs of so many million tokens, at their prices."""
    usual = [
        openai_line("m, input", 3 * input, input * M),
        openai_line("m, output", 15 * output, output * M),
    ]
    return openai_costs({day: [*usual, *more]})


def test_a_bill_that_is_the_book_has_no_cause() -> None:
    assert causes(held("openai", lines())) == {}


def test_usage_that_no_event_told_of_is_unseen() -> None:
    assert causes(held("openai", lines(input=2.5))) == {"unseen": "1.5"}  # half a million at 3


def test_a_model_that_no_event_named_is_unseen() -> None:
    found = held("openai", lines(openai_line("other, output", 0.4, 40_000)))
    assert causes(found) == {"unseen": "0.4"}
    assert [row.model for row in found] == ["m", "other"]


def test_a_credit_is_no_usage_that_nobody_saw() -> None:
    found = held("openai", lines(openai_line("credits", -5.0)))
    assert [(row.model, causes([row])) for row in found] == [("credits", {"unexplained": "-5"}), ("m", {})]
    assert "a credit or a refund" in found[0].note


def test_usage_that_the_bill_lacks_is_unbilled() -> None:
    assert causes(held("openai", lines(output=0.9))) == {"unbilled": "-1.5"}
    only = openai_costs({DAY: [openai_line("m, input", 6, 2 * M)]})
    assert causes(held("openai", only)) == {"unbilled": "-15"}


def test_a_day_that_is_billed_at_nothing_is_unbilled() -> None:
    book = [INPUT, OUTPUT, booked("output_tokens", M, day=NEXT)]
    bill = lines() + openai_costs({NEXT: []})
    assert causes(held("openai", bill, book=book)) == {"unbilled": "-15"}


def test_a_day_of_which_there_is_no_bill_is_not_compared() -> None:
    assert causes(held("openai", lines(), book=[INPUT, OUTPUT, booked("output_tokens", M, day=NEXT)])) == {}


def test_another_tier_is_tier_alone() -> None:
    # A million of the two came by priority, at 6 instead of 3.
    bill = openai_costs(
        {
            DAY: [
                openai_line("m, input", 3, M),
                openai_line("priority | m, input", 6, M),
                openai_line("m, output", 15, M),
            ]
        }
    )
    assert causes(held("openai", bill)) == {"tier": "3"}


def test_a_batch_is_a_tier() -> None:
    # A million of the two came as a batch, at 1.5 instead of 3; the newer report has an item a group.
    items = [
        ("300", {"token_type": "uncached_input_tokens", "service_tier": "standard"}),
        ("150", {"token_type": "uncached_input_tokens", "service_tier": "batch"}),
        ("1500", {"token_type": "output_tokens", "service_tier": "standard"}),
    ]
    bill = anthropic_items({DAY: [(cents, group | {"model": "m"}) for cents, group in items]})
    usage = anthropic_usage({DAY: [anthropic_used(2 * M, output=M, model="m")]})
    # The report of usage tells no tiers apart: all that is known is that the amounts are others.
    assert causes(held("anthropic", bill, usage)) == {"unexplained": "-1.5"}
    tiers = [(M, M, "standard"), (M, 0, "batch")]
    rows = usage_rows(
        {DAY: [(uncached, output, {"model": "m", "service_tier": tier}) for uncached, output, tier in tiers]}
    )
    assert causes(held("anthropic", bill, rows)) == {"tier": "-1.5"}


def test_a_longer_context_is_context_alone() -> None:
    bill = openai_costs(
        {
            DAY: [
                openai_line("m, input", 3, M),
                openai_line("m, input, long context", 6, M),
                openai_line("m, output", 15, M),
            ]
        }
    )
    assert causes(held("openai", bill)) == {"context": "3"}


def test_tokens_that_a_cache_had_are_cache_alone() -> None:
    # A million of what was booked as uncached was read from the cache, at 0.3.
    bill = openai_costs(
        {
            DAY: [
                openai_line("m, input", 3, M),
                openai_line("m, cached input", 0.3, M),
                openai_line("m, output", 15, M),
            ]
        }
    )
    assert causes(held("openai", bill)) == {"cache": "-2.7"}


def test_another_region_is_region_alone() -> None:
    bill = anthropic_costs(
        {
            DAY: [
                anthropic_cost("660", model="m", token_type="uncached_input_tokens", inference_geo="us"),
                anthropic_cost("1500", model="m", token_type="output_tokens", inference_geo="global"),
            ]
        }
    )
    usage = anthropic_usage(
        {
            DAY: [
                anthropic_used(2 * M, model="m", inference_geo="us"),
                anthropic_used(output=M, model="m", inference_geo="global"),
            ]
        }
    )
    assert causes(held("anthropic", bill, usage)) == {"region": "0.6"}  # 10 % more of 6


def test_a_region_that_events_do_not_say_is_no_other_region() -> None:
    # A tenth was given of 21; AWS names a region in each row, and no event did.
    bill = focus(
        {"SkuMeter": "USE1-m-input-tokens", "ConsumedQuantity": "500", "BilledCost": "1.35", "ListCost": "1.5", "RegionId": "us-east-1"},
        {"SkuMeter": "USW2-m-input-tokens", "ConsumedQuantity": "1500", "BilledCost": "4.05", "ListCost": "4.5", "RegionId": "us-west-2"},
        {"SkuMeter": "USE1-m-output-tokens", "ConsumedQuantity": "1000", "BilledCost": "13.5", "ListCost": "15", "RegionId": "us-east-1"},
    )  # fmt: skip
    book = [structs.replace(use, region="") for use in (INPUT, OUTPUT)]
    assert causes(held("bedrock", bill, book=book)) == {"discount": "-2.1"}
    agreed = [
        structs.replace(use, contracted=use.contracted * 2) for use in book
    ]  # 42, which is no price of theirs
    assert causes(held("bedrock", bill.replace(b"ListCost", b"x_List"), book=agreed)) == {"price": "-23.1"}


def test_a_discount_that_the_bill_states_and_the_catalog_lacks_is_discount_alone() -> None:
    bill = anthropic_costs(
        {
            DAY: [
                anthropic_cost("540", "600", model="m", token_type="uncached_input_tokens"),
                anthropic_cost("1350", "1500", model="m", token_type="output_tokens"),
            ]
        }
    )
    assert causes(held("anthropic", bill)) == {"discount": "-2.1"}  # 10 % of 21, without any usage report


def test_a_discount_that_was_agreed_and_not_given_is_discount_alone() -> None:
    agreed = [
        booked("input_tokens", 2 * M, amount="5.4", listed="6"),
        booked("output_tokens", M, amount="13.5", listed="15"),
    ]
    assert causes(held("openai", lines(), book=agreed)) == {"discount": "2.1"}


def test_another_rate_of_exchange_is_currency_alone() -> None:
    # Booked 21 dollars; ours is 0.9 euros a dollar, 18.9; theirs 0.91: 19.11.
    bill = openai_costs(
        {
            DAY: [
                openai_line("m, input", 5.46, 2 * M, currency="eur"),
                openai_line("m, output", 13.65, M, currency="eur"),
            ]
        }
    )
    assert causes(held("openai", bill, rates={"USD": "0.9"})) == {"currency": "0.21"}


def test_what_no_rate_of_exchange_can_be_is_unexplained() -> None:
    # 18.9 euros were booked; at twice the price, or at a rate that no day has had, 37.8 were billed: nobody knows.
    bill = openai_costs(
        {
            DAY: [
                openai_line("m, input", 10.8, 2 * M, currency="eur"),
                openai_line("m, output", 27.0, M, currency="eur"),
            ]
        }
    )
    [row] = held("openai", bill, rates={"USD": "0.9"})
    assert causes([row]) == {"unexplained": "18.9"}
    assert "another rate, another price" in row.note


def test_without_a_rate_nothing_is_compared_and_nothing_is_zero() -> None:
    bill = openai_costs({DAY: [openai_line("m, input", 5.46, 2 * M, currency="eur")]})
    [row] = held("openai", bill)
    assert (row.booked, row.unexplained, row.causes) == (None, None, {})
    assert "no rate" in row.note


def test_a_days_edge_is_timing_alone_and_sums_to_nothing() -> None:
    # 100,000 tokens of output that were booked before midnight are billed on the next day.
    bill = openai_costs(
        {
            DAY: [openai_line("m, input", 6, 2 * M), openai_line("m, output", 13.5, 900_000)],
            NEXT: [openai_line("m, input", 6, 2 * M), openai_line("m, output", 16.5, 1_100_000)],
        }
    )
    book = [
        INPUT, OUTPUT, booked("input_tokens", 2 * M, day=NEXT), booked("output_tokens", M, day=NEXT)
    ]  # fmt: skip
    found = held("openai", bill, book=book)
    assert [(row.day, {c: f"{a:f}" for c, a in row.causes.items()}) for row in found] == [
        (DAY, {"timing": "-1.500000000000"}), (NEXT, {"timing": "1.500000000000"})
    ]  # fmt: skip
    assert causes(found) == {}


def test_groups_that_a_report_does_not_show_are_truncated_and_the_total_is_the_truth() -> None:
    # The report shows m; n, at 4, lies beyond its groups. The total says 25.
    shown = [
        anthropic_cost("600", model="m", token_type="uncached_input_tokens"),
        anthropic_cost("1500", model="m", token_type="output_tokens"),
    ]
    bill, whole = anthropic_costs({DAY: shown}), anthropic_costs({DAY: [anthropic_cost("2500")]})
    book = [INPUT, OUTPUT, booked("output_tokens", 100, amount="4", model="n")]
    found = held("anthropic", bill, whole, book=book)
    assert {row.model: causes([row]) for row in found} == {
        "m": {}, "n": {"truncated": "-4"}, "": {"truncated": "4"}
    }  # fmt: skip
    assert causes(found) == {}
    assert total(row.billed for row in found) == 25


@pytest.mark.parametrize("line", ["m, cached input", "m, new sort of tokens", "m"])
def test_a_line_of_nothing_without_a_quantity_hides_no_cause(line: str) -> None:
    # Half a million tokens more, at 3 dollars a million; and then a million out at 16 for 15.
    found = held("openai", lines(openai_line(line, 0), input=2.5))
    assert causes(found) == {"unseen": "1.5"}
    dearer = openai_costs(
        {DAY: [openai_line("m, input", 6, 2 * M), openai_line("m, output", 16, M), openai_line(line, 0)]}
    )
    assert causes(held("openai", dearer)) == {"price": "1"}


def test_what_is_billed_at_nothing_is_priced_at_nothing_where_usage_tells_how_much() -> None:
    # A million tokens were given away: no line has their quantity, and the report of usage does.
    costs = openai_costs({DAY: [openai_line("m, input", 6, 2 * M), openai_line("m, output", 0)]})
    used = openai_usage({DAY: [{"model": "m", "input_tokens": 2 * M, "output_tokens": M}]})
    assert causes(held("openai", costs, used)) == {"price": "-15"}


def test_usage_without_a_price_here_is_unpriced() -> None:
    book = [INPUT, booked("output_tokens", M, amount="0", status="unpriced")]
    assert causes(held("openai", lines(), book=book)) == {"unpriced": "15"}


def test_a_bound_that_was_booked_is_provisional() -> None:
    book = [INPUT, booked("output_tokens", M, amount="18", status="provisional")]
    assert causes(held("openai", lines(), book=book)) == {"provisional": "-3"}


def test_another_unit_price_is_price() -> None:
    bill = openai_costs({DAY: [openai_line("m, input", 7, 2 * M), openai_line("m, output", 15, M)]})
    assert causes(held("openai", bill)) == {"price": "1"}


def test_digits_that_a_bill_does_not_write_are_rounding() -> None:
    bill = openai_costs({DAY: [openai_line("m, input", 6.0, 2 * M), openai_line("m, output", 0.07, 4_900)]})
    book = [INPUT, booked("output_tokens", 4_900)]  # 0.0735
    assert causes(held("openai", bill, book=book)) == {"rounding": "-0.0035"}


def test_the_digits_of_a_float_are_taken_as_they_are_written() -> None:
    bill = openai_costs({DAY: [openai_line("m, input", 0.1 + 0.2, 100_000)]})
    assert [f"{row.amount:f}" for row in read_bill("openai", bill).rows] == ["0.30000000000000004"]
    assert causes(held("openai", bill, book=[booked("input_tokens", 100_000)])) == {
        "rounding": "0.00000000000000004"
    }


def test_the_priority_tier_is_in_no_cost_report_of_anthropics() -> None:
    shown = [
        anthropic_cost("600", model="m", token_type="uncached_input_tokens"),
        anthropic_cost("1500", model="m", token_type="output_tokens"),
    ]
    book = [INPUT, OUTPUT, booked("output_tokens", 1000, tier="priority", amount="0.03", is_left_out=True)]
    assert causes(held("anthropic", anthropic_costs({DAY: shown}), book=book)) == {"left_out": "-0.03"}


def test_amounts_without_quantities_are_explained_by_usage_or_not_at_all() -> None:
    # 3 dollars more than booked: of a million more tokens, or of a price? Nobody knows until the usage is there.
    bill = anthropic_costs(
        {
            DAY: [
                anthropic_cost("900", model="m", token_type="uncached_input_tokens"),
                anthropic_cost("1500", model="m", token_type="output_tokens"),
            ]
        }
    )
    [row] = held("anthropic", bill)
    assert causes([row]) == {"unexplained": "3"}
    assert "usage report" in row.note
    usage = anthropic_usage({DAY: [anthropic_used(3 * M, output=M, model="m")]})
    assert causes(held("anthropic", bill, usage)) == {"unseen": "3"}


def test_usage_of_openai_is_what_was_not_cached_and_what_was() -> None:
    usage = openai_usage(
        {
            DAY: [
                {
                    "model": "m", "input_tokens": 1000, "input_cached_tokens": 300, "input_cache_write_tokens": 100,
                    "input_uncached_tokens": 600, "output_tokens": 50, "batch": True,
                }
            ]
        }
    )  # fmt: skip
    found = {row.unit: (row.quantity, row.tier) for row in read_bill("openai", usage).rows}
    assert found == {
        "input_tokens": (600, "batch"), "cache_read_tokens": (300, "batch"),
        "cache_write_5m_tokens": (100, "batch"), "output_tokens": (50, "batch"),
    }  # fmt: skip


def test_a_total_alone_is_held_against_all_of_the_day() -> None:
    [row] = held("openai", openai_costs({DAY: [openai_line(None, 20.5)]}))
    assert (row.model, row.billed, row.booked, row.unexplained) == ("", Decimal("20.5"), 21, Decimal("-0.5"))


def test_a_dated_name_of_a_bill_is_the_model_that_events_name_without() -> None:
    bill = openai_costs(
        {DAY: [openai_line("m-2026-08-06, input", 6, 2 * M), openai_line("m, output", 15, M)]}
    )
    assert causes(held("openai", bill)) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "is no page"),
        (b"no", "neither a page of the provider's nor FOCUS"),
        (b"{no", "is no JSON"),
        (b'{"data": [], "has_more": false}', "has no days"),
        (b'{"data": [{"start_time": 1, "end_time": 400000, "results": []}]}', "no part of one day"),
        (openai_usage({DAY: [{"input_tokens": 1, "output_tokens": 1}]}), "not grouped by model"),
    ],
)
def test_what_is_no_bill_says_why(content: bytes, said: str) -> None:
    with pytest.raises(BillError, match=said):
        read_bill("openai", content)


def test_several_pages_are_one_bill_and_a_last_one_with_more_behind_it_is_told() -> None:
    pages = lines() + b"\n" + openai_costs({NEXT: [openai_line("m, input", 3, M)]}, more=True)
    bill = read_bill("openai", pages)
    assert [day for day, _ in bill.days] == [DAY, NEXT]
    assert "the last page says that there are more" in bill.notes[0]
    assert read_bill("openai", b"[" + pages.replace(b"\n", b",") + b"]") == bill


FOCUS = [
    "BilledCost", "ListCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd", "ServiceName",
    "ServiceProviderName", "ConsumedQuantity", "ConsumedUnit", "SkuMeter", "SkuPriceDetails", "RegionId", "ChargeClass",
]  # fmt: skip


def focus(*rows: dict[str, str]) -> bytes:
    """A bill in FOCUS, of one day."""
    usual = {
        "BillingCurrency": "USD", "ChargeCategory": "Usage", "ChargePeriodStart": f"{DAY}T00:00:00Z",
        "ChargePeriodEnd": f"{NEXT}T00:00:00Z", "ServiceName": "Amazon Bedrock", "ServiceProviderName": "AWS",
        "ConsumedUnit": "1K tokens",
    }  # fmt: skip
    written = io.StringIO()
    writer = csv.DictWriter(written, FOCUS)
    writer.writeheader()
    writer.writerows([usual | row for row in rows])
    return written.getvalue().encode()


def test_a_bill_in_focus_is_read_by_what_aws_calls_its_meters() -> None:
    # 500,000 tokens of output that came as a batch cost half of 7.5.
    bill = focus(
        {"SkuMeter": "USE1-m-input-tokens", "ConsumedQuantity": "2000", "BilledCost": "6", "ListCost": "6"},
        {"SkuMeter": "USE1-m-output-tokens", "ConsumedQuantity": "500", "BilledCost": "7.5", "ListCost": "7.5"},
        {"SkuMeter": "USE1-m-output-tokens-batch", "ConsumedQuantity": "500", "BilledCost": "3.75", "ListCost": "3.75"},
        {"ServiceName": "Amazon S3", "BilledCost": "99"},
        {"ChargeCategory": "Tax", "BilledCost": "3"},
    )  # fmt: skip
    assert causes(held("bedrock", bill)) == {"tier": "-3.75"}
    assert causes(held("bedrock", gzip.compress(bill))) == {"tier": "-3.75"}
    assert read_bill("bedrock", bill).notes == ("1 rows of tax are not compared: 3 USD",)


def test_a_bill_in_focus_is_read_by_the_names_of_its_next_version() -> None:
    # A tenth was given that the catalog does not know, and 100,000 tokens read from a cache were booked as uncached.
    meter = '{{"x_ModelId": "m", "x_TokenDirection": "{}", "x_TokenCacheAction": "{}"}}'
    said = {"ServiceName": "API", "ServiceProviderName": "OpenAI", "ConsumedUnit": "Tokens"}
    bill = focus(
        said | {"SkuPriceDetails": meter.format("Input", "Uncached"), "ConsumedQuantity": "1900000.0",
                "BilledCost": "5.13", "ListCost": "5.7"},
        said | {"SkuPriceDetails": meter.format("Input", "Read"), "ConsumedQuantity": "100000.0",
                "BilledCost": "0.027", "ListCost": "0.03"},
        said | {"SkuPriceDetails": meter.format("Output", ""), "ConsumedQuantity": "1000000.0",
                "BilledCost": "13.5", "ListCost": "15"},
    )  # fmt: skip
    # The cache's price is known by the bill alone, as billed: 0.027 - 0.3. A tenth of 5.7 and of 15 is discount.
    assert causes(held("openai", bill)) == {"cache": "-0.273", "discount": "-2.07"}


CELLS = st.tuples(
    st.sampled_from(sorted(PRICES)),
    st.sampled_from(["standard", "priority"]),
    st.sampled_from(["short", "long"]),
)
AMOUNTS = st.decimals(0, 10**6, places=9)
SIDES = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from(["m", "n", "o"]), CELLS),
    st.tuples(st.integers(0, 10**9), AMOUNTS, AMOUNTS),
    max_size=12,
)


@given(
    billed=SIDES, there=SIDES, stated=st.booleans(), lists=st.booleans(), whole=st.none() | AMOUNTS,
    status=st.sampled_from(["priced", "provisional", "unpriced", "reported", "free"]),
    currency=st.sampled_from(["USD", "EUR"]),
)  # fmt: skip
def test_causes_and_what_is_left_are_the_difference_whatever_a_bill_says(
    billed: Any, there: Any, stated: bool, lists: bool, whole: Decimal | None, status: str, currency: str
) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    rows = [
        InvoiceLine(
            day=days[day], kind="cost", model=model, unit=unit, tier=tier, context=context, currency=currency,
            quantity=Decimal(quantity) if stated else None, amount=amount, listed=listed if lists else None,
        )
        for (day, model, (unit, tier, context)), (quantity, amount, listed) in billed.items()
    ]  # fmt: skip
    if whole is not None:
        rows.append(InvoiceLine(day=DAY, kind="total", amount=whole, currency=currency))
    uses = [
        booked(
            unit, quantity, day=days[day], model=model, tier=tier, context=context, status=status,
            amount="0" if status == "unpriced" else f"{amount:f}", listed=f"{listed:f}",
        )
        for (day, model, (unit, tier, context)), (quantity, amount, listed) in there.items()
    ]  # fmt: skip
    rates = {"USD": Decimal("0.9")} if currency == "EUR" else {}
    found = held_against(
        rows, uses, currency=currency, days=days, name_of=str.lower, rate_of=lambda base, _: rates.get(base)
    )
    for each in found:
        assert each.booked is not None
        assert each.unexplained is not None
        named = EXACT.add(total(each.causes.values()), each.unexplained)
        assert named == EXACT.subtract(each.billed, each.booked)
    stated_whole = {DAY: whole} if whole is not None else {}
    of_rows = {
        day: total(row.amount or 0 for row in rows if row.kind == "cost" and row.day == day) for day in days
    }
    assert total(each.billed for each in found) == total(stated_whole.get(day, of_rows[day]) for day in days)
    factor = rates.get("USD", Decimal(1))
    assert total(each.booked or 0 for each in found) == EXACT.multiply(
        factor, total(use.contracted for use in uses)
    )


def test_what_a_thousand_lines_are_off_by_is_no_dollar_of_rounding() -> None:
    # In cents each line is off by half a cent at most; that all are so in one direction is no rounding.
    many = [openai_line(f"m, {'input' if at % 2 else 'output'}", 0.02, 1_000) for at in range(1_000)]
    # 9 dollars at our prices, and 20 billed.
    book = [booked("input_tokens", 500_000), booked("output_tokens", 500_000)]
    assert causes(held("openai", openai_costs({DAY: many}), book=book)) == {"price": "11"}
    near = [booked("input_tokens", 500_000, amount="10.5"), booked("output_tokens", 500_000, amount="10.5")]
    assert causes(held("openai", openai_costs({DAY: many}), book=near)) == {"price": "-1"}
    near = [booked("input_tokens", 500_000, amount="10.1"), booked("output_tokens", 500_000, amount="10.1")]
    assert causes(held("openai", openai_costs({DAY: many}), book=near)) == {"rounding": "-0.2"}


def test_a_bill_that_writes_more_digits_once_is_rounded_to_no_cents() -> None:
    # 0.07 for 0.0735: rounding where the vendor writes cents, a price where it writes all digits.
    line, exact = openai_line("m, output", 0.07, 4_900), openai_line("other, output", 0.123456789, 10)
    book = [booked("output_tokens", 4_900)]
    assert causes(held("openai", openai_costs({DAY: [line]}), book=book)) == {"rounding": "-0.0035"}
    both = held("openai", openai_costs({DAY: [line, exact]}), book=book)
    assert causes(row for row in both if row.model == "m") == {"price": "-0.0035"}


def test_many_ways_of_serving_are_paired_in_no_more_time_than_there_are_of_them() -> None:
    cells = {
        BilledCell("input_tokens", tier, "short", f"r{at}"): at for at in range(10_000) for tier in ("a", "b")
    }
    less = {cell: Decimal(at if cell.tier == "a" else -at) for cell, at in cells.items()}
    began = time.process_time()
    moves = moves_of({DAY: less})[DAY]
    assert time.process_time() - began < 10
    assert {move.cause for move in moves} == {"tier"}
    assert len(moves) == 9_999  # of the first there is nothing


def test_what_differs_in_several_things_is_paired_when_nothing_nearer_is_left() -> None:
    def cell(tier: str, context: str, region: str = "us") -> BilledCell:
        return BilledCell("input_tokens", tier, context, region)

    found = moves_of(
        {
            DAY: {
                cell("a", "short"): Decimal(-3),
                cell("b", "long", "eu"): Decimal(2),
                cell("a", "long"): Decimal(1),
            }
        }
    )[DAY]
    assert [(move.cause, move.quantity) for move in found] == [("context", 1), ("tier", 2)]
