"""A tenant's terms: stated in the catalog, and from then on what every answer is in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tests.api.book import Book
from tests.api.catalog_admin import FILE, approve, headers, propose
from tests.terms import counts_in


def terms(tenant: str = "newco", **said: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in said.items())
    return f'{FILE}\n[[terms]]\ntenant = "{tenant}"\n{lines}'


EUROS = terms(currency='"EUR"', time_zone='"Europe/Berlin"')


async def answer_of(client: httpx.AsyncClient, path: str, who: dict[str, str], **query: Any) -> Any:
    answer = await client.get(path, headers=who, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_new_tenants_terms_are_what_session_spend_and_budgets_are_in(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.tenant("newco")
    ours = await headers(book, "newco", "read", "admin")
    session = await answer_of(operator, "/v1/session", ours)
    assert session["tenants"] == [{"tenant": "newco", "name": "newco", "currency": "USD", "tz": "UTC"}]
    await approve(operator, (await propose(operator, EUROS))["id"])
    session = await answer_of(operator, "/v1/session", ours)
    assert session["tenants"] == [
        {"tenant": "newco", "name": "newco", "currency": "EUR", "tz": "Europe/Berlin"}
    ]
    everybody = await operator.get("/v1/session")
    assert {(each["tenant"], each["currency"], each["tz"]) for each in everybody.json()["tenants"]} == {
        ("acme", "USD", "UTC"), ("globex", "USD", "Europe/Berlin"), ("newco", "EUR", "Europe/Berlin"),
    }  # fmt: skip
    await book.spend("newco", datetime.now(UTC).isoformat(), "3", currency="EUR")
    spend = await answer_of(operator, "/v1/spend", ours)
    assert (spend["currency"], spend["tz"]) == ("EUR", "Europe/Berlin")
    assert [(row["currency"], row["effective"]) for row in spend["totals"]] == [("EUR", "3")]
    made = await operator.post(
        "/v1/budgets", json={"name": "All", "amount": "4", "period": "day"}, headers=ours
    )
    budget = made.json()
    assert (budget["currency"], budget["spent"], budget["percent"]) == ("EUR", "3", "75")
    assert (await answer_of(operator, "/v1/budgets", ours))["tz"] == "Europe/Berlin"


async def test_a_range_that_spans_a_change_has_rows_of_both_currencies_each_with_its_total(
    client: httpx.AsyncClient, book: Book
) -> None:
    change = datetime(2026, 11, 1, tzinfo=UTC)
    await counts_in(book.connection, "acme", until=change)
    await counts_in(book.connection, "acme", "EUR", "Europe/Berlin", since=change)
    await book.spend("acme", "2026-10-31T23:59:00Z", "5")
    await book.spend("acme", "2026-11-01T00:00:00Z", "3", currency="EUR")
    ours = await headers(book, "acme", "read")
    asked = {"from": "2026-10-31T12:00:00Z", "to": "2026-11-01T12:00:00Z"}
    spend = await answer_of(client, "/v1/spend", ours, bucket="day", **asked)
    assert (spend["currency"], spend["tz"]) == ("EUR", "Europe/Berlin")
    assert {(row["currency"], row["effective"]) for row in spend["totals"]} == {("USD", "5"), ("EUR", "3")}
    # In Berlin's days both lie on 1 November: a row for each currency, and no sum of the two.
    spent = [row for row in spend["series"] if row["effective"] != "0"]
    assert [(row["bucket_start"][:10], row["currency"], row["effective"]) for row in spent] == [
        ("2026-11-01", "EUR", "3"), ("2026-11-01", "USD", "5"),
    ]  # fmt: skip


async def test_the_first_period_after_a_change_is_the_budgets_first_in_its_new_calendar(
    client: httpx.AsyncClient, book: Book
) -> None:
    now = datetime.now(UTC)
    change = now.replace(hour=0, minute=0, second=0, microsecond=0)
    await counts_in(book.connection, "acme", until=change)
    await counts_in(book.connection, "acme", "EUR", since=change)
    who = await headers(book, "acme", "admin", "read")
    made = await client.post(
        "/v1/budgets", json={"name": "Q", "amount": "4", "period": "quarter"}, headers=who
    )
    assert datetime.fromisoformat(made.json()["period_start"]) == change
