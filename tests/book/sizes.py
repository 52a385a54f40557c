"""Every size of rollup beside a GROUP BY of the entries, by SQL that shares nothing with what makes them."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from spendmeter.book.units import UNIT_COLUMNS
from spendmeter.platform.sql import load_sql

UNITS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "requests", "gb_months"
)  # fmt: skip
"""Those that tests use; one of them has no column of its own."""
SUMS = ("events", "unpriced", "list", "contracted", "effective", "provisional", *UNITS)

ADDED_UP_S_MAX = 1800


def _each(form: str, names: tuple[str, ...] = UNITS) -> str:
    return ", ".join(form.format(name) for name in names)


_PARTS = {
    "counted": _each("sum(sign * (quantities.usage ->> '{0}')::numeric) AS {0}"),
    "summed": _each("sum({0}) AS {0}"),
    "held": ", ".join(
        f"sum(coalesce({unit if unit in UNIT_COLUMNS else 'NULL'}, 0)"
        f" + coalesce((usage ->> '{unit}')::numeric, 0)) AS {unit}"
        for unit in UNITS
    ),
    "columns": ", ".join(unit for unit in UNITS if unit in UNIT_COLUMNS),
    "differs": "({}) <> ({})".format(
        *(_each("coalesce(" + side + ".{0}, 0)", SUMS) for side in ("said", "should"))
    ),
}
SQL = load_sql(Path(__file__).with_suffix(".sql"), _PARTS)


async def wrong_sums(owner: asyncpg.Connection) -> list[str]:
    """What is summed up or counted and is not what the entries come to; of a book that nobody writes just now."""
    await owner.execute(
        "ANALYZE entries, rollups_minute, rollups, tenant_terms"
    )  # of what came a moment ago, too
    found = {name: await owner.fetch(text, timeout=ADDED_UP_S_MAX) for name, text in SQL.items()}
    return [f"{name}: {dict(row)}" for name, rows in found.items() for row in rows]
