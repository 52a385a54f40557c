"""The second maker of the chain of days: every closed day is hashed again from its entries, and held against
the row that says what it was."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE

CHAIN = "I10"
NAMED_MAX = 5
"""Entries named of one day; where more were written since, all of the table may have been."""
AMOUNTS = ("list", "contracted", "effective")
_NOTHING = (Decimal(0), Decimal(0), Decimal(0))


@dataclass(kw_only=True)
class _Hashed:
    """A tenant's day as its entries say it."""

    link: bytes = bytes(32)
    leaves: int = 0
    sums: dict[str, tuple[Decimal, ...]] = field(default_factory=dict)

    def add(self, row: Any) -> None:
        self.link = _digest(self.link + b"entry.v1;" + netstrings(row["leaf"]))
        self.leaves += 1
        before = self.sums.get(row["currency"], _NOTHING)
        self.sums[row["currency"]] = tuple(had + row[name] for had, name in zip(before, AMOUNTS, strict=True))

    def told(self) -> dict[str, dict[str, str]]:
        """The sums as the chain tells them."""
        return {
            currency: {name: _plain(amount) for name, amount in zip(AMOUNTS, amounts, strict=True)}
            for currency, amounts in self.sums.items()
        }


def netstrings(values: Sequence[str | None]) -> bytes:
    """Each value with its length before it."""
    texts = [None if value is None else value.encode() for value in values]
    return b"".join(b"-," if text is None else b"%d:%s," % (len(text), text) for text in texts)


def root(said: Mapping[str, Any]) -> str:
    """What the root of a day is that says this."""
    head = [said["tenant"], str(said["epoch"]), str(said["day"])]
    head += [None if said["previous_day"] is None else str(said["previous_day"]), said["previous"] or None]
    head += [str(said["leaves"]), said["link"]]
    for currency in sorted(said["sums"]):
        head += [currency, *(said["sums"][currency][name] for name in AMOUNTS)]
    return _digest(b"day.v1;" + netstrings(head)).hex()


async def check_chain(connection: Any, report: Report) -> None:
    """Each closed day is in the chain, once, and its entries are those that were closed. In the connection's
    snapshot; reads every entry of closed days, sorted by Postgres. Those of archived months lie beside the
    table (archived.py): a month that is in neither place is missing."""
    through = await connection.fetchval(SQL["chain_progress"])
    report.facts["closed_through"] = None if through is None else str(through)
    if through is None:
        return
    days = _by_day(_said(connection)), _by_day(_entries(connection, through))
    async for day, said, hashed in _side_by_side(*days):
        await _judge(connection, day, said, hashed, report)


async def _said(connection: Any) -> AsyncIterator[tuple[date, dict[str, Any]]]:
    """Row by row what the chain says."""
    async for row in connection.cursor(SQL["chain_days"], prefetch=ROWS_AT_ONCE):
        yield row["day"], {row["tenant"]: row}


async def _entries(connection: Any, through: date) -> AsyncIterator[tuple[date, dict[str, _Hashed]]]:
    """Entry by entry the day and what its tenant's entries have come to."""
    day: date | None = None
    tenants: dict[str, _Hashed] = {}
    async for row in connection.cursor(SQL["chain_entries"], through, prefetch=ROWS_AT_ONCE):
        if row["day"] != day:
            day, tenants = row["day"], {}
        tenants.setdefault(row["tenant"], _Hashed()).add(row)
        yield row["day"], tenants


async def _by_day(
    parts: AsyncIterator[tuple[date, dict[str, Any]]],
) -> AsyncIterator[tuple[date, dict[str, Any]]]:
    """The parts of a day as one."""
    day: date | None = None
    whole: dict[str, Any] = {}
    async for of_day, part in parts:
        if of_day != day:
            if day is not None:
                yield day, whole
            day, whole = of_day, part
        elif part is not whole:
            whole |= part
    if day is not None:
        yield day, whole


async def _side_by_side(
    left: AsyncIterator[tuple[date, dict[str, Any]]], right: AsyncIterator[tuple[date, dict[str, Any]]]
) -> AsyncIterator[tuple[date, dict[str, Any], dict[str, Any]]]:
    """What both sides have of each day that one has."""
    ones, others = await anext(left, None), await anext(right, None)
    while ones is not None or others is not None:
        day = min(each[0] for each in (ones, others) if each is not None)
        one = ones[1] if ones is not None and ones[0] == day else {}
        other = others[1] if others is not None and others[0] == day else {}
        yield day, one, other
        if one:
            ones = await anext(left, None)
        if other:
            others = await anext(right, None)


async def _judge(
    connection: Any, day: date, said: Mapping[str, Any], hashed: Mapping[str, _Hashed], report: Report
) -> None:
    for tenant in sorted(said.keys() | hashed.keys()):
        report.check(CHAIN)
        row, entries, named = said.get(tenant), hashed.get(tenant, _Hashed()), f"day {day} of {tenant}"
        if row is None:
            what = f"missing: it has {_counted(entries.leaves)}, and no root"
            report.find(CHAIN, what, named)
            continue
        told = json.loads(row["sums"])
        if (row["link"], row["leaves"], told) != (entries.link.hex(), entries.leaves, entries.told()):
            report.find(CHAIN, f"changed since it was closed: {await _how(connection, row, entries)}", named)
        if row["root"] != root({**row, "sums": told}):
            report.find(CHAIN, "changed: its root is not that of what it says", named)
        if (row["previous_day"], row["previous"]) != (row["previous_day_should"], row["previous_should"]):
            before = row["previous_day_should"]
            report.find(CHAIN, f"changed: it does not follow the day before it, {before or 'none'}", named)


async def _how(connection: Any, row: Any, entries: _Hashed) -> str:
    """In what a day is another, and which entries were written since, as far as it can be told."""
    parts = []
    if row["leaves"] != entries.leaves:
        parts.append(f"{_counted(entries.leaves)}, then {row['leaves']:,}")
    was, now = json.loads(row["sums"]), entries.told()
    for currency in sorted(was.keys() | now.keys()):
        for name in AMOUNTS:
            then, is_now = (each.get(currency, {}).get(name, "0") for each in (was, now))
            if then != is_now:
                parts.append(f"{name} {is_now} {currency}, then {then}")
    since = await connection.fetch(SQL["chain_written_since"], row["tenant"], row["day"], NAMED_MAX + 1)
    if 0 < len(since) <= NAMED_MAX:
        parts.append(f"written since: {', '.join(map(_named, since))}")
    elif since:
        parts.append("very many entries were written since")
    return "; ".join(parts) or "the sums are the same, what the entries say is not"


def _named(entry: Any) -> str:
    partition, offset = entry["origin_partition"], entry["origin_offset"]
    origin = f"usage.events {partition}@{offset}" if partition >= 0 else f"correction {offset}"
    return f"{entry['identity']} seq {entry['seq']} ({origin})"


def _counted(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=32).digest()


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text
