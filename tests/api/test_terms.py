"""A tenant's terms: stated in the catalog, and from then on what every answer is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from spendmeter.contracts.periods import add_months, day_start
from spendmeter.contracts.terms import Timeline
from tests.api.book import Book
from tests.api.catalog_admin import FILE, approve, headers, propose
from tests.terms import counts_in


def terms(tenant: str = "newco", **said: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in said.items())
    return f'{FILE}\n[[terms]]\ntenant = "{tenant}"\n{lines}'


def next_month(ahead: int = 1) -> datetime:
    """The start of a month of UTC, at least an hour ahead."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    return day_start(add_months(soon.date(), ahead), Timeline().at(soon).zone)


def said(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


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


async def test_a_tenant_with_bookings_changes_its_currency_at_a_months_start_and_the_refusal_names_the_next(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "1")
    refused = await propose(operator, terms("acme", currency='"EUR"'), 422)
    assert (
        "terms of acme: it has bookings in USD, so currency changes at the start of a month of its zone, 1 h"
        in (refused["detail"])
    )
    assert said(next_month()) in refused["detail"]
    assert said(next_month(2)) in refused["detail"]
    in_between = said(next_month() + timedelta(days=9))
    refused = await propose(operator, terms("acme", currency='"EUR"', effective_from=in_between), 422)
    assert f"not on {in_between}: state effective_from = " in refused["detail"]
    same = terms("acme", fallback='{ input_tokens = "0.00001" }')
    assert (await propose(operator, same))["review"]["terms"] == [], "neither currency nor calendar changes"


async def test_a_change_of_currency_says_what_becomes_of_budgets_and_needs_an_answer_for_each(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "1")
    who = await headers(book, "acme", "admin", "read")

    async def made(name: str, amount: str, **more: str) -> Any:
        said = {"name": name, "amount": amount} | more
        answer = await operator.post("/v1/budgets", json=said, headers=who)
        assert answer.status_code == 201, answer.text
        return answer.json()

    kept, closed = await made("All", "1000"), await made("Old", "50", period="week")
    at = next_month()
    file = terms("acme", currency='"EUR"', time_zone='"Europe/Berlin"', effective_from=said(at))
    proposal = await propose(operator, file)
    (change,) = proposal["review"]["terms"]
    assert (change["tenant"], change["currency_before"], change["currency"]) == ("acme", "USD", "EUR")
    assert change["says"][0] == (
        f"from {said(at)} on acme counts in EUR, with days of Europe/Berlin; until then in USD, with days of UTC"
    )
    assert "h shorter than others" in change["says"][2]
    listed = {each["id"]: each for each in change["budgets"]}
    assert listed.keys() == {kept["id"], closed["id"]}
    assert all(each["needs_amount"] for each in listed.values())
    assert f"ends on {said(at)} in USD" in listed[kept["id"]]["says"]
    refused = await approve(
        operator, proposal["id"], 409, confirm=True, budgets={kept["id"]: {"amount": "900"}}
    )
    assert [each["id"] for each in refused["budgets"]] == [closed["id"]]
    assert (await answer_of(operator, "/v1/budgets", who))["budgets"][0]["next"] is None, (
        "nothing was recorded"
    )
    stray = {
        kept["id"]: {"amount": "900"},
        closed["id"]: "close",
        "00000000-0000-0000-0000-000000000001": "close",
    }
    await approve(operator, proposal["id"], 422, confirm=True, budgets=stray)
    stray.popitem()
    done = await approve(operator, proposal["id"], confirm=True, budgets=stray)
    becomes = {each["id"]: each["becomes"] for each in done["review"]["terms"][0]["budgets"]}
    assert becomes == {kept["id"]: "900 EUR", closed["id"]: "closed"}
    row = await book.connection.fetchrow("SELECT * FROM budgets WHERE id = $1", kept["id"])
    assert (row["terms_version"], row["terms_by"], row["next_from"]) == (
        done["version"],
        done["decided_by"],
        at,
    )
    budgets = {each["id"]: each for each in (await answer_of(operator, "/v1/budgets", who))["budgets"]}
    first, second = budgets[kept["id"]], budgets[closed["id"]]
    assert (first["amount"], first["currency"], first["next"]["amount"], first["next"]["currency"]) == (
        "1000", "USD", "900", "EUR",
    )  # fmt: skip
    assert second["next"]["amount"] is None
    refused = await operator.post("/v1/budgets", json={"name": "New", "amount": "5"}, headers=who)
    assert "the tenant's currency becomes EUR" in refused.json()["detail"]
    new = await made("New", "5", next_amount="4")
    assert (new["currency"], new["next"]["currency"], new["next"]["amount"]) == ("USD", "EUR", "4")

    # When the instant has passed: one in euros with a revision of its own, one closed; a change of it stays in euros.
    passed = "UPDATE budgets SET next_from = now() - interval '1 minute'"
    await book.connection.execute(passed)
    await book.connection.execute(
        "UPDATE tenant_terms SET effective_from = now() - interval '1 minute' WHERE currency = 'EUR'"
    )
    now = {each["name"]: each for each in (await answer_of(operator, "/v1/budgets", who))["budgets"]}
    assert {name: (each["amount"], each["currency"], each["revision"]) for name, each in now.items()} == {
        "All": ("900", "EUR", 2), "New": ("4", "EUR", 2),
    }  # fmt: skip
    changed = await operator.patch(f"/v1/budgets/{kept['id']}", json={"amount": "901"}, headers=who)
    assert [changed.json()[name] for name in ("amount", "currency", "revision", "next")] == [
        "901",
        "EUR",
        3,
        None,
    ]
    assert (await operator.get(f"/v1/budgets/{closed['id']}", headers=who)).status_code == 404
    gone = (await operator.delete(f"/v1/budgets/{closed['id']}", headers=who)).json()
    assert (gone["name"], gone["currency"]) == (closed["name"], closed["currency"])
    assert datetime.fromisoformat(gone["removed_at"]) < datetime.now(UTC) - timedelta(seconds=30), (
        "since then"
    )


async def test_a_change_that_was_decided_can_be_taken_back_and_budgets_stay(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "1")
    who = await headers(book, "acme", "admin", "read")
    made = await operator.post("/v1/budgets", json={"name": "All", "amount": "1000"}, headers=who)
    budget = made.json()["id"]
    proposal = await propose(operator, terms("acme", currency='"EUR"', effective_from=said(next_month(2))))
    done = await approve(operator, proposal["id"], confirm=True, budgets={budget: {"amount": "900"}})
    entry = (await operator.get("/v1/catalog/terms")).json()["terms"][0]["id"]
    back = await propose(operator, "", withdraw=[entry])
    assert "taken back" in back["review"]["terms"][0]["says"][-1]
    assert done["version"] < (await approve(operator, back["id"], confirm=True))["version"]
    assert (await answer_of(operator, f"/v1/budgets/{budget}", who))["next"] is None


async def test_a_new_tenants_budgets_follow_its_first_terms_at_once(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.tenant("newco")
    who = await headers(book, "newco", "admin", "read")
    made = await operator.post("/v1/budgets", json={"name": "All", "amount": "1000"}, headers=who)
    proposal = await propose(operator, EUROS)
    (change,) = proposal["review"]["terms"]
    assert (change["effective_from"], change["budgets"][0]["needs_amount"]) == (None, True)
    await approve(operator, proposal["id"], 409)
    await approve(operator, proposal["id"], budgets={made.json()["id"]: {"amount": "900"}})
    (budget,) = (await answer_of(operator, "/v1/budgets", who))["budgets"]
    assert (budget["amount"], budget["currency"], budget["revision"]) == ("900", "EUR", 2)
