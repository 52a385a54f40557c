"""GET /v1/allocations and statements over a real book, amounts worked out by hand; and plans set by acts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.api.allocations.models import Allocations, Statement
from spendmeter.contracts.events import Labels
from spendmeter.contracts.money import plain, total
from tests.api.book import Book
from tests.corrector.written_book import correction, event, open_book

NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01"}
DATABASE = {
    "name": "database",
    "filter": {"provider": "pinecone", "team": ""},
    "rule": "proportional",
    "driver": {"measure": "requests"},
}


async def ask(client: httpx.AsyncClient, **parameters: Any) -> Any:
    answer = await client.get("/v1/allocations", params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert Allocations.model_validate(body).model_dump(mode="json") == body, "as documented"
    for whole in body["totals"]:
        rows = [row for row in body["rows"] if row["currency"] == whole["currency"]]
        assert plain(total(Decimal(row["total"]) for row in rows)) == whole["total"]
    return body


async def statement(client: httpx.AsyncClient, centre: str, month: str = "2026-11", **more: str) -> Any:
    answer = await client.get(f"/v1/statements/{centre}", params={"month": month, **more})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert Statement.model_validate(body).model_dump(mode="json") == body, "as documented"
    return body


async def set_plan(
    client: httpx.AsyncClient, *pools: dict[str, Any], day: str = "2026-11-01", status: int = 200, **more: Any
) -> Any:
    body = {"first_day": day, "pools": list(pools), "reason": "agreed", **more}
    answer = await client.put("/v1/allocation-plans/team", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def rows(answer: Any, of: str = "total", currency: str = "USD") -> dict[str, str]:
    """By cost centre, or by what no cost centre has."""
    return {
        row["cost_centre"] or f"({row['kind']})": row[of]
        for row in answer["rows"]
        if row["currency"] == currency
    }


async def fill(book: Book, tenant: str = "acme", month: str = "2026-11") -> None:
    """search 30 for 700 requests and ads 6 for 300; a database of 12 that names no team, and 2 of another."""
    for team, amount, requests in (("search", "30", 700), ("ads", "6", 300)):
        usage = {"requests": requests}
        await book.spend(
            tenant, f"{month}-10T10:00Z", amount, usage=usage, team=team, provider="openai", sku="gpt-4o"
        )
    await book.spend(tenant, f"{month}-11T10:00Z", "15", effective="12", usage={"read_units": 5}, provider="pinecone",
                     sku="serverless", cost_class="database")  # fmt: skip
    await book.spend(tenant, f"{month}-11T10:00Z", "2", usage={}, provider="aws", sku="nat")


async def test_without_a_plan_what_names_nobody_is_said_and_not_spread(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    answer = await ask(acme, **NOVEMBER)
    assert rows(answer) == {"search": "30", "ads": "6", "(unattributed)": "14"}
    # 36 of 50
    assert answer["totals"] == [
        {"currency": "USD", "total": "50", "attributed": "36", "unattributed": "14", "borne": "36",
         "attributed_percent": "72", "borne_percent": "72"},
    ]  # fmt: skip
    assert answer["stretches"] == [{"first_day": "2026-11-01", "until": "2026-12-01", "revision": None}]


async def test_a_pool_is_shared_out_and_each_amount_says_how(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    revision = (await set_plan(acme, DATABASE))["revision"]
    answer = await ask(acme, **NOVEMBER)
    # 12 by 700 : 300 -> 8.4 and 3.6
    assert rows(answer) == {"search": "38.4", "ads": "9.6", "(unattributed)": "2"}
    assert rows(answer, "shared") == {"search": "8.4", "ads": "3.6", "(unattributed)": "0"}
    assert (answer["totals"][0]["attributed_percent"], answer["totals"][0]["borne_percent"]) == ("72", "96")
    shared = [(s["cost_centre"], s["weight"], s["of"], s["amount"], s["driver"]) for s in answer["shares"]]
    assert shared == [("ads", "3", "10", "3.6", "requests"), ("search", "7", "10", "8.4", "requests")]
    (pooled,) = answer["pools"]
    assert (pooled["taken"], pooled["residual"], pooled["because"], pooled["revision"]) == (
        "12",
        "0",
        "",
        revision,
    )
    only = await ask(acme, **NOVEMBER, cost_centre="ads")
    assert [share["cost_centre"] for share in only["shares"]] == ["ads"]
    assert only["rows"] == answer["rows"]
    assert (await ask(acme, **NOVEMBER, shares="false"))["shares"] == []


async def test_statements_add_up_to_the_ledger(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    await set_plan(
        acme, DATABASE | {"rule": "fixed", "driver": None, "weights": {"search": 1, "ads": 1}, "of": 3}
    )
    search = await statement(acme, "search")
    # a third of 12 is 4, and of the list price of 15 it is 5
    assert [(x["kind"], x["provider"], x["list"], x["effective"], x["events"]) for x in search["lines"]] == [
        ("direct", "openai", "30", "30", 1), ("shared", "pinecone", "5", "4", None),
    ]  # fmt: skip
    assert (search["lines"][1]["weight"], search["lines"][1]["of"]) == ("1", "3")
    (whole,) = search["totals"]
    assert (whole["direct"], whole["shared"], whole["total"], whole["list"]) == ("30", "4", "34", "35")
    assert (search["closed_at"], whole["of_closed_periods"], search["invoice_variance"]) == (None, "0", None)
    answer = await ask(acme, **NOVEMBER)
    assert rows(answer) == {"search": "34", "ads": "10", "(residual)": "4", "(unattributed)": "2"}
    spend = (await acme.get("/v1/spend", params={**NOVEMBER, "usage": "false"})).json()
    assert spend["totals"][0]["effective"] == answer["totals"][0]["total"] == "50"


async def test_a_month_is_cut_where_a_version_begins(acme: httpx.AsyncClient, book: Book) -> None:
    # 10 before the 15th go to ads, 20 from then on half to search and half to ads
    for day, amount in (("03", "10"), ("20", "20")):
        await book.spend("acme", f"2026-11-{day}T10:00Z", amount, provider="pinecone", sku="s")
    weighted = {"name": "database", "filter": {"provider": "pinecone"}, "rule": "weighted"}
    await set_plan(acme, weighted | {"weights": {"ads": 1}})
    await set_plan(acme, weighted | {"weights": {"ads": 1, "search": 1}}, day="2026-11-15")
    answer = await ask(acme, **NOVEMBER)
    assert rows(answer) == {"ads": "20", "search": "10"}
    assert [each["first_day"] for each in answer["stretches"]] == ["2026-11-01", "2026-11-15"]
    lines = (await statement(acme, "ads"))["lines"]
    assert [(x["first_day"], x["until"], x["effective"]) for x in lines] == [
        ("2026-11-01", "2026-11-15", "10"), ("2026-11-15", "2026-12-01", "10"),
    ]  # fmt: skip


async def test_days_and_months_are_the_tenants(client: httpx.AsyncClient, book: Book) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    # in Berlin the first is November already, and the second is December
    await book.spend("globex", "2026-10-31T23:30Z", "1", team="a")
    await book.spend("globex", "2026-11-30T23:30Z", "2", team="a")
    assert rows(await ask(client, **NOVEMBER)) == {"a": "1"}
    assert (await statement(client, "a", "2026-12"))["totals"][0]["total"] == "2"


async def test_currencies_are_shared_out_apart(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    await book.spend(
        "acme", "2026-11-11T10:00Z", "9", currency="EUR", usage={}, provider="pinecone", sku="serverless"
    )
    await set_plan(acme, DATABASE)
    answer = await ask(acme, **NOVEMBER)
    # requests have no currency: 9 by 700 : 300
    assert rows(answer, currency="EUR") == {"search": "6.3", "ads": "2.7"}
    assert [each["currency"] for each in answer["totals"]] == ["USD", "EUR"]
    by_cost = DATABASE | {"driver": {"measure": "effective", "filter": {"provider": "openai"}}}
    await set_plan(acme, by_cost)
    answer = await ask(acme, **NOVEMBER)
    assert rows(answer, currency="EUR") == {"(residual)": "9"}  # what was spent in dollars weighs no euros
    assert rows(answer)["search"] == "40"  # 12 by 30 : 6 -> 10


async def test_units_without_a_column_of_their_own_drive_as_well(acme: httpx.AsyncClient, book: Book) -> None:
    for team, hours in (("search", 0.5), ("ads", 1.5)):
        await book.spend("acme", "2026-11-10T10:00Z", "0", usage={"gpu_hours": hours}, team=team)
    await book.spend("acme", "2026-11-10T10:00Z", "8", usage={}, provider="gpus", sku="h100")
    await set_plan(
        acme,
        {
            "name": "gpu",
            "filter": {"provider": "gpus"},
            "rule": "proportional",
            "driver": {"measure": "gpu_hours"},
        },
    )
    assert rows(await ask(acme, **NOVEMBER)) == {"ads": "6", "search": "2"}


async def test_what_is_provisional_or_without_an_amount_stays_so(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend(
        "acme", "2026-11-10T10:00Z", "4", provisional="4", unpriced=1, events=2, provider="pinecone"
    )
    await book.spend("acme", "2026-11-10T10:00Z", "1", unpriced=3, events=4, team="a")
    await set_plan(acme, {"name": "p", "filter": {"provider": "pinecone"}, "rule": "even"})
    answer = await ask(acme, **NOVEMBER)
    (row,) = answer["rows"]
    assert (row["total"], row["of_which_provisional"], row["unpriced_events"]) == ("5", "4", 3)
    assert answer["pools"][0]["unpriced_events"] == 1
    assert [line["unpriced_events"] for line in (await statement(acme, "a"))["lines"]] == [3, 1]
    (whole,) = answer["totals"]
    assert (whole["total"], whole["attributed"]) == ("5", "1")
    assert (whole["attributed_percent"], whole["borne_percent"]) == (None, None), "4 of 6 have no price"


async def test_percentages_are_left_out_where_credits_would_make_them_untrue(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-10T10:00Z", "10", team="a")
    await book.spend("acme", "2026-11-10T10:00Z", "-4", events=0, shard=-1)
    (whole,) = (await ask(acme, **NOVEMBER))["totals"]
    assert (whole["total"], whole["attributed"], whole["attributed_percent"]) == ("6", "10", None)


async def test_a_plan_is_tried_on_a_month_and_nothing_is_set(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    answer = await acme.post(
        "/v1/allocation-plans/team/dry-run", json={"pools": [DATABASE], "month": "2026-11"}
    )
    assert answer.status_code == 200, answer.text
    changes = {
        (row["kind"], row["cost_centre"]): (row["before"], row["after"], row["change"])
        for row in answer.json()["rows"]
    }
    assert changes == {
        ("unattributed", None): ("14", "2", "-12"), ("cost_centre", "search"): ("30", "38.4", "8.4"),
        ("cost_centre", "ads"): ("6", "9.6", "3.6"),
    }  # fmt: skip
    assert rows(await ask(acme, **NOVEMBER))["(unattributed)"] == "14"
    assert (await acme.get("/v1/allocation-plans")).json() == {"plans": []}


async def test_versions_are_acts_and_keep_who_when_and_why(acme: httpx.AsyncClient) -> None:
    empty = (await acme.get("/v1/allocation-plans/team")).json()
    assert empty == {"dimension": "team", "revision": 0, "versions": [], "unseen": []}
    first = await set_plan(acme, DATABASE, revision=0)
    assert "read it first" in (await set_plan(acme, DATABASE, revision=0, status=409))["detail"]
    later = await set_plan(acme, day="2026-12-01", revision=first["revision"])
    again = await set_plan(acme, DATABASE, reason="once more")
    said = [(v["first_day"], v["until"], v["holds"], len(v["pools"]), v["reason"]) for v in again["versions"]]
    assert said == [
        ("2026-11-01", "2026-12-01", True, 1, "once more"), ("2026-12-01", None, True, 0, "agreed"),
        ("2026-11-01", None, False, 1, "agreed"),
    ]  # fmt: skip
    assert later["versions"][0]["by"].startswith("key k")
    assert (await acme.get("/v1/allocation-plans")).json()["plans"] == [again]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/allocations?group_by=team", 422, "is not a parameter here"),
        ("/v1/allocations?dimension=user", 404, "'user' is not one of"),
        ("/v1/allocations?range=last_hour", 422, "whole days"),
        ("/v1/allocations?from=2026-11-02T10:00Z", 422, "must be a day"),
        ("/v1/allocations?from=2026-11-02&to=2026-11-02", 422, "must be before to"),
        ("/v1/allocations?from=2024-11-02&to=2026-11-02", 422, "at most 400 days"),
        ("/v1/allocations?from=2026-11-02&range=today", 422, "not both"),
        ("/v1/statements/serach?month=2026-11", 404, "nothing was ever booked"),
        ("/v1/statements/search?month=2026-13", 422, "month"),
        ("/v1/statements/search?tz=UTC", 422, "is not a parameter here"),
        ("/v1/allocation-plans/user", 404, "'user' is not one of"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    acme: httpx.AsyncClient, book: Book, path: str, status: int, says: str
) -> None:
    await fill(book)
    answer = await acme.get(path)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_a_plan_that_cannot_be_is_refused_by_its_fields(acme: httpx.AsyncClient) -> None:
    refused = await set_plan(acme, DATABASE, DATABASE | {"name": "again", "filter": {"x": "y"}}, status=422)
    assert [each["field"] for each in refused["errors"]] == ["pools.1.filter"]
    refused = await set_plan(acme, DATABASE | {"weights": {"a": 0}}, status=422)
    assert refused["errors"][0]["field"].startswith("pools.0.weights")


async def test_who_was_billed_nothing_this_month_has_a_statement_of_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    empty = await statement(acme, "search", "2026-10")
    assert (empty["lines"], empty["totals"][0]["total"], empty["is_over"]) == ([], "0", True)


async def test_a_pool_says_what_others_fed_it(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    gpu = {"name": "gpu", "filter": {"provider": "aws"}, "rule": "fixed", "weights": {"ads": 75}}
    database = {
        "name": "database",
        "filter": {"provider": "pinecone"},
        "rule": "weighted",
        "pools": {"gpu": 1},
    }
    await set_plan(acme, gpu, database)
    answer = await ask(acme, **NOVEMBER)
    said = [(each["pool"], each["taken"], each["fed"], each["residual"]) for each in answer["pools"]]
    # 2 of its own and the database's 12: a quarter of 14 stays
    assert said == [("gpu", "2", "12", "3.5"), ("database", "12", "0", "0")]
    ways = [(s["cost_centre"], s["pool"], s["source"], s["amount"]) for s in answer["shares"]]
    assert ways == [
        ("ads", "gpu", "database", "9"), ("ads", "gpu", "gpu", "1.5"),
        (None, "gpu", "database", "3"), (None, "gpu", "gpu", "0.5"),
    ]  # fmt: skip


async def test_a_name_may_hold_a_slash(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-10T10:00Z", "3", team="org/search")
    assert (await statement(acme, "org%2Fsearch"))["totals"][0]["total"] == "3"


async def test_a_cost_centre_that_no_event_ever_named_is_said(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    terms = {
        "name": "p",
        "filter": {"provider": "pinecone"},
        "rule": "weighted",
        "weights": {"serach": 1, "ads": 1},
    }
    assert (await set_plan(acme, terms))["unseen"] == ["serach"]
    tried = await acme.post("/v1/allocation-plans/team/dry-run", json={"pools": [terms], "month": "2026-11"})
    assert tried.json()["unseen"] == ["serach"]


async def test_quarters_are_those_of_the_fiscal_year(acme: httpx.AsyncClient, book: Book) -> None:
    await book.connection.execute(
        "INSERT INTO tenant_terms VALUES ('acme', '-infinity', 'infinity', 'USD', 'UTC', 1, 2, 'test', 0)"
    )  # quarters begin in February, May, August and November
    answer = await ask(acme, range="last_quarter")
    assert [int(answer[day][5:7]) % 3 for day in ("first_day", "until")] == [2, 2]


async def test_another_tenant_sees_none_of_it_and_a_reader_sets_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    await set_plan(acme, DATABASE)
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    await set_plan(acme, DATABASE, status=403)
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await ask(acme, **NOVEMBER))["rows"] == []
    assert (await acme.get("/v1/allocation-plans")).json() == {"plans": []}
    assert (await acme.get("/v1/statements/search", params={"month": "2026-11"})).status_code == 404


async def test_a_statement_is_a_table_too(acme: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    await set_plan(acme, DATABASE)
    answer = await acme.get("/v1/statements/ads", params={"month": "2026-11"}, headers={"Accept": "text/csv"})
    header, direct, shared = (line.split(",") for line in answer.text.splitlines())
    amounts = header.index("effective")
    assert (direct[0], direct[amounts], shared[0], shared[amounts]) == ("direct", "6", "shared", "3.6")


async def test_what_the_ledger_books_and_corrects_is_shared_out_anew(
    acme: httpx.AsyncClient, book: Book, database_url: str
) -> None:
    """By rating, ledger and corrector, as in production: 1,000 input and 100 output tokens are 0.0035."""
    written, connections = await open_book(book.connection, database_url)
    labels = {"a": Labels(team="search"), "b": Labels(team="search"), "c": Labels(team="ads"), "d": Labels()}
    await written.book_events(*(event(name, labels=each) for name, each in labels.items()))
    await set_plan(
        acme,
        {
            "name": "shared",
            "filter": {"team": ""},
            "rule": "proportional",
            "driver": {"measure": "input_tokens"},
        },
    )
    # nobody's 0.0035 by 2,000 : 1,000 : 1,000 tokens, of which the last are its own and stay residual
    assert rows(await ask(acme, **NOVEMBER)) == {
        "search": "0.00875", "ads": "0.004375", "(residual)": "0.000875",
    }  # fmt: skip
    await written.correct(correction("b"))
    # now a third each: 0.0035 / 3 = 0.001166666666|67, and the smallest remainder goes without
    answer = await ask(acme, **NOVEMBER)
    assert rows(answer) == {
        "search": "0.004666666667", "ads": "0.004666666667", "(residual)": "0.001166666666",
    }  # fmt: skip
    assert answer["totals"][0]["total"] == "0.0105"  # three of four are left
    (direct, shared) = (await statement(acme, "search"))["lines"]
    assert (direct["effective"], direct["corrected"], direct["events"]) == ("0.0035", "-0.0035", 1)
    assert (shared["effective"], shared["corrected"]) == ("0.001166666667", "0")
    for connection in connections:
        await connection.close()
