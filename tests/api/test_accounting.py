"""GET /v1/accounting: what passed is what was counted, for operators and for one tenant."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from services.api.accounting.progress import BookProgress
from services.api.accounting.same_book import BookReplaced, SameBook
from services.api.accounting.upkeep import Upkeep
from services.api.database.transactions import Database
from tests.api.book import Book


async def fill(book: Book) -> None:
    now = datetime.now(UTC)
    await book.partition(0, log_end=20, read_at=now, booked=7, duplicate=2, conflict=1, rejected=3, holes=4)
    await book.partition(1, log_end=5, read_at=now, booked=5)
    await book.accounts(0, "acme", priced=5, unpriced=1, duplicate=2, rejected=1)
    await book.accounts(1, "acme", priced=4)
    await book.accounts(0, "globex", reported=1, conflict=1)
    await book.accounts(1, "globex", free=1)
    await book.accounts(0, "", rejected=2, holes=4)


async def test_a_database_that_is_another_one_or_went_back_ends_the_process(
    database: Database, book: Book
) -> None:
    """What api remembers is of the book that it has read."""
    await book.partition(0, log_end=9, read_at=datetime.now(UTC), booked=7)
    upkeep = Upkeep(database, BookProgress())
    await upkeep.look()
    await book.connection.execute("UPDATE positions SET next_origin = 8, booked = 8")
    await upkeep.look()
    await book.connection.execute("UPDATE positions SET next_origin = 7, booked = 7")
    with pytest.raises(BookReplaced, match="partition 0 was booked up to offset 8, and is up to 7 now"):
        await upkeep.look()
    same = SameBook()
    same.observe((1, 1, 5), [])
    with pytest.raises(BookReplaced, match="another database answers"):
        same.observe((1, 2, 5), [])


async def test_an_operator_sees_every_offset_by_partition_and_by_tenant(
    client: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    answer = (await client.get("/v1/accounting")).json()
    assert answer["balanced"] is True
    assert [(each["next_origin"], each["log_end"], each["in_flight"]) for each in answer["partitions"]] == [
        (17, 20, 3), (5, 5, 0),
    ]  # fmt: skip
    assert [(each["tenant"], each["booked"]) for each in answer["tenants"]] == [("acme", 10), ("globex", 2)]
    assert (answer["unattributable"]["rejected"], answer["unattributable"]["holes"]) == (2, 4)
    total = answer["total"]
    assert [total[name] for name in ("booked", "duplicate", "conflict", "rejected", "holes", "in_flight")] == [
        12, 2, 1, 3, 4, 3,
    ]  # fmt: skip
    assert (total["priced"], total["unpriced"], total["reported"], total["free"]) == (9, 1, 1, 1)


async def test_in_flight_is_unknown_when_nobody_measured_it_for_more_than_three_seconds(
    client: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    await book.connection.execute(
        "UPDATE log_ends SET read_at = read_at - interval '12 s' WHERE partition = 0"
    )
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    answer = (await client.get("/v1/accounting")).json()
    assert [each["in_flight"] for each in answer["partitions"]] == [None, 0]
    assert answer["total"]["in_flight"] is None
    assert 12 <= answer["total"]["in_flight_age_s"] < 60
    assert answer["total"]["booked"] == 12


async def test_a_tenant_sees_its_own_counts_alone(client: httpx.AsyncClient, book: Book) -> None:
    await fill(book)
    for headers in (
        {"Authorization": f"Bearer {await book.key('acme')}"},
        {"Authorization": f"Bearer {await book.key('', 'admin')}", "X-Spendmeter-Tenant": "acme"},
    ):
        answer = (await client.get("/v1/accounting", headers=headers)).json()
        assert (answer["partitions"], answer["unattributable"]) == ([], None)
        assert [each["tenant"] for each in answer["tenants"]] == ["acme"]
        assert (answer["total"]["booked"], answer["total"]["rejected"], answer["total"]["holes"]) == (
            10,
            1,
            0,
        )
        assert (answer["total"]["in_flight"], answer["balanced"]) == (3, True)


async def test_one_event_too_few_in_a_tenants_account_does_not_balance(
    client: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    await book.connection.execute(
        "UPDATE accounting SET priced = priced - 1 WHERE tenant = 'acme' AND partition = 1"
    )
    answer = await client.get("/v1/accounting", headers={"Authorization": f"Bearer {await book.key('acme')}"})
    assert answer.json()["balanced"] is False


async def test_what_was_booked_before_its_log_end_was_read_is_counted(
    client: httpx.AsyncClient, book: Book
) -> None:
    await fill(book)
    await book.connection.execute("DELETE FROM log_ends WHERE partition = 1")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    answer = (await client.get("/v1/accounting")).json()
    assert (answer["balanced"], answer["total"]["booked"], answer["complete_through"]) == (True, 12, None)


async def test_every_tenant_gets_its_pseudonym_keys_for_three_months(database: Database, book: Book) -> None:
    await book.connection.execute("DELETE FROM pseudonym_keys WHERE tenant = 'globex'")
    kept = await book.connection.fetch(
        "SELECT month, secret FROM pseudonym_keys WHERE tenant = 'acme' ORDER BY 1"
    )
    await Upkeep(database, BookProgress()).make_pseudonym_keys()
    counts = await book.connection.fetch("SELECT tenant, count(*) FROM pseudonym_keys GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in counts] == [("acme", 3), ("globex", 3)]
    assert kept == await book.connection.fetch(
        "SELECT month, secret FROM pseudonym_keys WHERE tenant = 'acme' ORDER BY 1"
    )


async def test_money_under_remarks_counts_an_event_once_and_under_each_kind_that_it_has(
    client: httpx.AsyncClient, book: Book
) -> None:
    now = datetime.now(UTC)
    await book.under_remarks("acme", "0.5", now, events=3, region="eu-west-9")
    await book.under_remarks("acme", "0.25", now, region="eu-west-9", tier="fast")
    await book.under_remarks("acme", "-0.125", now, events=-1, region="eu-west-9", shard=-1)
    await book.under_remarks("globex", "7", now, batch=True, currency="EUR")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    everybodys = (await client.get("/v1/accounting")).json()["remarks"]
    mine = (await client.get("/v1/accounting", headers={"X-Spendmeter-Tenant": "acme"})).json()["remarks"]
    dollars = {
        "currency": "USD", "events": 3, "effective": "0.625",
        "by_kind": {
            "tier": {"events": 1, "effective": "0.25"}, "region": {"events": 3, "effective": "0.625"},
        },
    }  # fmt: skip
    assert mine == [dollars]
    assert [each["currency"] for each in everybodys] == ["EUR", "USD"]
    assert everybodys[0]["by_kind"] == {"batch": {"events": 1, "effective": "7"}}
    assert everybodys[1] == dollars
