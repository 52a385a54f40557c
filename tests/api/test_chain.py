"""Roots of closed days as a tenant reads them; that the book was put back is an operator's act, and stays."""

from __future__ import annotations

import json

import httpx
import pytest

from services.ledger.roots import named
from spendmeter.contracts.chain import ChainDay, decode_chain, root_of
from tests.api.book import Book

DAYS = ("2026-11-24", "2026-11-25", "2026-11-26")


@pytest.fixture(autouse=True)
async def chain(book: Book) -> None:
    """Three days of acme's, one of globex's."""
    await book.connection.execute(
        "DELETE FROM chain_days; DELETE FROM chain_put_backs; DELETE FROM chain_progress; "
        "INSERT INTO chain_progress (closing_through, closed_through) VALUES ('2026-11-26', '2026-11-26')"
    )
    previous: str = ""
    for number, (tenant, day) in enumerate([("globex", DAYS[0]), *(("acme", day) for day in DAYS)]):
        before = DAYS[number - 2] if number > 1 else None
        told = json.dumps({"USD": {"list": "1.5", "contracted": "1.5", "effective": "1"}})
        said = {
            "type": "spendmeter.chain.day.v1", "tenant": tenant, "epoch": 1, "day": day, "previous_day": before,
            "previous": previous if before else "", "leaves": 2, "sums": json.loads(told), "link": "00" * 32,
            "root": "", "closed_at": "2026-11-27T00:01:00Z",
        }  # fmt: skip
        record = decode_chain(json.dumps(said).encode())
        assert isinstance(record, ChainDay)
        previous = root_of(record)
        await book.connection.execute(
            "INSERT INTO chain_days (tenant, day, epoch, previous_day, previous, leaves, sums, link, root, closed_at) "
            "VALUES ($1, $2, 1, $3, $4, 2, $5, $6, $7, $8)",
            tenant, record.day, record.previous_day, record.previous, told, record.link, previous, record.closed_at,
        )  # fmt: skip


async def test_a_tenant_reads_its_own_roots_newest_first_and_each_can_be_made_again(
    acme: httpx.AsyncClient,
) -> None:
    first = (await acme.get("/v1/chain", params={"limit": 2})).json()
    more = (await acme.get("/v1/chain", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    days = first["days"] + more["days"]
    assert [(each["tenant"], each["day"]) for each in days] == [("acme", day) for day in reversed(DAYS)]
    assert (first["closed_through"], first["agrees"], more["next_cursor"]) == ("2026-11-26", True, None)
    for each, before in zip(days, [*days[1:], {"root": ""}], strict=True):
        record = decode_chain(json.dumps(each).encode())
        assert isinstance(record, ChainDay)
        assert root_of(record) == record.root
        assert record.previous == before["root"]


async def test_days_are_asked_for_by_their_span(acme: httpx.AsyncClient) -> None:
    asked = {"from": DAYS[1], "to": DAYS[2]}
    assert [each["day"] for each in (await acme.get("/v1/chain", params=asked)).json()["days"]] == [DAYS[1]]
    assert (await acme.get("/v1/chain", params={"from": DAYS[2], "to": DAYS[1]})).status_code == 422


async def test_that_the_book_was_put_back_is_said_by_an_operator_once_and_audited(
    book: Book, client: httpx.AsyncClient
) -> None:
    acme, operator = [
        {"Authorization": f"Bearer {key}"}
        for key in (await book.key("acme", "admin"), await book.key("", "admin"))
    ]
    body = {"reason": "disk lost; backup of 2026-11-24 restored"}
    assert (await client.post("/v1/chain/put-backs", json=body, headers=acme)).status_code == 403
    refused = await client.post("/v1/chain/put-backs", json=body, headers=operator)
    assert refused.status_code == 409, refused.text

    await book.connection.execute(
        "UPDATE chain_progress SET refused = $1, epoch_seen = 4, closed_through = '2026-11-24'",
        named(["acme 2026-11-25"]),
    )
    seen = (await client.get("/v1/chain", headers=acme)).json()
    assert (seen["agrees"], seen["contradictions"]) == (False, "")  # it may name others
    told = (await client.get("/v1/chain", headers=operator)).json()
    assert (told["contradictions"], told["days"]) == ("acme 2026-11-25", [])

    said = await client.post("/v1/chain/put-backs", json=body, headers=operator)
    assert said.status_code == 201, said.text
    assert (said.json()["epoch"], said.json()["stands_through"]) == (5, "2026-11-24")
    again = await client.post("/v1/chain/put-backs", json=body, headers=operator)
    assert again.status_code == 409  # the ledger has not told it yet
    [put_back] = (await client.get("/v1/chain", headers=acme)).json()["put_backs"]
    assert (put_back["reason"], put_back["by"][:4]) == (body["reason"], "key ")
    asked = {"object": "chain_put_backs"}
    audited = (await client.get("/v1/audit", params=asked, headers=operator)).json()["changes"]
    assert [(each["act"], each["by"]) for each in audited] == [("made", put_back["by"])]
