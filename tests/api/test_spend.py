"""GET /v1/spend over real rollups, amounts worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.api.spend.models import Spend
from spendmeter.contracts.series import DIMENSIONS
from tests.api.book import Book

DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}


async def ask(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(
        "/v1/spend", params={name.replace("__", "."): text for name, text in parameters.items()}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert Spend.model_validate(body).model_dump(mode="json", by_alias=True) == body, "as documented"
    return body


async def test_a_label_pasted_in_another_of_unicodes_forms_finds_its_spend(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.5", team="caf\u00e9")
    await book.spend("acme", "2026-11-23T10:00Z", "7", team="search")
    for typed in ("caf\u00e9", "cafe\u0301"):
        answer = await ask(acme, **DAY, **{"filter.team": typed})
        assert [row["amount"] for row in answer["totals"]] == ["0.5"]


async def test_totals_add_over_shards_days_of_recording_and_series(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for shard, recorded_on, amount in ((0, 23, "0.1"), (1, 23, "0.2"), (0, 24, "0.04")):
        await book.spend("acme", "2026-11-23T10:00Z", amount, shard=shard, recorded_on=date(2026, 11, recorded_on),
                         team="payments", sku="gpt-4o", usage={"input_tokens": 5, "hours": 0.25})  # fmt: skip
    await book.spend("acme", "2026-11-23T10:01Z", "1", contracted="0.9", effective="0.8", provisional="0.8",
                     unpriced=1, team="payments", sku="o3", events=2)  # fmt: skip
    await book.spend("acme", "2026-11-23T10:01Z", "7", team="search", sku="o3")
    answer = await ask(acme, group_by="team", **DAY)
    assert [row["team"] for row in answer["totals"]] == ["search", "payments"]
    assert answer["totals"][1] == {
        "team": "payments", "currency": "USD", "others": 0, "events": 5, "unpriced_events": 1, "list": "1.34",
        "contracted": "1.24", "effective": "1.14", "amount": "1.14", "of_which_provisional": "0.8",
        "usage": {"input_tokens": "1015", "hours": "0.75"}, "compared": {}, "ratios": {},
    }  # fmt: skip
    assert (answer["currency"], answer["tz"], answer["series"]) == ("USD", "UTC", [])
    assert (answer["of_which_provisional"], answer["unpriced_events"]) == ("0.8", 1)


async def test_a_measure_decides_amount_and_order(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "10", effective="1", team="a")
    await book.spend("acme", "2026-11-23T10:00Z", "5", effective="5", team="b")
    assert [r["team"] for r in (await ask(acme, group_by="team", **DAY))["totals"]] == ["b", "a"]
    listed = (await ask(acme, group_by="team", measure="list", **DAY))["totals"]
    assert [(row["team"], row["amount"]) for row in listed] == [("a", "10"), ("b", "5")]


async def test_the_end_of_a_range_is_exclusive_and_its_start_inclusive(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for minute, amount in ((0, "1"), (1, "10"), (2, "100")):
        await book.spend("acme", f"2026-11-23T10:0{minute}Z", amount)
    between = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T10:02:00Z"}
    answer = await ask(acme, **between)
    assert answer["totals"][0]["effective"] == "11"
    widened = await ask(acme, **{"from": "2026-11-23T10:01:59Z", "to": "2026-11-23T10:02:00.5Z"})
    assert widened["totals"][0]["effective"] == "110"
    assert (widened["from"], widened["to"]) == ("2026-11-23T10:01:00Z", "2026-11-23T10:03:00Z")


async def test_filters_of_one_dimension_are_alternatives_and_of_several_all_hold(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="a", sku="x")
    await book.spend("acme", "2026-11-23T10:00Z", "10", team="b", sku="x")
    await book.spend("acme", "2026-11-23T10:00Z", "100", team="b", sku="y")
    await book.spend("acme", "2026-11-23T10:00Z", "1000", sku="y")
    assert (await ask(acme, filter__team=["a", "b"], filter__sku="x", **DAY))["totals"][0][
        "effective"
    ] == "11"
    assert (await ask(acme, filter__team="", **DAY))["totals"][0]["effective"] == "1000"
    assert (await ask(acme, filter__team="nobody", **DAY))["totals"][0]["effective"] == "0"
    assert (await ask(acme, filter__team="nobody", group_by="team", **DAY))["totals"] == []


@pytest.mark.parametrize("dimension", DIMENSIONS)
async def test_every_dimension_groups_and_filters(
    acme: httpx.AsyncClient, book: Book, dimension: str
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", **{dimension: "x"})
    await book.spend(
        "acme", "2026-11-23T10:00Z", "2", **{name: "x" for name in DIMENSIONS if name != dimension}
    )
    answer = await ask(acme, group_by=dimension, **{f"filter__{dimension}": "x"}, **DAY)
    assert [(row[dimension], row["effective"]) for row in answer["totals"]] == [("x", "1")]


async def test_labels_that_look_like_sql_or_markup_are_just_labels(
    acme: httpx.AsyncClient, book: Book
) -> None:
    nasty = """'; DROP TABLE series; -- <script>"\\/ü%_"""
    await book.spend("acme", "2026-11-23T10:00Z", "3", team=nasty)
    answer = await ask(acme, filter__team=nasty, group_by="team", **DAY)
    assert [(row["team"], row["effective"]) for row in answer["totals"]] == [(nasty, "3")]


