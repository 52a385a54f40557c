"""The units that have columns in the rollups: one list, and what the schema and verify say of it."""

from __future__ import annotations

import asyncpg
import pytest

from spendmeter.book.units import UNIT_COLUMNS, quantities_of
from spendmeter.contracts.units import UNITS
from spendmeter.verify import sql as verify_sql


@pytest.mark.parametrize("table", ["rollups_minute", "rollups"])
async def test_the_tables_have_the_columns_that_the_list_names(book: asyncpg.Connection, table: str) -> None:
    columns = await book.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
        table,
    )
    names = [row["column_name"] for row in columns]
    assert names[names.index("usage") + 1 :] == list(UNIT_COLUMNS)


def test_each_is_a_unit_of_the_registry_and_verify_knows_the_same() -> None:
    assert UNITS.keys() >= set(UNIT_COLUMNS)
    assert verify_sql.UNIT_COLUMNS == UNIT_COLUMNS


def test_a_quantity_is_what_column_and_map_say_together_and_nothing_is_not_zero() -> None:
    row = dict.fromkeys(UNIT_COLUMNS) | {"input_tokens": 5, "searches": 0, "usage": None}
    assert quantities_of(row) == {"input_tokens": 5, "searches": 0}
    mixed = row | {"usage": '{"input_tokens": 2, "gb_months": 0.3}'}
    assert {unit: str(quantity) for unit, quantity in quantities_of(mixed).items()} == {
        "input_tokens": "7", "searches": "0", "gb_months": "0.3",
    }  # fmt: skip
