"""Recording: numbered publications, what was withdrawn is stated anew, and what api alone may record."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from deploy.release import prepare_database
from spendmeter.contracts.catalog import Withdrawal, decode_catalog
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.catalog_store import Outdated, read_publication, record
from spendmeter.platform.roles import role_url
from spendmeter.pricing.catalog import load_own, load_public, load_snapshot
from spendmeter.pricing.price_book import PriceBook
from tests.databases import migrated_database
from tests.pricing.entries import RECORDED, price

OURS, THEIRS = price("m", "input_tokens", "1"), price("m", "output_tokens", "2")
RIVAL = price("m", "input_tokens", "3")


@pytest.fixture
async def database(owner_url: str) -> str:
    return await migrated_database(owner_url, "store")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def api(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(role_url(database, "api", "test"))
    yield connection
    await connection.close()


async def in_force(connection: asyncpg.Connection) -> dict[str, str]:
    """Unit to price, of a book that compiles."""
    rows = await connection.fetch("SELECT body FROM catalog_to_publish(0)")
    book = PriceBook([decode_catalog(row["body"]) for row in rows])
    return {entry.unit: entry.price for prices in book.prices.values() for entry in prices}


def withdrawal(*ids: str, tenant: str = "") -> Withdrawal:
    return identified(Withdrawal(entries=ids, tenant=tenant, source="test", recorded_at=RECORDED))


async def test_a_price_stated_again_after_its_withdrawal_is_in_force_again(owner: asyncpg.Connection) -> None:
    assert await record(owner, [OURS], by="ann", note="") == 1
    assert await record(owner, [OURS], by="ann", note="") is None, "nothing is new"
    for version in (2, 4):
        standing = await owner.fetchval("SELECT id FROM catalog_entries WHERE version = $1", version - 1)
        assert await record(owner, [withdrawal(standing)], by="bob", note="") == version
        assert await in_force(owner) == {}
        assert await record(owner, [OURS], by="ann", note="") == version + 1
        assert await in_force(owner) == {"input_tokens": "1"}
    rows = await owner.fetch(
        "SELECT coalesce(body::json ->> 'revision', '0') AS revision FROM catalog_entries WHERE sku = 'm'"
    )
    assert sorted(row["revision"] for row in rows) == ["0", "1", "2"]
    assert await owner.fetchval("SELECT entries FROM catalog_publications WHERE version = 5") == 5


async def test_a_release_states_its_own_again_and_leaves_what_an_operator_took_out(
    owner: asyncpg.Connection,
) -> None:
    async def release(*entries: object) -> int | None:
        return await record(owner, entries, by="migrate", note="", replaces=True)

    assert await release(OURS, THEIRS) == 1
    assert await release(THEIRS) == 2
    assert await in_force(owner) == {"output_tokens": "2"}
    assert await release(OURS, THEIRS) == 3, "migrate alone had withdrawn it"
    assert await in_force(owner) == {"input_tokens": "1", "output_tokens": "2"}
    await record(
        owner, [withdrawal(THEIRS.id), RIVAL, withdrawal(*await ids(owner, "input_tokens"))], by="op", note=""
    )
    assert await in_force(owner) == {"input_tokens": "3"}
    assert await release(OURS, THEIRS) is None
    assert await in_force(owner) == {"input_tokens": "3"}


async def test_a_release_that_contradicts_what_stands_is_not_recorded_and_says_so(
    database: str, owner: asyncpg.Connection
) -> None:
    mine = price("o3", "input_tokens", "0.123")  # public, and since ever: as the shipped one is since June
    await record(owner, [mine], by="op", note="")
    trouble = await prepare_database(database, "test")
    assert "was not recorded" in trouble and mine.id in trouble
    assert await in_force(owner) == {"input_tokens": "0.123"}
    await record(owner, [withdrawal(mine.id)], by="op", note="")
    assert await prepare_database(database, "test") == ""
    assert len(await in_force(owner)) > 20


async def test_an_installation_of_before_the_corrections_gets_them_as_one_publication(
    database: str, owner: asyncpg.Connection
) -> None:
    before, after = [*load_public(), *load_own()], {entry.id for entry in load_snapshot()}
    assert await record(owner, before, by="migrate", note="the last release", replaces=True) == 1
    assert await prepare_database(database, "test") == ""
    entries, version = await read_publication(owner)
    assert version == 2
    assert {entry.id for entry in entries if entry.version == 1} == {entry.id for entry in before}
    gone = [key for entry in entries if isinstance(entry, Withdrawal) for key in entry.entries]
    assert sorted(gone) == sorted({entry.id for entry in before} - after), "what corrections replace, once"
    standing = {entry.id for entry in entries if not isinstance(entry, Withdrawal)} - set(gone)
    assert standing == after
    PriceBook(entries, version)
    assert await prepare_database(database, "test") == ""
    assert (await read_publication(owner))[1] == 2, "a second start finds nothing to do"


async def ids(owner: asyncpg.Connection, unit: str) -> list[str]:
    """Of the entries of a unit that nobody has withdrawn."""
    rows = await owner.fetch(
        "SELECT id FROM catalog_entries JOIN catalog_standing() USING (id) "
        "WHERE body::json ->> 'unit' = $1 AND withdrawn_by = '{}'", unit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def test_who_checked_an_older_publication_records_nothing(owner: asyncpg.Connection) -> None:
    await record(owner, [OURS], by="ann", note="", base=0)
    with pytest.raises(Outdated):
        await record(owner, [THEIRS], by="ann", note="", base=0)
    assert await record(owner, [THEIRS], by="ann", note="", base=1) == 2


async def test_api_records_what_it_may_and_has_no_other_way(
    api: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    async def as_tenant(tenant: str, *entries: object) -> int | None:
        async with api.transaction():
            await api.execute(
                "SELECT set_config('app.tenant', $1, true), set_config('app.actor', 'key k1', true)", tenant
            )
            return await record(api, entries, by="key k1", note="")

    own = identified(msgspec.structs.replace(OURS, tenant="acme", layer="organisation"))
    assert await as_tenant("*", OURS) == 1
    assert await as_tenant("acme", own) == 2
    for tenant, entry in (("acme", THEIRS), ("globex", own), ("", THEIRS)):
        fresh = identified(msgspec.structs.replace(entry, price="9"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_tenant(tenant, fresh)
    assert await owner.fetchval("SELECT max(version) FROM catalog_publications") == 2
    for statement in (
        "INSERT INTO catalog_publications VALUES (3, 0, '')",
        "INSERT INTO catalog_entries (id, type, body, version, recorded_by) VALUES ('x', '', '{}', 3, '')",
        "UPDATE catalog_entries SET body = '{}'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.execute(statement)
