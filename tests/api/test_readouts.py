"""What portals made for OpenMeter ask: its own client, over HTTP, and what `/v1/spend` says of the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from corehttp.exceptions import HttpResponseError, ResourceExistsError
from fastapi import FastAPI
from openmeter import Client as OpenMeterClient
from openmeter.models import MeterCreate, MeterQueryRequest, MeterUpdate

from services.api.http.problems import HttpRefusal
from services.api.readouts.asked import asked_groups, sliced
from services.api.readouts.readout import AGGREGATIONS, built_in, checked_groups, checked_value
from services.ledger.roller import Roller
from spendmeter.contracts.events import EVENT_TYPE
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.contracts.units import UNITS
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.test_spend_rollups import roller
from tests.ports import free_port

__all__ = ["roller"]

DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
DEEP = "0.123456789012345678901234567891"


@pytest.fixture
async def asking(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'govern')}"
    return client


async def query(client: httpx.AsyncClient, meter: str, **asked: Any) -> Any:
    answer = await client.get(f"/api/v1/meters/{meter}/query", params=DAY | asked)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


async def refused(client: httpx.AsyncClient, meter: str, **asked: Any) -> str:
    answer = await client.get(f"/api/v1/meters/{meter}/query", params=DAY | asked)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


async def test_every_unit_the_cost_and_the_count_are_meters_that_are_there(asking: httpx.AsyncClient) -> None:
    listed = (await asking.get("/api/v1/meters")).json()
    by_slug = {each["slug"]: each for each in listed}
    assert by_slug.keys() == {"cost", "events", "tokens", *UNITS}
    assert by_slug["cost"]["groupBy"] == {name: f"$.{name}" for name in (*DIMENSIONS, "currency")}
    assert (by_slug["events"]["aggregation"], by_slug["events"]["valueProperty"]) == ("COUNT", None)
    one = await asking.get("/api/v1/meters/input_tokens")
    assert one.json() == by_slug["input_tokens"]
    pages = [(await asking.get("/api/v1/meters", params={"pageSize": 2, "page": n})).json() for n in (1, 2)]
    assert pages == [listed[:2], listed[2:4]]


async def test_a_meter_says_what_spend_says_to_the_last_digit(asking: httpx.AsyncClient, book: Book) -> None:
    for at, team, amount in (
        ("10:00", "a", DEEP),
        ("10:30", "b", "2"),
        ("23:30", "a", "-1"),
        ("23:59", "", "4"),
    ):
        usage = {"input_tokens": 10**16 + 1, "output_tokens": 7, "images": 2}
        await book.spend("acme", f"2026-11-23T{at}Z", amount, team=team, usage=usage, sku="m")
    for window, bucket in ((None, None), ("HOUR", "hour"), ("DAY", "day"), ("MINUTE", "minute")):
        asked = {"group_by": "team", **DAY, "tz": "Asia/Kolkata"} | ({"bucket": bucket} if bucket else {})
        spend = (await asking.get("/v1/spend", params=asked | {"limit": 5000})).json()
        rows = spend["series"] if bucket else spend["totals"]
        for meter in ("cost", "events", "input_tokens", "images"):
            found = await query(
                asking,
                meter,
                groupBy="team",
                windowTimeZone="Asia/Kolkata",
                **({"windowSize": window} if window else {}),
            )
            values = [(row["groupBy"]["team"], Decimal(row["value"])) for row in found["data"]]
            said = [
                (
                    row["team"],
                    Decimal(
                        row["effective"] if meter == "cost" else row.get(meter) or row["usage"].get(meter, 0)
                    ),
                )
                for row in rows
                if row["events"]
            ]
            assert values == said, (window, meter)


async def test_windows_are_cut_to_the_range_and_empty_ones_have_no_row(
    asking: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:50Z", "1.5")
    found = await query(asking, "cost", windowSize="HOUR", **{"from": "2026-11-23T10:30:00Z"})
    row = {"value": Decimal("1.5"), "subject": None, "groupBy": {}}
    span = {"windowStart": "2026-11-23T10:30:00Z", "windowEnd": "2026-11-23T11:00:00Z"}
    assert found["data"] == [row | span]
    assert (found["from"], found["to"], found["windowSize"]) == ("2026-11-23T10:30:00Z", DAY["to"], "HOUR")
    assert (await query(asking, "images"))["data"] == []


async def test_amounts_of_two_currencies_are_never_added_and_quantities_are(
    asking: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "5", usage={"input_tokens": 3})
    await book.spend("acme", "2026-11-23T10:00Z", "7", usage={"input_tokens": 4}, currency="EUR")
    assert "EUR, USD" in await refused(asking, "cost")
    by_currency = await query(asking, "cost", groupBy="currency")
    assert [(row["groupBy"], row["value"]) for row in by_currency["data"]] == [
        ({"currency": "USD"}, 5),
        ({"currency": "EUR"}, 7),
    ]
    alone = await query(asking, "cost", **{"filterGroupBy[currency]": "EUR"})
    assert [row["value"] for row in alone["data"]] == [7]
    assert [row["value"] for row in (await query(asking, "input_tokens"))["data"]] == [7]


async def test_what_has_no_price_is_not_0(asking: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0", team="a", events=2, unpriced=2)
    await book.spend("acme", "2026-11-23T10:00Z", "3", team="b", events=2, unpriced=1)
    found = await query(asking, "cost", groupBy="team")
    assert [(row["groupBy"]["team"], row["value"]) for row in found["data"]] == [("b", 3)]
    assert found["unpriced_events"] == 3
    assert (await query(asking, "events"))["unpriced_events"] is None


async def test_groups_are_filtered_by_the_ways_of_each_client(asking: httpx.AsyncClient, book: Book) -> None:
    for team, amount in (("a", "1"), ("b", "2"), ("c", "4")):
        await book.spend("acme", "2026-11-23T10:00Z", amount, team=team)
    deep = await query(asking, "cost", **{"filterGroupBy[team]": ["a", "c"]})
    json_in = await query(asking, "cost", advancedMeterGroupByFilters='{"team": {"$in": ["a", "c"]}}')
    assert [each["data"][0]["value"] for each in (deep, json_in)] == [5, 5]
    equal = await query(asking, "cost", advancedMeterGroupByFilters='{"team": {"$eq": "b"}}', clientId="x")
    assert equal["data"][0]["value"] == 2


@pytest.mark.parametrize("name", ["team", "currency"])
async def test_one_of_no_values_is_nothing_and_not_everything(
    asking: httpx.AsyncClient, book: Book, name: str
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="a")
    none = json.dumps({name: {"$in": []}})
    assert (await query(asking, "cost", advancedMeterGroupByFilters=none))["data"] == []


async def test_a_subject_is_what_somebody_said_it_is(asking: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="a", sku="m", usage={"output_tokens": 5})
    assert "nobody has said which label" in await refused(asking, "cost", subject="a")
    body = {
        "slug": "answers", "aggregation": "SUM", "eventType": EVENT_TYPE,
        "valueProperty": "$.usage.output_tokens", "groupBy": {"model": "$.sku", "subject": "$.labels.team"},
    }  # fmt: skip
    made = await asking.post("/api/v1/meters", json=body)
    again = await asking.post("/api/v1/meters", json=body)
    assert (made.status_code, again.status_code, again.json()) == (201, 201, made.json())
    other = await asking.post("/api/v1/meters", json=body | {"valueProperty": "$.usage.input_tokens"})
    assert other.status_code == 409
    answer = await asking.get(
        "/api/v1/meters/answers/query",
        params=[*DAY.items(), ("groupBy", "subject"), ("groupBy", "model"), ("subject", "a")],
        headers={"Accept": "text/csv"},
    )
    assert answer.text.splitlines() == [
        "window_start,window_end,subject,model,value",
        "2026-11-23T00:00:00Z,2026-11-24T00:00:00Z,a,m,5",
    ]
    assert answer.headers["Content-Type"].startswith("text/csv")
    by_id = await query(asking, made.json()["id"], groupBy="subject")
    assert [(row["subject"], row["groupBy"], row["value"]) for row in by_id["data"]] == [("a", {}, 5)]
    assert (await asking.delete("/api/v1/meters/answers")).status_code == 204
    assert (await asking.get("/api/v1/meters/answers")).status_code == 404


async def test_a_question_without_a_beginning_or_with_what_nobody_knows_is_refused(
    asking: httpx.AsyncClient,
) -> None:
    answer = await asking.get("/api/v1/meters/cost/query")
    assert "from: is needed" in answer.json()["detail"]
    assert "is not a parameter here" in await refused(asking, "cost", filterCustomerId="c")
    assert "is not one of" in await refused(asking, "cost", groupBy="colour")
    assert "IANA" in await refused(asking, "cost", windowTimeZone="Mars")
    assert (await asking.get("/api/v1/meters/none/query", params=DAY)).status_code == 404


async def test_who_only_reads_defines_nothing_and_another_tenant_sees_nothing(
    asking: httpx.AsyncClient, book: Book
) -> None:
    body = {"slug": "ours", "aggregation": "COUNT", "eventType": EVENT_TYPE}
    made = (await asking.post("/api/v1/meters", json=body)).json()
    await book.spend("acme", "2026-11-23T10:00Z", "1")
    asking.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    for meter in ("ours", made["id"]):
        assert (await asking.get(f"/api/v1/meters/{meter}")).status_code == 404
        assert (await asking.get(f"/api/v1/meters/{meter}/query", params=DAY)).status_code == 404
    assert (await query(asking, "cost"))["data"] == []
    assert (await asking.post("/api/v1/meters", json=body)).status_code == 403


@pytest.fixture
async def served(api: FastAPI, asking: httpx.AsyncClient) -> AsyncIterator[OpenMeterClient]:
    """The client that OpenMeter gives away, unchanged, with the key of acme."""
    settings = Settings(port=free_port())
    server = Server(api, settings)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    key = asking.headers["Authorization"].removeprefix("Bearer ")
    yield OpenMeterClient(endpoint=f"http://127.0.0.1:{settings.port}", token=key)
    server.should_exit = True
    await serving


async def test_openmeters_own_client_lists_defines_and_asks(served: OpenMeterClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.25", team="a", usage={"input_tokens": 1200})
    await book.spend("acme", "2026-11-23T11:00Z", "0.5", team="b", usage={"input_tokens": 34})

    def use() -> None:
        assert {"cost", "tokens", "requests"} <= {each.slug for each in served.meters.list()}
        made = served.meters.create(
            MeterCreate(
                slug="prompt_tokens", aggregation="SUM", event_type=EVENT_TYPE,
                value_property="$.usage.input_tokens", group_by={"subject": "$.team"},
            )
        )  # fmt: skip
        assert served.meters.get(made.slug).id == made.id
        sums = served.meters.query_json(
            "prompt_tokens", from_parameter=START, to=END, window_size="HOUR", group_by=["subject"]
        )
        assert [(row.subject, row.value, row.window_start.hour) for row in sums.data] == [
            ("a", 1200, 10),
            ("b", 34, 11),
        ]
        cost = served.meters.query_json("cost", from_parameter=START, to=END)
        assert [row.value for row in cost.data] == [0.75]
        table = served.meters.query_csv("cost", from_parameter=START, to=END)
        assert table.endswith("2026-11-24T00:00:00Z,,0.75\r\n")
        body = MeterQueryRequest(
            from_property=START,
            to=END,
            window_size="HOUR",
            subject=["a"],
            filter_group_by={"subject": ["a", "b"]},
        )
        asked = served.meters.query(made.id, body)
        assert [(row.subject, row.value) for row in asked.data] == [("a", 1200)]
        assert served.meters.list_subjects(made.slug, from_parameter=START, to=END) == ["a", "b"]
        assert served.meters.list_group_by_values("cost", "team", from_parameter=START, to=END) == ["a", "b"]
        named = served.meters.update(made.id, MeterUpdate(name="Prompts", group_by={"model": "$.sku"}))
        assert (named.id, named.name, named.group_by) == (made.id, "Prompts", {"model": "$.sku"})
        assert named.updated_at > named.created_at == made.created_at
        with pytest.raises(HttpResponseError, match="nobody has said which label"):
            served.meters.list_subjects(made.slug, from_parameter=START, to=END)
        with pytest.raises(HttpResponseError, match="answered"):
            served.meters.create(MeterCreate(slug="top", aggregation="MAX", event_type=EVENT_TYPE))
        with pytest.raises(ResourceExistsError):
            served.meters.update("cost", MeterUpdate(name="Spent"))
        with pytest.raises(ResourceExistsError):
            served.meters.create(MeterCreate(slug="cost", aggregation="COUNT", event_type=EVENT_TYPE))

    await asyncio.to_thread(use)


async def test_a_question_in_a_body_is_the_same_question(asking: httpx.AsyncClient, book: Book) -> None:
    for team, amount in (("a", "1"), ("b", "2"), ("c", DEEP)):
        await book.spend("acme", "2026-11-23T10:00Z", amount, team=team)
    path = "/api/v1/meters/cost/query"
    for body, parameters in (
        ({}, []),
        ({"windowSize": "HOUR", "windowTimeZone": "Asia/Kolkata", "clientId": "x"}, [("windowSize", "HOUR"), ("windowTimeZone", "Asia/Kolkata")]),
        ({"filterGroupBy": {"team": ["a", "c"]}}, [("filterGroupBy[team]", "a"), ("filterGroupBy[team]", "c")]),
        ({"advancedMeterGroupByFilters": {"team": {"$in": ["b"]}}}, [("filterGroupBy[team]", "b")]),
        ({"groupBy": ["team", "sku"]}, [("groupBy", "team"), ("groupBy", "sku")]),
    ):  # fmt: skip
        for accept in ("application/json", "text/csv"):
            asked = await asking.post(path, json=DAY | body, headers={"Accept": accept})
            same = await asking.get(path, params=[*DAY.items(), *parameters], headers={"Accept": accept})
            assert (asked.status_code, asked.text) == (200, same.text), body


@pytest.mark.parametrize(
    "body",
    [
        {"from": None},
        {"filterGroupBy": {"team": []}},
        {"filterGroupBy": {"team": None}},
        {"subject": []},
        {"filterCustomerId": ["c"]},
        {"filterGroupBy": {"team]&to": ["a"]}},
        {"advancedMeterGroupByFilters": {"team": {"$like": "a"}}},
        {"groupBy": ["customer_id"]},
        {"windowSize": "YEAR"},
    ],
    ids=str,
)
async def test_what_a_body_asks_that_is_not_served_is_refused_by_name(
    asking: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await asking.post("/api/v1/meters/cost/query", json=DAY | body)
    assert (answer.status_code, next(iter(body)) in answer.text) == (422, True), answer.text


async def test_values_are_those_that_have_anything_in_the_span(asking: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="b", usage={"input_tokens": 3})
    await book.spend("acme", "2026-11-23T10:00Z", "0", team="free", events=1, unpriced=1)
    await book.spend("acme", "2026-11-23T10:00Z", "1", usage={"input_tokens": 3})
    await book.spend("acme", "2026-11-22T10:00Z", "2", team="a", currency="EUR")

    async def values(meter: str, name: str = "team", **asked: str) -> Any:
        answer = await asking.get(f"/api/v1/meters/{meter}/group-by/{name}/values", params=asked)
        return answer.json() if answer.status_code == 200 else answer.status_code

    assert await values("events", **DAY) == ["b", "free"], "and who has no team is no team"
    assert await values("cost", **DAY) == ["b"]
    assert await values("cost", to=DAY["to"]) == ["a", "b"], "of 400 days"
    assert await values("cost", "currency", to=DAY["to"]) == ["EUR", "USD"]
    assert await values("events", to=DAY["from"]) == ["a"]
    assert [await values("events", "colour"), await values("none"), await values("cost", tz="UTC")] == [
        422,
        404,
        422,
    ]
    assert (await asking.get("/api/v1/meters/cost/subjects")).status_code == 422


async def test_values_of_before_minutes_are_kept_are_listed_by_the_hours_that_there_are(
    asking: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """From 400 days before this very minute, and from and to any minute."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    old = now - timedelta(days=90, minutes=-50)
    await book.spend("acme", old.isoformat(), "1", team="old")
    await book.spend("acme", now.isoformat(), "1", team="new")
    while await roller.roll_up(now):
        pass
    kept = now - timedelta(days=35)
    await book.connection.execute("DELETE FROM rollups_minute WHERE bucket < $1", kept)
    await book.connection.execute("DELETE FROM rollups WHERE size = 'five_minutes' AND bucket < $1", kept)
    await book.connection.execute("INSERT INTO minutes_kept (since) VALUES ($1)", kept)

    async def values(**asked: str) -> Any:
        answer = await asking.get("/api/v1/meters/cost/group-by/team/values", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await values() == ["new", "old"]
    within = {"from": f"{old:%Y-%m-%dT%H}:20:00Z", "to": f"{old:%Y-%m-%dT%H}:40:00Z"}
    assert await values(**within) == ["old"]


async def test_a_meter_that_is_called_otherwise_sums_what_it_did(
    asking: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", usage={"input_tokens": 3})
    body = {"slug": "ours", "aggregation": "SUM", "eventType": EVENT_TYPE, "valueProperty": "$.usage.input_tokens"}  # fmt: skip
    made = (await asking.post("/api/v1/meters", json=body | {"groupBy": {"model": "$.sku"}})).json()
    for path in ("ours", made["id"]):
        answer = await asking.put(f"/api/v1/meters/{path}", json={"description": path})
        changed = made | {"name": "ours", "description": path, "groupBy": {}}
        assert answer.json() == changed | {"updatedAt": answer.json()["updatedAt"]}
    assert [row["value"] for row in (await query(asking, "ours"))["data"]] == [3]
    for wrong in ({"slug": "theirs"}, {"aggregation": "COUNT"}, {"groupBy": {"a": "$.colour"}}):
        assert (await asking.put("/api/v1/meters/ours", json=wrong)).status_code == 422
    asking.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert (await asking.put("/api/v1/meters/ours", json={})).status_code == 403


@pytest.mark.parametrize("aggregation", sorted({*AGGREGATIONS} - {"SUM", "COUNT"}))
def test_what_sums_cannot_answer_exactly_is_refused_and_said_why(aggregation: Any) -> None:
    with pytest.raises(HttpRefusal, match=f"{aggregation} (needs|counts|is a sum)"):
        checked_value(aggregation, EVENT_TYPE, "$.usage.input_tokens")


@pytest.mark.parametrize("value", [None, "$.tokens", "$.usage.tokens", "input_tokens"])
def test_a_sum_is_of_a_unit_of_all_tokens_or_of_cost(value: str | None) -> None:
    with pytest.raises(HttpRefusal, match="valueProperty"):
        checked_value("SUM", EVENT_TYPE, value)


def test_events_of_another_type_are_not_told_apart() -> None:
    with pytest.raises(HttpRefusal, match="PUT /v1/meters"):
        checked_value("COUNT", "prompt", None)


def test_currency_is_a_group_of_amounts_and_no_dimension_beside_it() -> None:
    known = [*DIMENSIONS, "currency"]
    assert checked_groups({}, known, is_cost=True) == {"currency": "currency"}
    with pytest.raises(HttpRefusal, match="money: is"):
        checked_groups({"money": "$.currency"}, known, is_cost=True)
    assert checked_groups({"money": "$.currency"}, known, is_cost=False) == {"money": "currency"}


def test_two_conditions_on_one_dimension_must_both_hold() -> None:
    asked = asked_groups([("filterGroupBy[team]", "a"), ("filterGroupBy[team]", "b")])
    assert sliced(asked, built_in(DIMENSIONS)["tokens"]).filters == {"team": ["a", "b"]}
    conditions = ("advancedMeterGroupByFilters", '{"team": {"$in": ["b", "c"]}}')
    asked = asked_groups([("filterGroupBy[team]", "a"), ("filterGroupBy[team]", "b"), conditions])
    assert sliced(asked, built_in(DIMENSIONS)["tokens"]).filters == {"team": ["b"]}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"team": {"$like": "a"}}', '{"team": {}}', '{"team": {"$in": [1]}}']
)
def test_a_condition_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(HttpRefusal, match="advancedMeterGroupByFilters"):
        asked_groups([("advancedMeterGroupByFilters", text)])
