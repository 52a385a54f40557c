"""I5, and that each identity is claimed by its entry: sums and joins over the whole book, made by Postgres.

Two sums of the rollups, by different code: row by row, in SQL, from the entries that the walk holds against
the topic; and by hour the walk's own, in Python.
"""

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE
from spendmeter.verify.sums import COLUMNS, HourSum, HourSums
from spendmeter.verify.terms import BEGINNING, END

_REGISTRY = tomllib.loads((Path(__file__).parents[1] / "contracts" / "units.toml").read_text("utf-8"))
UNITS = [name for name, unit in _REGISTRY.items() if "since" not in unit]
"""The shipped registry, read as data: no code is shared with what is checked. A unit that joined it later is
held to what holds for other names: of the events before, that is all that was added of it."""
OTHERS_COUNTED_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
OTHERS_COUNTED = 8
"""Of names that are not in the registry, an event that was received since then adds at least so many."""
_BY_RULE = (UNITS, OTHERS_COUNTED_FROM, OTHERS_COUNTED)
SPELLINGS_OWN = 200
"""Of a tenant, a day and a shard so many rows of money under remarks are of one spelling, before there are
rows of others."""


async def check_in_database(connection: Any, report: Report) -> None:
    """Claims, and every rollup row, in the caller's snapshot."""
    async for row in connection.cursor(SQL["identities"], prefetch=ROWS_AT_ONCE):
        report.find("I1", "missing: claimed, but there is no entry", _identity_name(row))
    async for row in connection.cursor(SQL["unclaimed"], prefetch=ROWS_AT_ONCE):
        other = f"{row['other_partition']}@{row['other_offset']}"
        claimed = row["other_partition"] is not None
        what = f"doubled: the identity was claimed by {other}" if claimed else "not claimed"
        report.find("I1", what, _identity_name(row))
    report.check("I5", await connection.fetchval(SQL["rollups_count"]))
    await check_minutes(connection, BEGINNING, END, report)
    async for row in connection.cursor(SQL["dropped_faults"], prefetch=ROWS_AT_ONCE):
        _find_larger(row, report)
    asked = (*_BY_RULE, BEGINNING, END)
    async for row in connection.cursor(SQL["dropped_usage_faults"], *asked, prefetch=ROWS_AT_ONCE):
        said, should = (_plain(row[side]) for side in ("said", "should"))
        report.find("I5", f"usage of {row['unit']} is {said}, its entries say {should}", _larger_name(row))
    report.check("I5", await connection.fetchval(SQL["larger_count"]))
    await check_larger(connection, BEGINNING, END, report)
    report.check("I5", await connection.fetchval(SQL["remarks_count"]))
    async for row in connection.cursor(SQL["remark_faults"], SPELLINGS_OWN, prefetch=ROWS_AT_ONCE):
        _find_remark(row, report)


async def check_minutes(connection: Any, since: datetime, until: datetime, report: Report) -> None:
    """Every rollup row of the minutes in [since, until) that are kept, in the caller's snapshot."""
    async for row in connection.cursor(SQL["rollup_faults"], since, until, prefetch=ROWS_AT_ONCE):
        _find_row(row, report)
    asked = (*_BY_RULE, since, until)
    async for row in connection.cursor(SQL["rollup_usage_faults"], *asked, prefetch=ROWS_AT_ONCE):
        said, should = (_plain(row[side]) for side in ("said", "should"))
        what = f"usage of {row['unit']} is {said}, its entries say {should}"
        report.find("I5", what, _rollup_name(row))


async def check_larger(connection: Any, since: datetime, until: datetime, report: Report) -> None:
    """Every larger rollup that begins in [since, until), in the caller's snapshot."""
    async for row in connection.cursor(SQL["larger_faults"], since, until, prefetch=ROWS_AT_ONCE):
        _find_larger(row, report)


def _find_remark(row: Any, report: Report) -> None:
    kinds = ["batch"] * row["batch"] + [f"{kind} {row[kind]!r}" for kind in ("tier", "region") if row[kind]]
    named = (
        f"{row['tenant']} {row['provider'] or 'all other providers'} {', '.join(kinds)} "
        f"shard {row['shard']} of {row['recorded_on']} {row['currency']}"
    )
    said, should = (" events of ".join(map(_plain, row[side])) for side in ("said", "should"))
    what = "the same, and their times are not" if said == should else f"its entries' are {should}"
    report.find("I5", f"money under remarks: {said}, {what}", named)


