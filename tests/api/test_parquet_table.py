"""Spend as Parquet: decimals to the last digit, instants, and nothing that a spreadsheet needs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import httpx
import pyarrow as arrow
import pytest
from pyarrow import parquet

from services.api.http.parquet_table import parquet_of
from services.api.http.problems import HttpRefusal
from services.api.spend.models import SeriesRow, SpendRow
from tests.api.book import Book
from tests.api.test_spend import DAY

PARQUET = "application/vnd.apache.parquet"


def read(content: bytes) -> arrow.Table:
    return parquet.read_table(BytesIO(content))


def test_amounts_are_decimals_to_the_last_digit_and_times_are_instants() -> None:
    row: dict[str, Any] = {
        "team": "=1+1", "currency": "USD", "others": 0, "events": 3, "effective": "12345678901234567890.000000000001",
        "usage": {"input_tokens": "7"}, "compared": {"percent": None}, "bucket_start": "2026-11-23T11:00:00+01:00",
        "cut": ["start", "open"],
    }  # fmt: skip
    table = read(parquet_of([row], SeriesRow))
    [found] = table.to_pylist()
    assert found == {
        "team": "=1+1", "currency": "USD", "others": 0, "events": 3,
        "effective": Decimal("12345678901234567890.000000000001"), "usage.input_tokens": Decimal(7),
        "compared.percent": None, "bucket_start": datetime(2026, 11, 23, 10, tzinfo=UTC), "cut": "start open",
    }  # fmt: skip
    assert table.column_names[0] == "team"
    types = {name: str(table.schema.field(name).type) for name in ("effective", "events", "compared.percent")}
    assert types == {
        "effective": "decimal128(38, 18)",
        "events": "int64",
        "compared.percent": "decimal128(38, 18)",
    }


def test_what_a_row_has_not_is_null() -> None:
    rows = [{"currency": "USD", "usage": {"a": "1"}}, {"currency": "EUR", "usage": {}}]
    assert read(parquet_of(rows, SpendRow)).column("usage.a").to_pylist() == [Decimal(1), None]


@pytest.mark.parametrize("figure", ["0." + "1" * 19, "1" * 21])
def test_it_is_refused_rather_than_cut_a_digit_off(figure: str) -> None:
    with pytest.raises(HttpRefusal, match="effective has more digits") as refused:
        parquet_of([{"effective": figure}], SpendRow)
    assert refused.value.status == 406


def test_no_rows_are_a_table_of_the_models_columns() -> None:
    table = read(parquet_of([], SpendRow))
    assert (table.num_rows, "effective" in table.column_names) == (0, True)


async def test_spend_says_in_parquet_what_it_says_in_json(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.000000000001", team="a")
    await book.spend("acme", "2026-11-23T11:00Z", "2.5", team="a")
    await book.spend("acme", "2026-11-23T11:00Z", "7", team="b", currency="EUR")
    asked: dict[str, Any] = {"group_by": "team", **DAY}
    json = (await acme.get("/v1/spend", params=asked)).json()["totals"]
    answer = await acme.get("/v1/spend", params=asked, headers={"Accept": PARQUET})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, PARQUET)
    rows = read(answer.content).to_pylist()
    assert [(row["team"], row["currency"], row["effective"]) for row in rows] == [
        (row["team"], row["currency"], Decimal(row["effective"])) for row in json
    ]
    again = {"Accept": PARQUET, "If-None-Match": answer.headers["ETag"]}
    assert (await acme.get("/v1/spend", params=asked, headers=again)).status_code == 304


async def test_what_has_no_price_and_what_stands_beside_rows_is_there_and_unknown_is_null(
    acme: httpx.AsyncClient, book: Book
) -> None:
    """2 of 3 events without a price: nobody knows what one costs, and it is not 0. EUR has a row of its own."""
    await book.spend("acme", "2026-11-22T10:00Z", "2", team="a")
    await book.spend("acme", "2026-11-23T10:00Z", "0", team="a", events=2, unpriced=2)
    await book.spend("acme", "2026-11-23T11:00Z", "3", team="a")
    await book.spend("acme", "2026-11-23T11:00Z", "7", team="a", currency="EUR")
    asked: dict[str, Any] = {"group_by": "team", "compare": "previous", "ratios": "true", **DAY}
    answer = await acme.get("/v1/spend", params=asked, headers={"Accept": PARQUET})
    assert answer.status_code == 200, answer.text
    table = read(answer.content)
    assert {str(table.schema.field(name).type) for name in table.column_names if "." in name} == {
        "decimal128(38, 18)"
    }
    euros, dollars = sorted(table.to_pylist(), key=lambda row: str(row["currency"]))
    assert (dollars["effective"], dollars["events"], dollars["unpriced_events"]) == (Decimal(3), 3, 2)
    assert (dollars["compared.before"], dollars["ratios.per_event"]) == (Decimal(2), None)
    assert (euros["effective"], euros["compared.percent"], euros["ratios.per_event"]) == (
        Decimal(7),
        None,
        Decimal(7),
    )


async def test_a_series_has_its_next_page_in_the_link(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.5", team="a")
    asked: dict[str, Any] = {"bucket": "hour", "limit": 20, **DAY}
    answer = await acme.get("/v1/spend", params=asked, headers={"Accept": PARQUET})
    table = read(answer.content)
    assert table.column("bucket_start").to_pylist()[10] == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert table.column("effective").to_pylist()[10] == Decimal("0.5")
    assert "next" in answer.links


async def test_a_route_that_has_no_parquet_refuses_it(acme: httpx.AsyncClient) -> None:
    answer = await acme.get("/v1/budgets", headers={"Accept": PARQUET})
    assert answer.status_code == 406
