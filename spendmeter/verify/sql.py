"""The SQL by which verify reads the book."""

from pathlib import Path

from spendmeter.platform.sql import load_sql

UNIT_COLUMNS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "embedding_tokens", "requests", "searches",
)  # fmt: skip
"""Units that have a column in the rollups. Written down once more: nothing is shared with who fills them."""


def _each(form: str) -> str:
    return ", ".join(form.format(unit) for unit in UNIT_COLUMNS)


_PARTS = {
    "units": _each("{0}"),
    "unit_pairs": _each("('{0}', r.{0})"),
    "unit_sums": _each("sum(p.{0}) AS {0}"),
    # what a ledger of an earlier release has put into the map
    "units_whole": _each(
        "coalesce({0} + (usage ->> '{0}')::numeric, {0}, (usage ->> '{0}')::numeric) AS {0}"
    ),
    "usage_rest": "usage - string_to_array('" + ",".join(UNIT_COLUMNS) + "', ',')",
    "units_should": _each("s.{0}"),
    "units_said": _each("r.{0}"),
}
SQL = load_sql(Path(__file__).with_name("verify.sql"), _PARTS)