def _find_row(row: Any, report: Report) -> None:
    if row["missing"]:
        events = _plain(row["should"][0])
        report.find("I5", f"missing: {events} entries have no rollup", _rollup_name(row))
        return
    for name, said, should in zip(COLUMNS, row["said"], row["should"], strict=True):
        if said != (should or 0):
            what = f"{name} is {_plain(said)}, its entries say {_plain(should)}"
            report.find("I5", what, _rollup_name(row))


def _larger_name(row: Any) -> str:
    return (
        f"{row['tenant']} {row['size'].replace('_', ' ')} from {row['bucket']:%Y-%m-%dT%H:%MZ} "
        f"series {row['series_id'].hex()} {row['currency']}"
    )


def _find_larger(row: Any, report: Report) -> None:
    named = _larger_name(row)
    if row["missing"]:
        report.find("I5", f"missing: {_plain(row['should'][0])} events have no such rollup", named)
        return
    wrong = [
        f"{name} is {_plain(said)}, what it is made of says {_plain(should)}"
        for name, said, should in zip(COLUMNS, row["said"], row["should"], strict=True)
        if said != should
    ]
    report.find("I5", "; ".join(wrong) or "usage is not that of what it is made of", named)


async def check_hours(connection: Any, sums: HourSums, report: Report) -> None:
    """The walk's own sums against the rollups', where these have minutes. Named where the rows themselves
    were found right: what is wrong with a row is wrong with its hour too."""
    kept_since = await connection.fetchval(SQL["minutes_kept"])
    others = HourSum()
    left = {key: own for key, own in sums.by_key.items() if kept_since is None or key[1] >= kept_since}
    rows_are_wrong = bool(report.found["I5"])
    full = len(sums.by_key) >= sums.sums_max
    async for row in connection.cursor(SQL["rollup_hours"], prefetch=ROWS_AT_ONCE):
        report.check("I5")
        key = (row["tenant"], row["hour"], row["currency"])
        own = left.pop(key, None)
        if own is None and full:
            for name in COLUMNS:
                setattr(others, name, getattr(others, name) + row[name])
        elif not rows_are_wrong:
            _compare_hour(f"{key[0]} in {key[1]:%Y-%m-%dT%H}Z, {key[2]}", row, own or HourSum(), report)
    if rows_are_wrong:
        return
    nothing = dict.fromkeys(COLUMNS, 0)
    for (tenant, hour, currency), own in left.items():
        _compare_hour(f"{tenant} in {hour:%Y-%m-%dT%H}Z, {currency}", nothing, own, report)
    said = {name: getattr(others, name) for name in COLUMNS}
    if full and kept_since is not None:
        report.pass_over("I5", "the walk's own sums of others: some are of hours whose minutes are dropped")
    else:
        _compare_hour("all other tenants and hours", said, sums.others, report)


def _compare_hour(named: str, said: Any, own: HourSum, report: Report) -> None:
    for name in COLUMNS:
        if said[name] != getattr(own, name):
            what = f"{name} of its rollups is {said[name]}, of its entries {getattr(own, name)}"
            report.find("I5", what, named)


def check_worth(sums: HourSums, report: Report) -> None:
    """I4: what was booked by tenant and hour, against what the price table says of the topic's events."""
    for named, currency, total in sums.all():
        if not total.undecided:
            report.check("I4")
            if total.list != total.worth:
                what = f"the sum is {total.list} {currency}, the table's is {total.worth}"
                report.find("I4", what, named)


def _identity_name(row: Any) -> str:
    where = f"usage.events {row['origin_partition']}@{row['origin_offset']}"
    return f"identity {row['identity'].hex()} of {row['occurred_at']} from {where}"


def _rollup_name(row: Any) -> str:
    minute, series = f"{row['bucket']:%Y-%m-%dT%H:%MZ}", row["series_id"].hex()
    return (
        f"{row['tenant']} {minute} series {series} shard {row['shard']} of {row['recorded_on']} "
        f"{row['currency']}"
    )


def _plain(value: Decimal | None) -> str:
    return "0" if value is None else f"{value:f}"
