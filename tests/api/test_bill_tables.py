"""What an import asks of Postgres, by the rights of api: whose usage is metered, and which rows of a bill count."""

from __future__ import annotations

from typing import Any

import pytest

from services.api.database.transactions import Database
from services.api.imports.job import SQL
from services.api.imports.told import KnownRow
from spendmeter.contracts.series import Series
from spendmeter.platform.keys import parse_key
from spendmeter.platform.service_keys import ACCRUALS, key_id
from tests.api.book import Book

ROW, SNAPSHOT, HASH, OTHER = b"r" * 16, b"s" * 16, b"h" * 16, b"o" * 16


async def spent_by(book: Book, key: str, provider: str, **more: str) -> None:
    await book.series("acme", Series(key_id=key, provider=provider, **{"cost_class": "model", **more}))


async def key_of(book: Book, tenant: str, scope: str) -> str:
    parsed = parse_key(await book.key(tenant, scope))
    assert parsed is not None
    return parsed.key_id


async def test_what_bills_say_and_what_accrues_is_not_metered(book: Book, database: Database) -> None:
    """A commitment with a vendor would else keep this vendor's bill out of the book."""
    await spent_by(book, await key_of(book, "acme", "ingest"), "aws.bedrock")
    await spent_by(book, await key_of(book, "acme", "ingest"), "pinecone", cost_class="database")
    await spent_by(book, await key_of(book, "acme", "import"), "Mistral")
    await spent_by(book, await key_of(book, "", "import"), "OpenAI")
    await spent_by(book, key_id(ACCRUALS), "azure")
    await spent_by(book, "", "google", sku="true-up")
    async with database.reading("acme") as connection:
        rows = await connection.fetch(SQL["metered"], key_id(ACCRUALS))
    assert [row["provider"] for row in rows] == ["aws.bedrock"]


async def told(connection: Any, hash: bytes) -> None:
    await connection.execute(
        SQL["tell"], "acme", [ROW], [SNAPSHOT], ["focus:a/1"], ["e/1"], [0], [0], [hash], "i1"
    )


async def known(connection: Any) -> KnownRow:
    ((row),) = await connection.fetch(SQL["known"], [ROW])
    return KnownRow(**row)


async def missing(connection: Any) -> int:
    return len(await connection.fetch(SQL["missing"], [SNAPSHOT], "i2", b"", 10))


async def test_what_ingest_refused_is_in_no_bill_until_it_is_told_again(
    book: Book, database: Database
) -> None:
    async with database.writing("acme", by="test") as connection:
        await told(connection, HASH)
        assert await missing(connection) == 1
        await connection.execute(SQL["refused"], [ROW])
        assert (await known(connection)).is_refused
        assert await missing(connection) == 0, "nothing is retracted of what is nowhere"
        await told(connection, OTHER)
        again = await known(connection)
        assert (again.is_refused, again.is_retracted, again.hash) == (False, False, OTHER.hex())


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_what_was_retracted_is_not_taken_for_refused(
    book: Book, database: Database, acknowledged: bool
) -> None:
    """Of a row that nobody acknowledged the broker may hold the event: its id is not used again."""
    async with database.writing("acme", by="test") as connection:
        await told(connection, HASH)
        await connection.execute(SQL["told"], [ROW] if acknowledged else [])
        await connection.execute(SQL["retracted"], [ROW], "i2")
        found = await known(connection)
        assert (found.is_retracted, found.is_refused) == (True, False)
