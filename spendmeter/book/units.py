"""Which quantities have a column of their own in the rollups: nearly all rows have no others. Pure.

Layout, not meaning: a unit's quantity is what its column and the map `usage` say together. Null, and left out
of the map, where no event stated it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from spendmeter.contracts.money import EXACT

UNIT_COLUMNS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "embedding_tokens", "requests", "searches",
)  # fmt: skip
"""The commonest units. One more is a migration like 0017, a name here and one in `verify/sql.py`."""

_decode_rest = msgspec.json.Decoder(dict[str, Decimal]).decode


def _each(form: str) -> str:
    return ", ".join(form.format(unit) for unit in UNIT_COLUMNS)


_UNITS_ADDED = _each("{0} = coalesce(r.{0} + excluded.{0}, r.{0}, excluded.{0})")

UNIT_PARTS = {
    "units": _each("{0}"),
    "unit_sums": _each("sum({0}) AS {0}"),
    "unit_arrays": ", ".join(f"${n}::text::numeric[]" for n in range(13, 13 + len(UNIT_COLUMNS))),
    "units_whole": _each("coalesce({0} + (usage ->> '{0}')::numeric, {0}, (usage ->> '{0}')::numeric)"),
    "usage_rest": "nullif(usage - string_to_array('" + ",".join(UNIT_COLUMNS) + "', ','), '{}')",
    "units_replaced": _each("{0} = excluded.{0}"),
    "sums_added": f"""events = r.events + excluded.events,
    unpriced_events = r.unpriced_events + excluded.unpriced_events,
    list = r.list + excluded.list,
    contracted = r.contracted + excluded.contracted,
    effective = r.effective + excluded.effective,
    of_which_provisional = r.of_which_provisional + excluded.of_which_provisional,
    {_UNITS_ADDED},
    usage = CASE WHEN r.usage IS NULL OR excluded.usage IS NULL THEN coalesce(r.usage, excluded.usage)
        ELSE usage_sum(r.usage, excluded.usage) END""",
}
"""What SQL says of all these columns, by what stands for it in braces (`load_sql`). Arrays are the last
parameters of `rollups.sql`, after twelve others; `sums_added`: what is added to the row r that there is."""


def quantities_of(row: Mapping[str, Any]) -> dict[str, Decimal]:
    """All quantities of a row that has the unit columns and `usage`."""
    found = {unit: row[unit] for unit in UNIT_COLUMNS if row[unit] is not None}
    for unit, quantity in _decode_rest(row["usage"] or "{}").items():
        found[unit] = EXACT.add(found[unit], quantity) if unit in found else quantity
    return found
