"""Budgets, incidents and channels as people use them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.budgets.spent import GROUPS_MAX
from services.api.database.transactions import Database
from spendmeter.contracts.periods import period_bounds
from spendmeter.platform.settings import Settings
from tests.api.book import Book

INCIDENT = UUID(int=7)


async def make(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.post("/v1/budgets", json={"name": "b", "amount": "100", **asked})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/budgets/{body['id']}"
    return body


async def test_a_budget_lives_from_its_making_to_its_deletion(acme: httpx.AsyncClient, book: Book) -> None:
    made = await make(
        acme, name="Search", filter={"team": "search"}, period="quarter", thresholds_percent=[50, "99.5"]
    )
    assert (made["currency"], made["revision"], made["thresholds_percent"]) == ("USD", 1, ["50", "99.5"])
    changed = (await acme.patch(f"/v1/budgets/{made['id']}", json={"amount": "250.5"})).json()
    assert (changed["amount"], changed["name"], changed["revision"]) == ("250.5", "Search", 2)
    for said in ({}, {"name": "Finding"}, {"amount": "250.50", "period": "quarter"}):  # what is watched stays
        same = (await acme.patch(f"/v1/budgets/{made['id']}", json=said)).json()
        assert same["revision"] == 2
    assert same["name"] == "Finding"
    assert (await acme.get("/v1/budgets")).json()["budgets"] == [same]
    assert (await acme.delete(f"/v1/budgets/{made['id']}")).status_code == 200
    assert (await acme.get("/v1/budgets")).json()["budgets"] == []
    for method in ("GET", "PATCH"):
        answer = await acme.request(
            method, f"/v1/budgets/{made['id']}", json={} if method == "PATCH" else None
        )
        assert answer.status_code == 404


async def test_a_budget_is_removed_once_and_the_answer_says_what_it_was_and_what_stays_of_it(
    client: httpx.AsyncClient, acme: httpx.AsyncClient, book: Book
) -> None:
    made, other = await make(acme, name="Search", filter={"team": "search"}), await make(acme)
    await incident(book, "acme", INCIDENT)
    await book.connection.execute("UPDATE incidents SET rule_id = $1", made["id"])
    removed = await acme.delete(f"/v1/budgets/{made['id']}")
    assert removed.status_code == 200
    said = removed.json()
    assert (said["id"], said["name"], said["filter"]) == (made["id"], "Search", {"team": "search"})
    assert (said["amount"], said["currency"], said["period"]) == ("100", "USD", "month")
    assert said["incidents"] == 1
    again = await acme.delete(f"/v1/budgets/{made['id']}")
    assert (again.status_code, again.json()) == (200, said)  # when it was removed, too
    assert [each["id"] for each in (await acme.get("/v1/budgets")).json()["budgets"]] == [other["id"]]
    assert (await acme.get(f"/v1/incidents/{INCIDENT}")).status_code == 200
    assert (await acme.delete(f"/v1/budgets/{UUID(int=9)}")).status_code == 404
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'admin')}"
    assert (await client.delete(f"/v1/budgets/{made['id']}")).status_code == 404


async def test_a_budget_that_a_change_of_currency_has_closed_is_removed_since_then(
    acme: httpx.AsyncClient, book: Book
) -> None:
    made = await make(acme)
    await book.connection.execute(
        "UPDATE budgets SET next_from = '2026-11-01T00:00Z', next_amount = NULL WHERE id = $1",
        UUID(made["id"]),
    )
    said = (await acme.delete(f"/v1/budgets/{made['id']}")).json()
    assert (said["removed_at"], said["incidents"]) == ("2026-11-01T00:00:00Z", 0)


async def test_a_budget_watches_a_label_however_it_was_typed(acme: httpx.AsyncClient, book: Book) -> None:
    now = datetime.now(UTC)
    await book.spend("acme", now.isoformat(), "3", team="caf\u00e9")
    made = await make(acme, filter={"team": "cafe\u0301", "sku": "e\u0301"})
    assert made["filter"] == {"team": "caf\u00e9", "sku": "e\u0301"}
    changed = await acme.patch(f"/v1/budgets/{made['id']}", json={"filter": {"team": "cafe\u0301"}})
    assert (changed.json()["filter"], changed.json()["spent"]) == ({"team": "caf\u00e9"}, "3")


async def test_a_budget_counts_what_its_filter_covers_in_the_open_period_and_its_currency(
    client: httpx.AsyncClient, book: Book
) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'admin')}"
    from zoneinfo import ZoneInfo

    start, end = period_bounds("month", datetime.now(UTC), ZoneInfo("Europe/Berlin"))
    inside, before = start.isoformat(), start.replace(minute=0).timestamp() - 60
    await book.spend("globex", inside, "10", effective="8", provisional="3", team="search", sku="a")
    await book.spend("globex", inside, "2", team="search", sku="b")
    await book.spend("globex", inside, "500", team="other")
    await book.spend("globex", inside, "70", team="search", currency="EUR")
    await book.spend("globex", datetime.fromtimestamp(before, UTC).isoformat(), "900", team="search")
    budget = await make(client, filter={"team": "search"}, amount="40", period="month")
    assert (budget["spent"], budget["of_which_provisional"], budget["remaining"]) == ("10", "3", "30")
    assert budget["percent"] == "25"
    assert datetime.fromisoformat(budget["period_start"]) == start
    assert datetime.fromisoformat(budget["period_end"]) == end
    whole = await make(client, amount="400", period="month")
    assert (whole["spent"], whole["remaining"]) == ("510", "-110")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"amount": "0"}, "must be more than 0"),
        ({"amount": "1e3"}, "plain non-negative decimal"),
        ({"amount": "NaN"}, "plain non-negative decimal"),
        ({"amount": 5}, "a text, in quotes"),
        ({"filter": {"user": "x"}}, "'user' is not one of cost_class"),
        ({"period": "decade"}, "period: must be one of day, week, month, quarter, year, custom, rolling"),
        ({"thresholds_percent": []}, "at least 1 item"),
        ({"thresholds_percent": ["NaN"]}, "finite number"),
        ({"thresholds_percent": [1001]}, "at most 1000"),
        ({"name": ""}, "at least 1 character"),
        (
            {"spent": "1"},
            "spent: is not a field here; these are: name, filter, amount, period, starts_on, ends_on",
        ),
    ],
)
async def test_a_budget_that_makes_no_sense_is_refused(
    acme: httpx.AsyncClient, asked: dict[str, Any], reason: str
) -> None:
    answer = await acme.post("/v1/budgets", json={"name": "b", "amount": "100", **asked})
    assert (answer.status_code, reason in answer.json()["detail"]) == (422, True), answer.text


async def incident(
    book: Book, tenant: str, id: UUID, *, state: str = "open", opened_at: datetime | None = None
) -> None:
    at = opened_at or datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    await book.connection.execute(
        "INSERT INTO incidents (tenant, id, kind, rule_id, rule_revision, rule_name, scope, scope_digest, episode, "
        "state, began_at, currency, amount, expected, rate_per_hour, expected_per_hour, of_which_provisional, "
        "top_contributor, summary, suggested_action, opened_at, resolved_at) VALUES ($1, $2, 'anomaly', 'r', 1, "
        "'Spend far over expectation', $3, 'x', $4, $5, $6, 'USD', 5.02, 0.5, 60, 1, 0, '{}', 'it burns', 'stop it', "
        "$6, $7)",
        tenant, id, json.dumps({"team": "a"}), id.int % 1000, state, at, at if state == "resolved" else None,
    )  # fmt: skip


async def test_an_acknowledged_incident_says_by_whom_and_the_first_one_stays(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await incident(book, "acme", INCIDENT)
    answer = await acme.post(f"/v1/incidents/{INCIDENT}/acknowledge", json={"note": "on it"})
    assert (answer.status_code, answer.json()["state"], answer.json()["note"]) == (
        200,
        "acknowledged",
        "on it",
    )
    assert answer.json()["acknowledged_by"].startswith("key k")
    again = await acme.post(f"/v1/incidents/{INCIDENT}/acknowledge", json={"note": "me too"})
    assert again.json()["note"] == "on it"
    assert (await acme.post(f"/v1/incidents/{UUID(int=8)}/acknowledge", json={})).status_code == 404


async def test_an_incident_says_its_news_in_a_title_and_its_figures_with_labels(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await incident(book, "acme", INCIDENT, state="resolved")
    await book.connection.execute(
        "UPDATE incidents SET title = 'key ci-bot (k1) spent up to 1,803 USD/h, usually 4', peak_per_hour = 1803.2, "
        "rate_per_hour = 0, figures = $1, key_names = $2, link = 'https://spend.example.org/#/?by=sku'",
        json.dumps(
            [{"label": "highest rate", "amount": "1803.2", "unit": "USD/h", "text": "1,803.20 USD/h"}]
        ),
        json.dumps({"k1": "ci-bot"}),
    )
    (seen,) = (await acme.get("/v1/incidents")).json()["incidents"]
    assert seen["title"] == "key ci-bot (k1) spent up to 1,803 USD/h, usually 4"
    assert (seen["peak_per_hour"], seen["rate_per_hour"]) == ("1803.2", "0")  # the burst stays to be seen
    assert seen["figures"] == [
        {"label": "highest rate", "amount": "1803.2", "unit": "USD/h", "text": "1,803.20 USD/h"}
    ]
    assert seen["key_names"] == {"k1": "ci-bot"}
    assert seen["link"] == "https://spend.example.org/#/?by=sku"


async def test_incidents_are_listed_newest_first_by_state_and_page(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for number, state in ((1, "resolved"), (2, "open"), (3, "open")):
        await incident(
            book, "acme", UUID(int=number), state=state, opened_at=datetime(2026, 11, number, tzinfo=UTC)
        )
    await incident(book, "globex", UUID(int=4))
    seen = []
    cursor = ""
    while cursor is not None:
        page = (await acme.get("/v1/incidents", params={"limit": 2, "cursor": cursor})).json()
        seen += [UUID(each["id"]).int for each in page["incidents"]]
        cursor = page["next_cursor"]
    assert seen == [3, 2, 1]
    open_ones = (await acme.get("/v1/incidents", params={"state": "open"})).json()["incidents"]
    assert [(each["id"], each["amount"], each["scope"]) for each in open_ones] == [
        (str(UUID(int=3)), "5.02", {"team": "a"}), (str(UUID(int=2)), "5.02", {"team": "a"}),
    ]  # fmt: skip
    assert (await acme.get(f"/v1/incidents/{UUID(int=4)}")).status_code == 404


async def test_a_channels_secret_is_shown_once(acme: httpx.AsyncClient) -> None:
    made = (
        await acme.post("/v1/channels", json={"name": "on-call", "url": "https://hooks.example/x"})
    ).json()
    assert made["secret"].startswith("whsec_")
    listed = await acme.get("/v1/channels")
    assert [each["name"] for each in listed.json()["channels"]] == ["on-call"]
    assert made["secret"] not in listed.text
    assert (await acme.delete(f"/v1/channels/{made['id']}")).status_code == 204
    assert (await acme.get("/v1/channels")).json() == {"channels": []}
    assert (await acme.delete(f"/v1/channels/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example", "ftp://a", "https://", "https://me:secret@hooks.example", "https://[::1", "x"],
)
async def test_a_channel_that_is_no_https_address_is_refused(acme: httpx.AsyncClient, url: str) -> None:
    answer = await acme.post("/v1/channels", json={"name": "c", "url": url})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x", "https://127.0.0.1/x", "https://localhost:8443/x", "https://10.1.2.3/x",
        "https://169.254.169.254/latest", "https://[::1]/x", "https://[::ffff:192.168.0.1]/x", "https://0x7f000001/x",
    ],
)  # fmt: skip
async def test_what_delivery_would_refuse_is_refused_at_once_and_the_setting_that_allows_it_is_named(
    acme: httpx.AsyncClient, url: str
) -> None:
    answer = await acme.post("/v1/channels", json={"name": "c", "url": url})
    assert answer.status_code == 422
    assert "SPENDMETER_WEBHOOK_ALLOW_PRIVATE" in answer.json()["detail"]
    assert (await acme.get("/v1/channels")).json() == {"channels": []}


async def test_http_channels_are_for_installations_that_say_so(
    acme: httpx.AsyncClient, database: Database
) -> None:
    app = create_app(Settings(webhook_allow_private=True), database, BookProgress(), lambda: "")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=acme.headers) as client:
        answer = await client.post("/v1/channels", json={"name": "c", "url": "http://127.0.0.1:9/x"})
        assert answer.status_code == 201


async def test_budgets_over_a_hundred_thousand_series_are_added_up_where_they_lie_and_delay_nobody(
    client: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    await book.connection.execute(
        "INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, "
        "workflow_version, agent, environment, key_id) SELECT 'acme', decode(md5(i::text), 'hex'), 'model', "
        "'openai', 'gpt-4o', 'team-' || i % 10, '', '', 'wf-' || i, '', '', '', '' "
        "FROM generate_series(1, 100000) AS i"
    )
    await book.connection.execute(
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
        "SELECT date_trunc('minute', $1::timestamptz), $1::timestamptz::date, 0, 'acme', "
        "decode(md5(i::text), 'hex'), 'USD', 1, 0, 0.01, 0.01, 0.01, 0, '{}' "
        "FROM generate_series(1, 100000) AS i",
        now,
    )
    await book.touch("acme", now)
    await book.connection.execute("ANALYZE series, rollups_minute")  # as where so many did not come just now
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'admin')}"
    await make(client, filter={"workflow": "wf-7"}, amount="1")
    for team in range(9):
        await make(client, filter={"team": f"team-{team}"}, amount="1000")
    await make(client, amount="10000")

    read, fetch = [], asyncpg.Connection.fetch

    async def counted(connection: Any, *asked: Any, **options: Any) -> Any:
        rows = await fetch(connection, *asked, **options)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
    budgets = (await client.get("/v1/budgets", timeout=60)).json()["budgets"]
    assert max(read) <= GROUPS_MAX + 1, "what was read would be worked on while everybody else waits"
    read.clear()
    assert (await client.get("/v1/budgets", timeout=60)).json()["budgets"] == budgets
    # Of 1,000 dollars 10,000 series of a cent are 100, and all of them are 1,000.
    assert [each["spent"] for each in budgets] == ["0.01", *["100"] * 9, "1000"]
    assert max(read) == len(budgets), "that there are too many is known by now"
