"""What vendors' files have in them beside what is looked for: a bill that is read is read right, else it says why."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.api.invoices import tables
from services.api.invoices.billed import BillError
from spendmeter.contracts.money import total
from tests.api.test_invoice_causes import focus
from tests.api.vendor_bills import (
    DAY,
    anthropic_items,
    openai_costs,
    openai_line,
    openai_usage,
    read_bill,
)

NEXT = DAY + timedelta(days=1)
SETTLED = [(DAY, 3), (DAY, 4), (NEXT, 4)]


def bucket(**more: Any) -> bytes:
    """A page of OpenAI's with one bucket, as somebody wrote it by hand."""
    return json.dumps({"data": [{"start_time": 0, "end_time": 86400, "results": []} | more]}).encode()


def report(
    *results: dict[str, Any], start: str = f"{DAY}T00:00:00Z", end: str = f"{NEXT}T00:00:00Z"
) -> bytes:
    """A page of Anthropic's with one bucket."""
    return json.dumps({"data": [{"starting_at": start, "ending_at": end, "results": results}]}).encode()


@pytest.mark.parametrize(
    ("provider", "content", "said"),
    [
        ("openai", bucket(start_time=99_999_999_999_999, end_time=99_999_999_999_999), "no year"),
        ("openai", bucket(start_time=-(10**30)), "no year"),
        ("anthropic", report(start="0001-01-01T00:00:00+01:00", end="0001-01-01T00:00:00Z"), "no year"),
        ("anthropic", report(start="2026-11-10T00:00:00", end="2026-11-11T00:00:00"), "without a zone"),
        ("bedrock", focus({"BilledCost": "1", "ChargePeriodStart": "0001-01-01", "ChargePeriodEnd": "0001-01-01"}), "no year"),
        ("openai", b"[" * 200_000, "is no JSON"),
        ("openai", b'[{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "is no"),
    ],
)  # fmt: skip
def test_what_no_clock_and_no_parser_can_hold_is_no_bill(provider: str, content: bytes, said: str) -> None:
    with pytest.raises(BillError, match=said):
        read_bill(provider, content)


def test_names_are_kept_short_and_without_what_no_database_and_no_terminal_takes() -> None:
    page = openai_costs({DAY: [openai_line("m\0\x1b, input", 1, 10), openai_line("n" * 5_000, 1)]})
    first, second = read_bill("openai", page).rows
    assert first.model == r"m\x00\x1b"
    assert second.model == "n" * 256


@pytest.mark.parametrize("currency", ["", "  ", "dollars", "u$d"])
def test_an_amount_of_no_currency_is_in_no_sum_of_another(currency: str) -> None:
    with pytest.raises(BillError, match="no three letters"):
        read_bill("bedrock", focus({"BilledCost": "1"}, {"BilledCost": "1", "BillingCurrency": currency}))


def test_quantities_and_amounts_keep_all_their_digits() -> None:
    line = openai_line("m, input", 1, 10, unit="1000_tokens")
    page = openai_costs({DAY: [line]}).replace(b"10.0", b"123456789012345678.123456789012345")
    [row] = read_bill("openai", page).rows
    assert row.quantity == Decimal("123456789012345678123.456789012345")
    cents = "12345678901234567.12345678901234567891"
    [row] = read_bill("anthropic", report({"amount": cents, "currency": "USD", "model": "m"})).rows
    assert f"{row.amount:f}" == "123456789012345.6712345678901234567891"


def test_what_a_gzip_unpacks_to_and_a_row_of_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = focus({"BilledCost": "1"})
    wide = gzip.compress(whole + b"," * 3 * 1024 * 1024 + b"\r\n")
    lines = gzip.compress(whole + b'"\n",' * 1024 * 1024)
    for content in (wide, lines):
        with pytest.raises(BillError, match="row of more than"):
            read_bill("bedrock", content)
    monkeypatch.setattr(tables, "UNPACKED_MAX", len(whole) + 10)
    assert read_bill("bedrock", gzip.compress(whole)).rows
    with pytest.raises(BillError, match="unpacks to more than"):
        read_bill("bedrock", gzip.compress(whole + whole))


def test_tax_of_a_month_and_corrections_of_bills_before_are_told_and_are_of_no_day() -> None:
    # A correction of October in November's file would stand for all that October's own bill says of the day.
    month = {
        "ChargePeriodStart": f"{DAY}T00:00:00Z",
        "ChargePeriodEnd": f"{DAY + 30 * (NEXT - DAY)}T00:00:00Z",
    }
    before = {"ChargePeriodStart": "2026-10-15T00:00:00Z", "ChargePeriodEnd": "2026-10-16T00:00:00Z"}
    bill = read_bill(
        "bedrock",
        focus(
            {"BilledCost": "6"},
            month | {"ChargeCategory": "Tax", "BilledCost": "1"},
            before | {"ChargeClass": "Correction", "BilledCost": "-3"},
        ),
    )
    assert bill.days == ((DAY, "cost"),)
    assert [row.amount for row in bill.rows] == [6]
    assert bill.notes[:2] == (
        "1 rows of corrections of bills before are not compared: -3 USD", "1 rows of tax are not compared: 1 USD"
    )  # fmt: skip


def test_times_are_read_as_bigquery_writes_them() -> None:
    google = {"ServiceName": "Vertex AI", "ServiceProviderName": "Google Cloud", "BilledCost": "1"}
    said = {"ChargePeriodStart": f"{DAY} 00:00:00 UTC", "ChargePeriodEnd": f"{DAY} 01:00:00.000000 UTC"}
    assert read_bill("vertex", focus(google | said)).days == ((DAY, "cost"),)


def test_a_page_that_is_in_the_file_twice_counts_once() -> None:
    page = openai_costs({DAY: [openai_line("m, input", 3, 1_000)]})
    longer = openai_costs(
        {DAY: [openai_line("m, input", 3, 1_000)], NEXT: [openai_line("m, input", 6, 2_000)]}
    )
    bill = read_bill("openai", page + b"\n" + longer + b"\n" + page)
    assert [(row.day, row.amount) for row in bill.rows] == [(DAY, 3), (NEXT, 6)]
    assert bill.notes == ("the same is in the file twice, on pages of the same days: it counts once",)
    spread = json.dumps(json.loads(page), indent=2).encode()  # as a person's tool may have kept it
    assert [row.amount for row in read_bill("openai", page + b"\n" + spread).rows] == [3]


@pytest.mark.parametrize(
    ("provider", "days"),
    [
        ("openai", [openai_costs({day: [openai_line("m, input", value, 1_000)]}) for day, value in SETTLED]),
        (
            "openai",
            [
                openai_usage({day: [{"model": "m", "input_tokens": tokens, "output_tokens": 0}]})
                for day, tokens in SETTLED
            ],
        ),
        ("anthropic", [anthropic_items({day: [(str(cents), {"model": "m"})]}) for day, cents in SETTLED]),
    ],
)
def test_a_day_that_was_asked_for_again_and_is_another_by_now_is_not_added_to_what_it_was(
    provider: str, days: list[bytes]
) -> None:
    # 3 on the day itself, 4 when the provider had settled it: it costs 4, and neither 3 nor 7.
    with pytest.raises(BillError, match=f"tells of {DAY} twice, in other figures"):
        read_bill(provider, b"\n".join(days))
    assert len(read_bill(provider, b"\n".join(days[1:])).rows) == 2


def test_lines_that_differ_in_nothing_but_a_project_are_of_two() -> None:
    lines = [openai_line("m, input", 3, 1_000).model_copy(update={"project_id": name}) for name in "ab"]
    bills = [openai_costs({DAY: [line]}) for line in lines]
    [row] = read_bill("openai", b"\n".join(bills)).rows
    assert (row.amount, row.quantity) == (6, 2_000)


def test_a_group_of_no_model_is_no_total_of_the_day() -> None:
    # Of code execution a report by model says no model; its 3 cents are not all that the day cost.
    grouped = report({"amount": "600", "model": "m"}, {"amount": "3", "model": None})
    found = {(row.kind, row.model): row.amount for row in read_bill("anthropic", grouped).rows}
    assert found == {("cost", "m"): 6, ("cost", "(unattributed)"): Decimal("0.03")}
    page = openai_costs({DAY: [openai_line("m, input", 6, 1_000), openai_line(None, 0.03)]})
    assert {(row.kind, row.model) for row in read_bill("openai", page).rows} == {
        ("cost", "m"), ("cost", "(unattributed)")
    }  # fmt: skip
    alone = read_bill("anthropic", grouped + b"\n" + report({"amount": "603"}))
    assert [row.amount for row in alone.rows if row.kind == "total"] == [Decimal("6.03")]


def test_groups_that_overlap_are_no_bill() -> None:
    rows = [{"amount": "600", "rbac_group_id": "rbac_group_1"}, {"amount": "600", "rbac_group_id": None}]
    with pytest.raises(BillError, match="rbac_group_id"):
        read_bill("anthropic", report(*rows))


def test_lines_of_openai_that_nobody_knows_are_told_when_they_come_in() -> None:
    # Else a new word of theirs for tokens is `unseen` by the one name, and `unbilled` by the other.
    known, tokens = openai_line("m, input", 3, 1_000), openai_line("m, new sort of tokens", 3, 1_000)
    bill = read_bill("openai", openai_costs({DAY: [known, tokens, openai_line("dall-e-3", 1)]}))
    assert bill.notes == (
        "2 lines are of no meter that is known here, the first is 'm, new sort of tokens': compared by that name alone",
    )


def test_what_is_stored_is_no_call_of_the_tool() -> None:
    [row] = read_bill(
        "openai", openai_costs({DAY: [openai_line("file search storage", 1, 5, unit="gibibyte_hours")]})
    ).rows
    assert (row.model, row.unit) == ("file search storage", "")


def test_parts_of_an_export_are_one_bill() -> None:
    first, second = focus({"BilledCost": "1"}), focus({"BilledCost": "2"})
    for whole in (first + b"\n" + second, gzip.compress(first) + gzip.compress(second)):
        assert [row.amount for row in read_bill("bedrock", whole).rows] == [3]
    with pytest.raises(BillError, match="other columns"):
        read_bill("bedrock", first + second.replace(b"ListCost,", b"x_ListCost,"))


def test_where_a_page_ends_is_found_without_a_copy_of_it() -> None:
    content = b'{"other": [' + b"{}," * 300_000 + b"{}]}"
    tracemalloc.start()
    with pytest.raises(BillError, match="is no page"):
        read_bill("openai", content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(content)  # a dictionary is 64 bytes, and here it is of three


@pytest.mark.parametrize(
    ("line", "model", "unit", "tier"),
    [
        ("evals | m, input", "m", "input_tokens", "standard"),
        ("assistants api | file search", "tool_calls", "tool_calls", None),
        ("flex | m, cached input", "m", "cache_read_tokens", "flex"),
        ("new surface | m, input", "new surface | m, input", "unknown", None),
    ],
)
def test_what_asked_for_a_model_is_no_tier_of_it(line: str, model: str, unit: str, tier: str | None) -> None:
    [row] = read_bill("openai", openai_costs({DAY: [openai_line(line, 1, 10)]})).rows
    assert (row.model, row.unit, row.tier) == (model, unit, tier)


def test_a_meter_is_no_longer_than_a_name() -> None:
    # What is looked for in it is tried from each place on: of 50 thousand characters it took two seconds.
    long = "a" + "-input-tokens" * 4_000 + "\n!"
    began = time.process_time()
    [row] = read_bill("bedrock", focus({"BilledCost": "1", "SkuMeter": long})).rows
    assert time.process_time() - began < 0.5
    assert len(row.model) <= 256


def test_notes_of_a_bill_are_few_whatever_is_in_it() -> None:
    rows = [{"ChargeCategory": f"made up\0{number}", "BilledCost": "1"} for number in range(100)]
    bill = read_bill("bedrock", focus(*rows))
    [note] = bill.notes
    assert note.startswith("100 rows are in words that are not known here")
    assert (total(row.amount or 0 for row in bill.rows), {row.unit for row in bill.rows}) == (
        100,
        {"unknown"},
    )
    groups = [{"amount": "1", "model": f"m{number}"} for number in range(100)]
    pages = [
        report(*groups, start=f"2026-11-{day:02}T00:00:00Z", end=f"2026-11-{day + 1:02}T00:00:00Z")
        for day in range(1, 21)
    ]
    [note] = read_bill("anthropic", b"".join(pages)).notes
    assert note.startswith(
        "20 days have 100 groups, as many as a report has at most, the first is 2026-11-01:"
    )
