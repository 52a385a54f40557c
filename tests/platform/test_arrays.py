"""Arrays as text, by hand and as Postgres reads them."""

import asyncpg

from spendmeter.platform.arrays import array


def test_elements_are_quoted_and_what_is_unknown_is_null() -> None:
    assert array(["a", None, "NULL", ""]) == '{"a",NULL,"NULL",""}'


def test_a_column_that_says_nothing_is_an_empty_array() -> None:
    assert array([None, None]) == array([]) == "{}"


def test_quotes_and_backslashes_are_escaped() -> None:
    assert array(['say "a\\b"', None]) == '{"say \\"a\\\\b\\"",NULL}'


async def test_postgres_reads_what_was_written(owner_url: str) -> None:
    values = ["{a,b}", '"', "\\", "\\\\x", " a ", "NULL", "", "ü\n\u2028", None, "'; --"]
    owner = await asyncpg.connect(owner_url)
    try:
        assert await owner.fetchval("SELECT $1::text::text[]", array(values)) == values
        digits = ["\\x00ff", "\\x22"]
        assert await owner.fetchval("SELECT $1::text::bytea[]", array(digits)) == [b"\x00\xff", b"\x22"]
    finally:
        await owner.close()