async def test_days_are_the_asked_zones_own_and_23_or_25_hours_long(
    acme: httpx.AsyncClient, book: Book
) -> None:
    # Berlin leaves summer time on 2026-10-25: that day is 24 Oct 22:00Z to 25 Oct 23:00Z.
    for at, amount in (("2026-10-24T21:59Z", "1"), ("2026-10-24T22:00Z", "10"), ("2026-10-25T22:59Z", "100"),
                       ("2026-10-25T23:00Z", "1000")):  # fmt: skip
        await book.spend("acme", at, amount)
    span = {"from": "2026-10-24T00:00:00+02:00", "to": "2026-10-27T00:00:00+01:00"}
    answer = await ask(acme, tz="Europe/Berlin", bucket="day", **span)
    assert [(row["bucket_start"], row["effective"]) for row in answer["series"]] == [
        ("2026-10-24T00:00:00+02:00", "1"),
        ("2026-10-25T00:00:00+02:00", "110"),
        ("2026-10-26T00:00:00+01:00", "1000"),
    ]
    # and enters it on 2026-03-29, a day of 23 hours
    for at, amount in (("2026-03-28T23:00Z", "2"), ("2026-03-29T21:59Z", "20"), ("2026-03-29T22:00Z", "200")):
        await book.spend("acme", at, amount)
    answer = await ask(acme, tz="Europe/Berlin", bucket="day",
                       **{"from": "2026-03-29T00:00:00+01:00", "to": "2026-03-31T00:00:00+02:00"})  # fmt: skip
    assert [row["effective"] for row in answer["series"]] == ["22", "200"]
    answer = await ask(acme, tz="Europe/Berlin", bucket="day", **{"from": "2026-03-29", "to": "2026-03-31"})
    assert [row["effective"] for row in answer["series"]] == ["22", "200"]


