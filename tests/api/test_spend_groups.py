"""Many groups: the largest by name, the others in one row that makes the sum exact, and pages through the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from services.api.spend.closed import GroupSum
from services.api.spend.pages import GroupTotal, page_of
from tests.api.book import Book
from tests.api.test_spend import DAY, ask

LABELS = 20_000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def many(book: Book, labels: int, *, tenant: str = "acme", at: str = "2026-11-23T10:00Z") -> None:
    """Workflow wf-i spent i cents, for i from 1; half of them in EUR too, a tenth of it."""
    await book.connection.execute(
        "INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, "
        "workflow_version, agent, environment, key_id) SELECT $2, decode(md5(i::text), 'hex'), 'model', "
        "'openai', 'gpt-4o', '', '', '', 'wf-' || i, '', '', '', '' FROM generate_series(1, $1::int) AS i",
        labels, tenant,
    )  # fmt: skip
    await book.connection.execute(
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
        "SELECT $2::timestamptz, '2026-11-23', i % 4, $3, decode(md5(i::text), 'hex'), c.currency, 1, 0, "
        "c.amount, c.amount, c.amount, 0, '{\"input_tokens\": 2}' FROM generate_series(1, $1::int) AS i, "
        "LATERAL (VALUES ('USD', 0.01 * i), ('EUR', 0.001 * i)) AS c (currency, amount) "
        "WHERE c.currency = 'USD' OR i % 2 = 0",
        labels, datetime.fromisoformat(at), tenant,
    )  # fmt: skip
    await book.touch(tenant, datetime.fromisoformat(at))


async def test_twenty_thousand_label_values_are_the_largest_by_name_and_the_others_in_one_row(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await many(book, LABELS)
    answer = await ask(acme, group_by="workflow", top=3, bucket="day", **DAY)
    assert [
        (row["workflow"], row["currency"], row["effective"], row["others"]) for row in answer["totals"]
    ] == [
        ("wf-20000", "USD", "200", 0),
        ("wf-19999", "USD", "199.99", 0),
        ("wf-19998", "USD", "199.98", 0),
        (None, "USD", "1999500.03", 19_997),  # 200.01 x 10,000 = 2,000,100 in all
        ("wf-20000", "EUR", "20", 0),
        ("wf-19998", "EUR", "19.998", 0),
        ("wf-19996", "EUR", "19.996", 0),
        (None, "EUR", "99950.006", 9_997),  # the even ones: 0.002 x (1 + ... + 10,000) = 100,010 in all
    ]
    assert answer["totals"][3]["usage"] == {"input_tokens": "39994"}
    assert [row["effective"] for row in answer["series"]] == [row["effective"] for row in answer["totals"]]
    assert answer["series"][3]["usage"] == {"input_tokens": "39994"}


async def test_label_values_that_are_in_no_statistics_yet_are_summed_all_the_same(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await many(book, 500, tenant="globex")
    await book.connection.execute("ANALYZE series, rollups_minute")
    await many(book, LABELS)
    answer = await ask(acme, group_by="workflow", top=1, bucket="day", **DAY)
    assert [(row["currency"], row["effective"], row["others"]) for row in answer["totals"]] == [
        ("USD", "200", 0), ("USD", "1999900", 19_999), ("EUR", "20", 0), ("EUR", "99990", 9_999),
    ]  # fmt: skip
    assert [row["usage"] for row in answer["series"]] == [row["usage"] for row in answer["totals"]]


async def test_a_minute_without_data_has_no_groups_however_many_were_ever_seen(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await many(book, LABELS)
    empty = {"from": "2026-11-23T11:00:00Z", "to": "2026-11-23T11:01:00Z"}
    answer = await ask(acme, group_by="workflow", bucket="minute", **empty)
    assert (answer["totals"], answer["series"], answer["next_groups"]) == ([], [], None)


async def test_pages_name_every_group_once_and_each_adds_up_to_the_whole(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await many(book, 25)
    question = {"group_by": "workflow", "top": 10, **DAY}
    named: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await ask(acme, cursor=cursor, **question)
        for currency, whole in (("USD", "3.25"), ("EUR", "0.156")):  # 0.01 x 325, 0.002 x 78
            rows = [row for row in answer["totals"] if row["currency"] == currency]
            assert sum(Decimal(row["effective"]) for row in rows) == Decimal(whole)
        named += [(row["currency"], row["workflow"]) for row in answer["totals"] if not row["others"]]
        cursor = answer["next_groups"]
    assert len(named) == len(set(named)) == 25 + 12
    assert named[:2] == [("USD", "wf-25"), ("USD", "wf-24")]


async def test_a_cursor_goes_on_in_its_own_question_and_span_alone(
    acme: httpx.AsyncClient, book: Book
) -> None:
    now = datetime.now(UTC)
    await many(book, 5, at=(now - timedelta(minutes=2)).isoformat())
    first = await ask(acme, group_by="workflow", top=2, range="last_hour")
    second = await ask(acme, group_by="workflow", top=2, range="last_hour", cursor=first["next_groups"])
    assert (second["from"], second["to"]) == (first["from"], first["to"])
    answer = await acme.get(
        "/v1/spend", params={"group_by": "team", "range": "last_hour", "cursor": first["next_groups"]}
    )
    assert answer.status_code == 422
    assert "belongs to another question" in answer.json()["detail"]


async def test_two_dimensions_and_names_that_run_into_each_other_stay_apart(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "1", team="a", agent="bc")
    await book.spend("acme", "2026-11-23T10:00Z", "2", team="ab", agent="c")
    await book.spend("acme", "2026-11-23T10:00Z", "4", team="others", agent="")
    answer = await ask(acme, group_by="agent,team", top=2, **DAY)
    assert [(row["agent"], row["team"], row["effective"], row["others"]) for row in answer["totals"]] == [
        ("", "others", "4", 0), ("c", "ab", "2", 0), (None, None, "1", 1),
    ]  # fmt: skip


async def test_buckets_in_which_nothing_was_spent_are_zeros_and_cut_ones_say_so(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", "2026-11-23T10:30Z", "1", team="a")
    await book.spend("acme", "2026-11-23T12:30Z", "2", team="b")
    span = {"from": "2026-11-23T10:15:00Z", "to": "2026-11-23T13:45:00Z"}
    answer = await ask(acme, group_by="team", bucket="hour", **span)
    assert [(row["bucket_start"][11:13], row["team"], row["effective"], row["cut"]) for row in answer["series"]] == [
        ("10", "b", "0", ["start"]), ("10", "a", "1", ["start"]), ("11", "b", "0", []), ("11", "a", "0", []),
        ("12", "b", "2", []), ("12", "a", "0", []), ("13", "b", "0", ["end"]), ("13", "a", "0", ["end"]),
    ]  # fmt: skip
    ungrouped = await ask(acme, bucket="week", **{"from": "2026-11-01", "to": "2026-11-23"})
    assert [(row["bucket_start"][:10], row["effective"], row["cut"]) for row in ungrouped["series"]] == [
        ("2026-10-26", "0", ["start"]), ("2026-11-02", "0", []), ("2026-11-09", "0", []), ("2026-11-16", "0", []),
    ]  # fmt: skip


async def test_the_open_bucket_says_so_and_those_to_come_are_not_zeros(
    acme: httpx.AsyncClient, book: Book
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=3)).isoformat()}
    rows = (await ask(acme, bucket="hour", **span))["series"]
    assert [row["cut"] for row in rows[:2]] == [[], ["open"]]
    assert len(rows) <= 3  # the clock may have struck meanwhile
    await book.spend("acme", (now + timedelta(hours=2)).isoformat(), "1")  # an event of the next hours
    rows = (await ask(acme, bucket="hour", **span))["series"]
    assert [row["effective"] for row in rows] == ["0", "0", "0", "1"]


async def test_pages_of_a_series_end_within_a_bucket_and_go_on_there(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await many(book, 7)
    question = {"group_by": "workflow", "top": 2, "bucket": "hour", **DAY}
    whole = await ask(acme, **question)
    assert len(whole["series"]) == 24 * 6  # of each currency two by name and the others
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await ask(acme, cursor=cursor, limit=31, **question)
        assert answer["totals"] == whole["totals"]
        pages += answer["series"]
        cursor = answer["next_cursor"]
    assert pages == whole["series"]


async def test_a_bucket_that_is_to_come_is_unknown_and_not_0_though_nothing_else_was_spent_either(
    acme: httpx.AsyncClient,
) -> None:
    begins = (datetime.now(UTC) + timedelta(days=40)).date()
    span = {"from": f"{begins}", "to": f"{begins + timedelta(days=20)}"}
    assert (await ask(acme, bucket="week", **span))["series"] == []
    assert (await ask(acme, bucket="day", **DAY))["series"][0]["effective"] == "0"


def test_a_cursor_that_somebody_made_up_asks_for_no_more_rows_than_a_page_has() -> None:
    edges = [NOON + timedelta(minutes=minute) for minute in range(3_001)]
    totals = [
        GroupTotal(currency="USD", place=place, others=0, group={}, spent=GroupSum(NOON, {}, {}))
        for place in range(1, 1_001)
    ]
    now = edges[-1] + timedelta(days=1)
    page, following = page_of(totals, edges, (1, 2_500_001), 5, now)
    assert (page.first, page.last, following) == (2_501, 2_501, (2_501, 6))
    assert [(n, each.place) for n, each in page.cells(totals)] == [(2_501, place) for place in range(2, 7)]
    assert page_of(totals, edges, (3_000, 10**8), 5, now)[0].cells(totals) == []
