"""`GET /v1/exports/statement`: a cost centre's month in FOCUS. Amounts are worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from focus_data_toolkit.model.validator import lint_focus_1_4_structure

from spendmeter.contracts.money import total
from tests.api.book import Book
from tests.api.test_allocations import DATABASE, fill, set_plan, statement

Rows = list[dict[str, str]]
NOON = "2026-11-10T12:00Z"
MODEL = {"cost_class": "model", "provider": "openai", "sku": "gpt-4o"}
STORE = {"cost_class": "database", "provider": "pinecone", "sku": "serverless"}


async def export(client: httpx.AsyncClient, centre: str = "search", **asked: str) -> httpx.Response:
    question = {"cost_centre": centre, "month": "2026-11"} | asked
    return await client.get("/v1/exports/statement", params=question)


async def rows_of(client: httpx.AsyncClient, centre: str = "search", **asked: str) -> Rows:
    answer = await export(client, centre, **asked)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def corrected(book: Book) -> None:
    """30 of search for 700 requests and 6 of ads for 300, a database of 12; 2.5 of the 30 and 1 of the 12 were
    taken back."""
    taken: dict[str, Any] = {"events": 0, "shard": -1}
    for team, amount, requests in (("search", "30", 700), ("ads", "6", 300)):
        await book.spend("acme", NOON, amount, usage={"requests": requests}, team=team, **MODEL)
    await book.spend("acme", NOON, "15", effective="12", usage={}, **STORE)
    await book.spend("acme", NOON, "-2.5", usage={}, team="search", **MODEL, **taken)
    await book.spend("acme", NOON, "-1", usage={}, **STORE, **taken)


async def test_a_line_is_what_it_was_and_its_corrections_are_rows_beside_it(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await corrected(book)
    revision = (await set_plan(acme, DATABASE))["revision"]
    rows = await rows_of(acme)
    # 7 of 10 of the database's 12 - 1: 8.4 and -0.7
    assert [(row["BilledCost"], row["x_ChargeClass"], row["x_ListCost"], row["x_Events"]) for row in rows] == [
        ("30.0", "", "27.5", "1.0"), ("-2.5", "Correction", "", ""),
        ("8.4", "", "9.8", ""), ("-0.7", "Correction", "", ""),
    ]  # fmt: skip
    assert [row["InvoiceDetailDescription"] for row in rows] == [
        "Spent itself: openai/gpt-4o (model)",
        "Corrected since it was booked: Spent itself: openai/gpt-4o (model)",
        "Part of database, 7 of 10 by requests: pinecone/serverless (database)",
        "Corrected since it was booked: Part of database, 7 of 10 by requests: pinecone/serverless (database)",
    ]
    own, _, shared, _ = (json.loads(row["InvoiceDetailGrain"]) for row in rows)
    assert own == {
        "ServiceName": "AI models (openai)", "SubAccountId": "team:search", "x_CostClass": "model",
        "x_Sku": "openai/gpt-4o", "x_Kind": "direct", "x_FirstDay": "2026-11-01", "x_Until": "2026-12-01",
    }  # fmt: skip
    assert (shared["x_Pool"], shared["x_PlanRevision"]) == ("database", str(revision))
    assert "SubAccountId" not in shared
    assert len({row["InvoiceDetailId"] for row in rows}) == 4
    again = [row["InvoiceDetailId"] for row in await rows_of(acme)]
    assert again == [row["InvoiceDetailId"] for row in rows], "an id is its line's whenever it is asked for"


async def test_billed_cost_is_the_statements_total_and_the_answer_says_so(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await corrected(book)
    await book.spend("acme", "2026-11-12T10:00Z", "4", team="search", currency="EUR", sku="o3")
    await set_plan(acme, DATABASE)
    answer = await export(acme)
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    said = json.loads(answer.headers["X-Export-Totals"])
    shown = (await statement(acme, "search"))["totals"]
    assert said == [
        {"currency": whole["currency"], "list": whole["list"], "contracted": whole["contracted"],
         "effective": whole["total"]} for whole in shown
    ]  # fmt: skip
    for whole in said:
        own = [row for row in rows if row["BillingCurrency"] == whole["currency"]]
        assert total(Decimal(row["BilledCost"]) for row in own) == Decimal(whole["effective"])
        assert total(Decimal(row["x_ListCost"] or 0) for row in own) == Decimal(whole["list"])
    # 30 - 2.5 + 8.4 - 0.7
    assert {whole["currency"]: whole["effective"] for whole in said} == {"USD": "35.2", "EUR": "4"}
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="invoice-detail-acme-team-search-2026-11.csv"'
    )


async def test_the_invoice_and_its_period_stay_open_until_periods_can_be_closed(
    client: httpx.AsyncClient, book: Book
) -> None:
    """The month is Berlin's: it begins an hour before that of UTC."""
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    await book.spend("globex", "2026-01-10T10:00Z", "1", team="a")
    (row,) = await rows_of(client, "a", month="2026-01")
    invoice = {
        "InvoiceId": "globex/team/2026-01/a", "ReferenceInvoiceId": "globex/team/2026-01/a",
        "InvoiceIssueStatus": "Open", "InvoiceIssueDate": "", "PaymentDueDate": "", "BillingAccountId": "team:a",
        "PaymentTerms": "None: a statement within the organisation", "ChargeCategory": "Usage",
        "BillingPeriodStart": "2025-12-31T23:00:00Z", "BillingPeriodEnd": "2026-01-31T23:00:00Z",
    }  # fmt: skip
    assert {name: row[name] for name in invoice} == invoice
    (period,) = await rows_of(client, "a", month="2026-01", dataset="billing_period")
    assert period == {
        "InvoiceIssuerName": row["InvoiceIssuerName"], "BillingPeriodStatus": "Open",
        "BillingPeriodStart": "2025-12-31T23:00:00Z", "BillingPeriodEnd": "2026-01-31T23:00:00Z",
        "BillingPeriodCreated": "2025-12-31T23:00:00Z", "BillingPeriodLastUpdated": "2025-12-31T23:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize("dataset", ["invoice_detail", "billing_period"])
async def test_parquet_says_the_same_and_the_toolkit_of_focus_finds_nothing_in_either(
    acme: httpx.AsyncClient, book: Book, dataset: str
) -> None:
    await corrected(book)
    await book.spend(
        "acme", "2026-11-12T10:00Z", "0", team="search", unpriced=1, sku="=mystery", provider="+x"
    )
    await set_plan(acme, DATABASE)
    rows = await rows_of(acme, dataset=dataset)
    assert lint_focus_1_4_structure(dataset.replace("_", " "), rows).messages() == []
    answer = await export(acme, dataset=dataset, format="parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column_names == [*rows[0]]
    fleeting = ("InvoiceDetailCreated", "InvoiceDetailLastUpdated")
    for row, other in zip(rows, table.to_pylist(), strict=True):
        for name in row.keys() - fleeting:
            assert as_text(other[name], row[name]) == row[name].removeprefix("'"), name


def as_text(value: Any, beside: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return beside if value == Decimal(beside) else str(value)
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


async def test_what_has_no_price_says_that_its_line_is_too_small(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-10T10:00Z", "1", team="search", unpriced=3, events=4, sku="o3")
    (row,) = await rows_of(acme)
    assert row["x_UnpricedEvents"] == "3.0"
    assert row["InvoiceDetailDescription"].endswith("3 events of it have no price yet: it is more")


async def test_a_name_that_a_spreadsheet_would_run_is_a_text(acme: httpx.AsyncClient, book: Book) -> None:
    name = '=HYPERLINK("http://x"),\r\n'
    await book.spend("acme", "2026-11-10T10:00Z", "1", team="search", provider=name, sku="-1")
    (row,) = await rows_of(acme)
    assert row["x_Sku"] == f"'{name}/-1"
    assert json.loads(row["InvoiceDetailGrain"])["x_Sku"] == f"{name}/-1"


async def test_who_asks_for_what_is_not_there_or_not_theirs_is_refused(
    acme: httpx.AsyncClient, client: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    later = f"{datetime.now(UTC).year + 1}-12"
    asked: list[tuple[str, dict[str, str], int]] = [
        ("serach", {}, 404), ("search", {"dimension": "nothing"}, 404), ("search", {"month": "2026-13"}, 422),
        ("search", {"month": later}, 422), ("search", {"format": "xlsx"}, 422), ("search", {"top": "3"}, 422),
        ("search", {"dataset": "cost_and_usage"}, 422),
    ]  # fmt: skip
    for centre, more, status in asked:
        answer = await export(acme, centre, **more)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), (
            more
        )
    assert (await acme.get("/v1/exports/statement")).status_code == 422
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    assert (await export(client)).status_code == 404