async def test_the_hour_that_comes_twice_is_two_buckets(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-10-25T00:30Z", "1")  # 02:30 summer time
    await book.spend("acme", "2026-10-25T01:30Z", "2")  # 02:30 again
    answer = await ask(acme, tz="Europe/Berlin", bucket="hour",
                       **{"from": "2026-10-25T00:00:00+02:00", "to": "2026-10-25T06:00:00+01:00"})  # fmt: skip
    assert [(row["bucket_start"], row["effective"]) for row in answer["series"]][2:4] == [
        ("2026-10-25T02:00:00+02:00", "1"),
        ("2026-10-25T02:00:00+01:00", "2"),
    ]
    assert len(answer["series"]) == 7


async def test_hours_of_kathmandu_begin_at_a_quarter_past_utcs(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:14Z", "1")
    await book.spend("acme", "2026-11-23T10:15Z", "2")
    answer = await ask(acme, tz="Asia/Kathmandu", bucket="hour", **DAY)
    spent = [row for row in answer["series"] if row["events"]]
    assert [(row["bucket_start"], row["effective"]) for row in spent] == [
        ("2026-11-23T15:00:00+05:45", "1"),
        ("2026-11-23T16:00:00+05:45", "2"),
    ]


async def test_without_tz_the_tenants_zone_decides(client: httpx.AsyncClient, book: Book) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('globex')}"
    await book.spend("globex", "2026-11-23T23:30Z", "1")
    answer = await ask(
        client, bucket="month", **{"from": "2026-10-31T23:00:00Z", "to": "2026-11-30T23:00:00Z"}
    )
    assert answer["tz"] == "Europe/Berlin"
    [month] = answer["series"]
    assert (month["bucket_start"], month["bucket_end"]) == (
        "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00",
    )  # fmt: skip
    answer = await ask(client, bucket="day", **DAY)
    assert [(row["bucket_start"], row["effective"]) for row in answer["series"]] == [
        ("2026-11-23T00:00:00+01:00", "0"),
        ("2026-11-24T00:00:00+01:00", "1"),
    ]


async def test_currencies_are_never_added_to_each_other(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="a", provisional="1")
    await book.spend("acme", "2026-11-23T10:00Z", "2", team="a", currency="EUR", provisional="2")
    answer = await ask(acme, group_by="team", bucket="day", **DAY)
    assert {(row["currency"], row["effective"]) for row in answer["totals"]} == {("USD", "1"), ("EUR", "2")}
    assert [(row["currency"], row["effective"]) for row in answer["series"]] == [("USD", "1"), ("EUR", "2")]
    assert (answer["currency"], answer["of_which_provisional"]) == ("USD", "1")


@pytest.mark.parametrize("usage", [True, False])
async def test_pages_of_a_series_are_the_series(acme: httpx.AsyncClient, book: Book, usage: bool) -> None:
    for minute in range(5):
        for team in ("a", "b", ""):
            await book.spend("acme", f"2026-11-23T10:0{minute}Z", "1", team=team, usage={"u": minute + 1})
            await book.spend("acme", f"2026-11-23T10:0{minute}Z", "2", team=team, currency="EUR")
    question = {"group_by": "team", "bucket": "minute", "usage": usage, **DAY}
    question |= {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T10:05:00Z"}
    whole = (await ask(acme, **question))["series"]
    assert len(whole) == 30
    pages: list[Any] = []
    cursor = ""
    while True:
        answer = await ask(acme, limit=4, cursor=cursor, **question)
        assert len(answer["totals"]) == 6
        pages += answer["series"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert pages == whole
    assert (whole[0]["usage"] == {"u": "1"}) is usage


async def test_an_answer_says_up_to_when_it_is_complete(acme: httpx.AsyncClient, book: Book) -> None:
    assert (await ask(acme))["complete_through"] is None
    at = datetime.now(UTC)
    through = at.isoformat().replace("+00:00", "Z")
    await book.partition(0, log_end=5, read_at=at, booked=5)
    answer = await ask(acme)
    assert (answer["complete_through"], answer["in_flight"]) == (through, 0)
    await book.partition(0, log_end=9, read_at=at + timedelta(seconds=1), booked=5)
    answer = await ask(acme)
    assert (answer["complete_through"], answer["in_flight"]) == (through, 4)


async def test_what_is_in_flight_is_unknown_when_it_was_measured_long_ago(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.partition(0, log_end=5, read_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC), booked=5)
    answer = await ask(acme)
    assert (answer["complete_through"], answer["in_flight"]) == ("2026-11-23T12:00:00Z", None)
    assert answer["in_flight_age_s"] > 3


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("group_by=user", "'user' is not one of cost_class, provider, sku, team"),
        ("group_by=team;drop", "is not one of"),
        ("filter.run=r1", "'run' is not one of cost_class"),
        ("tz=Mars/Olympus", "'Mars/Olympus' is not an IANA time zone"),
        ("from=2026-11-23T00:00:00", "from: has no offset: end it with Z or +01:00 (%2B01:00 in an address)"),
        ("from=2026-11-23T00:00:00+01:00", "from: has a space where its offset begins: a + in an address"),
        ("from=yesterday", "from: must be a day (2026-11-25) or an instant with its offset"),
        ("to=1764028800", "to: is a bare number, which could count seconds or milliseconds"),
        ("from=2026-02-30", "from: names a day or an hour that no calendar has"),
        ("range=today&from=2026-11-23", "range: stands instead of from and to"),
        ("range=tomorrow", "range: must be one of last_hour, last_24_hours, today, yesterday, this_week"),
        ("from=2026-11-23T00:00:00Z&to=2026-11-23T00:00:00Z", "must be before to"),
        ("from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "at most 400 days"),
        ("from=0001-01-01T00:00:00%2B14:00", "years 2000 to 2099"),
        ("from=9999-12-31T23:59:59-14:00", "years 2000 to 2099"),
        ("bucket=second", "bucket: must be one of minute, hour, day, week, month"),
        ("bucket=minute&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", "at most 3000 buckets"),
        ("measure=net", "measure: must be one of list, contracted, effective"),
        ("limit=0", "limit: must be at least 1"),
        ("cursor=nonsense", "cursor: is not one that this route gave out"),
        ("filter.team=%00", "NUL"),
        ("top=1001", "top: must be at most 1000"),
        ("usage=perhaps", "usage: must be true or false"),
        ("groupby=team", "groupby: is not a parameter here"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused_with_the_rule(
    acme: httpx.AsyncClient, query: str, reason: str
) -> None:
    answer = await acme.get(f"/v1/spend?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert reason in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"]
