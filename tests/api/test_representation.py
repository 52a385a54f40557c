"""The form of an answer: JSON or CSV as accepted, indented for people, tagged, compressed, and told to no page of
another origin unless a setting names it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database
from services.api.http.csv_table import csv_of
from services.api.http.representation import CSV, JSON, form_of
from services.api.spend.models import SpendRow
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.test_events import LINES, event
from tests.api.test_spend import DAY


async def table(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[dict[str, str]]:
    answer = await client.get(path, params=parameters, headers={"Accept": "text/csv"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_totals_are_a_table_in_which_numbers_stay_numbers_and_formulas_are_text(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.5", team='=HYPERLINK("http://x","a, b")', usage={"a": 3})
    await book.spend("acme", "2026-11-23T10:00Z", "-0.25", team="-1")
    await book.spend("acme", "2026-11-23T10:00Z", "1", team='say "hi"\nthere', provisional="1")
    rows = await table(acme, "/v1/spend", group_by="team", **DAY)
    assert [(row["team"], row["effective"]) for row in rows] == [
        ('say "hi"\nthere', "1"),
        ('\'=HYPERLINK("http://x","a, b")', "0.5"),
        ("'-1", "-0.25"),
    ]
    assert (rows[1]["usage.a"], rows[1]["currency"], rows[0]["usage.a"]) == ("3", "USD", "")


async def test_a_series_is_a_table_with_its_next_page_in_the_link(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.5", team="a")
    asked = {"bucket": "hour", "limit": 20, "group_by": "team", **DAY}
    answer = await acme.get("/v1/spend", params=asked, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(rows), rows[10]["bucket_start"], rows[10]["effective"]) == (20, "2026-11-23T10:00:00Z", "0.5")
    following = await acme.get(answer.links["next"]["url"], headers={"Accept": "text/csv"})
    assert len(list(csv.DictReader(io.StringIO(following.text)))) == 4
    assert "next" not in following.links


async def test_events_and_what_was_not_booked_are_tables(acme: httpx.AsyncClient, book: Book) -> None:
    await book.entry(event("=1+1", team="payments"), "0.01", LINES)
    [row] = await table(acme, "/v1/events", **{"from": "2026-11-23", "to": "2026-11-24"})
    assert (row["id"], row["effective"], row["dimensions.team"]) == ("'=1+1", "0.01", "payments")
    await book.unbooked("acme", "s", "+x", "rejected", "@reason")
    [row] = await table(acme, "/v1/unbooked")
    assert (row["id"], row["reason"], row["size"]) == ("'+x", "'@reason", "512")
    assert await table(acme, "/v1/budgets") == []


async def test_what_cannot_be_met_is_a_406_that_names_the_forms(acme: httpx.AsyncClient, book: Book) -> None:
    answer = await acme.get("/v1/spend", headers={"Accept": "application/xml"})
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")
    forms = "application/json or text/csv or application/vnd.apache.parquet"
    assert answer.json()["detail"] == f"Accept: this route answers {forms}"
    answer = await acme.post("/v1/channels", headers={"Accept": "image/png"}, json={})
    assert answer.status_code == 406
    await book.entry(event("x"), "0.01", LINES)
    answer = await acme.get(
        "/v1/events", params={"source": "bots/checkout ü", "id": "x"}, headers={"Accept": "text/csv"}
    )
    assert (answer.status_code, "no table" in answer.json()["detail"]) == (406, True)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON), ("*/*", JSON), ("application/*", JSON), ("text/csv", CSV), ("text/*;q=0.9, */*;q=0.1", CSV),
        ("text/csv;q=0.5, application/json", JSON), ("text/csv, application/json;q=0.5", CSV),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON), ("application/json;q=0", None),
        ("application/xml", None), ("text/csv;q=x", None), ("APPLICATION/JSON", JSON),
    ],
)  # fmt: skip
def test_the_preferred_form_is_answered(accept: str, form: str | None) -> None:
    assert form_of(accept, (JSON, CSV)) == form


def test_every_beginning_that_a_spreadsheet_runs_is_made_text() -> None:
    for begin in "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20":
        [_, row] = csv.reader(
            io.StringIO(csv_of([{"team": f"{begin}1", "events": -1}], SpendRow), newline="")
        )
        assert row == [f"'{begin}1", "-1"]


async def test_curl_reads_it_indented_and_a_program_gets_it_as_it_is(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.10")
    curl = await acme.get("/v1/spend", params=DAY, headers={"User-Agent": "curl/8.5.0"})
    assert '\n  "currency": "USD",\n' in curl.text
    assert curl.text.endswith("}\n")
    program = await acme.get("/v1/spend", params=DAY)
    assert "\n" not in program.text
    assert program.json() == curl.json()
    asked = await acme.get("/v1/spend", params={**DAY, "pretty": "true"})
    assert asked.text == curl.text
    refused = await acme.get("/v1/spend?top=0", headers={"User-Agent": "curl/8.5.0"})
    assert '\n  "detail": "top: must be at least 1",\n' in refused.text


async def test_an_answer_that_the_caller_has_is_a_304(acme: httpx.AsyncClient, book: Book) -> None:
    first = await acme.get("/v1/spend", params=DAY)
    tag = first.headers["etag"]
    again = await acme.get("/v1/spend", params=DAY, headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await book.spend("acme", "2026-11-23T10:00Z", "1")
    changed = await acme.get("/v1/spend", params=DAY, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


async def test_an_answer_that_is_only_complete_up_to_later_is_still_a_304_that_says_so(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1")
    await book.partition(0, log_end=1, read_at=datetime.now(UTC), booked=1)
    first = await acme.get("/v1/spend", params=DAY)
    await book.partition(0, log_end=1, read_at=datetime.now(UTC), booked=1)
    again = await acme.get("/v1/spend", params=DAY, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    through = datetime.fromisoformat(again.headers["x-complete-through"])
    assert through > datetime.fromisoformat(first.json()["complete_through"])
    counts = await acme.get("/v1/accounting")
    await book.partition(0, log_end=2, read_at=datetime.now(UTC), booked=1)
    changed = await acme.get("/v1/accounting", headers={"If-None-Match": counts.headers["etag"]})
    assert (changed.status_code, changed.json()["total"]["in_flight"]) == (200, 1)


async def test_what_is_large_is_compressed_and_what_is_small_is_not(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1")
    large = await acme.get("/v1/spend", params={**DAY, "bucket": "hour"}, headers={"Accept-Encoding": "gzip"})
    assert large.headers["content-encoding"] == "gzip"
    assert len(large.json()["series"]) == 24
    small = await acme.get("/v1/session", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize("origins", ["", "https://finance.example.org, https://other.example"])
async def test_another_origins_page_may_ask_only_where_the_setting_names_it(
    database: Database, book: Book, origins: str
) -> None:
    app = create_app(Settings(cors_origins=origins), database, BookProgress(), lambda: "")
    asked = {"Origin": "https://finance.example.org", "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": "authorization"}  # fmt: skip
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://spend.test") as client:
        before = await client.options("/v1/spend", headers=asked)
        key = {"Authorization": f"Bearer {await book.key('acme')}", "Origin": "https://finance.example.org"}
        answer = await client.get("/v1/spend", headers=key)
        other = await client.get("/v1/spend", headers=key | {"Origin": "https://evil.example"})
    assert (before.status_code == 200) is bool(origins)
    allowed = "https://finance.example.org" if origins else None
    assert answer.headers.get("access-control-allow-origin") == allowed
    assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in other.headers
    assert json.loads(answer.text)["currency"] == "USD"


async def test_no_route_passes_over_a_parameter_that_it_does_not_know(
    api: FastAPI, acme: httpx.AsyncClient
) -> None:
    needed = {
        "/v1/session/log-in": {"tenant": "acme"},
        "/v1/models/compare": {"candidates": "openai/gpt-4o"},
        "/v1/exports/statement": {"cost_centre": "search"},
    }
    passed_over = []
    for path, operations in api.openapi()["paths"].items():
        for method in operations:
            body = None if method == "get" else {}
            asked = needed.get(path, {}) | {"nonsense": "1"}
            answer = await acme.request(method, path.format_map(_Ids()), params=asked, json=body)
            if (answer.status_code, "nonsense: is not a parameter" in answer.text) != (422, True):
                passed_over.append((method, path, answer.status_code))
    # The issuer puts into this address what it likes: a few parameters are taken from it, and no more.
    assert passed_over == [("get", "/v1/session/callback/{tenant}", 400)]


class _Ids(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"
