"""Reads the book row by row, proves each entry consistent in itself, and the rollups equal to the entries."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.platform.postgres import load_sql
from spendmeter.verify.report import Report
from spendmeter.verify.usage import Unreadable, Usage, decode, identity, read

UNITS = tomllib.loads((Path(__file__).parents[1] / "contracts" / "units.toml").read_text("utf-8")).keys()
"""The shipped registry, read as data: no code is shared with what is checked."""
SQL = load_sql(Path(__file__).with_name("verify.sql"))
ROWS_AT_ONCE = 5_000
CORRECTION = "spendmeter.correction.v1"
STATUSES = ("priced", "free", "reported", "provisional", "unpriced")
NOTHING, BOOKED, DUPLICATE, CONFLICT, REJECTED = range(5)
OUTCOMES = {"booked": BOOKED, "duplicate": DUPLICATE, "conflict": CONFLICT, "rejected": REJECTED}

RollupKey = tuple[str, datetime, bytes, int, date, str]
GroupKey = tuple[str, str, str, datetime]
"""(tenant, provider, sku, hour)."""


class Row(NamedTuple):
    """What is kept of an entry: where its event lies, a digest of it, its list amount and currency."""

    partition: int
    offset: int
    event_digest: bytes
    list: str
    currency: str


@dataclass(slots=True)
class Sum:
    """One rollup row, added up from the entries."""

    events: int = 0
    unpriced_events: int = 0
    list: Decimal = Decimal(0)
    contracted: Decimal = Decimal(0)
    effective: Decimal = Decimal(0)
    of_which_provisional: Decimal = Decimal(0)
    usage: Counter[str] = field(default_factory=Counter)

    def add(self, row: Any, event: Usage) -> None:
        if row["seq"] == 0:
            self.events += 1
            self.unpriced_events += row["status"] == "unpriced"
            for unit, quantity in event.usage.items():
                self.usage[unit] += quantity  # type: ignore[assignment]
        self.list += row["list"]
        self.contracted += row["contracted"]
        self.effective += row["effective"]
        if row["status"] == "provisional":
            self.of_which_provisional += row["effective"]


@dataclass(kw_only=True)
class Book:
    """The book as one snapshot shows it. About 300 bytes an entry."""

    positions: dict[int, Any]
    starts: dict[int, int]
    """By partition: the first offset that can still be read. All of a topic that is gone lies before it."""
    past: set[GroupKey] = field(default_factory=set)
    """Groups with an entry whose event can no longer be read."""
    rows: dict[bytes, Row] = field(default_factory=dict)
    outcomes: dict[int, bytearray] = field(default_factory=dict)
    """By partition: what became of each offset below next_origin."""
    copied: dict[bytes, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    """Identities with a duplicate or conflict; the reader of the topic puts each copy's content there."""
    sums: dict[GroupKey, Counter[str]] = field(default_factory=dict)
    """List amounts by currency."""
    accounts: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """Rows by (partition, tenant, status or outcome)."""
    stray: Counter[int] = field(default_factory=Counter)

    def outcome(self, partition: int, offset: int) -> int:
        return self.outcomes[partition][offset]

    def counted(self, partition: int, *names: str) -> int:
        """Rows of a partition with one of the statuses or outcomes."""
        return sum(n for (p, _, name), n in self.accounts.items() if p == partition and name in names)


async def read_book(connection: Any, topic_id: str, begins: Mapping[int, int], report: Report) -> Book:
    """Everything that is booked and set aside. Runs in the caller's snapshot; `begins` are the first offsets
    that the broker still has of the topic with this id."""
    positions = {row["partition"]: row for row in await connection.fetch(SQL["positions"])}
    starts = {
        p: begins.get(p, 0) if row["origin_topic"] == topic_id else row["next_origin"]
        for p, row in positions.items()
    }
    book = Book(positions=positions, starts=starts)
    book.outcomes = {p: bytearray(row["next_origin"]) for p, row in positions.items()}
    await _read_unbooked(connection, book, report)
    sums = await _read_entries(connection, book, report)
    await _compare_rollups(connection, sums, report)
    for name, what in (
        ("identities", "missing: claimed, but there is no entry"),
        ("unclaimed", "not claimed"),
    ):
        async for row in connection.cursor(SQL[name], prefetch=ROWS_AT_ONCE):
            where = f"usage.events {row['origin_partition']}@{row['origin_offset']}"
            report.find("I1", what, f"identity {row['identity'].hex()} of {row['occurred_at']} from {where}")
    for tenant, provider, sku, hour, currency, amount in await connection.fetch(SQL["sums"]):
        book.sums.setdefault((tenant, provider, sku, hour.astimezone(UTC)), Counter())[currency] += amount
    return book


async def _read_unbooked(connection: Any, book: Book, report: Report) -> None:
    async for row in connection.cursor(SQL["unbooked"], prefetch=ROWS_AT_ONCE):
        partition = row["origin_partition"]
        if row["outcome"] == "stray":
            book.stray[partition] += 1
            continue
        named = f"{row['tenant']} {row['source']}/{row['event_id']} ({row['outcome']})"
        _settle(book, partition, row["origin_offset"], OUTCOMES[row["outcome"]], named, report)
        book.accounts[partition, row["tenant"], row["outcome"]] += 1
        if row["identity"] is not None and row["outcome"] != "rejected":
            book.copied[row["identity"]] = {}
        position = book.positions.get(partition)
        if position is not None and row["origin_topic"] != position["origin_topic"]:
            report.find("I6", f"comes from another topic, id {row['origin_topic']}", named)


async def _read_entries(connection: Any, book: Book, report: Report) -> dict[RollupKey, Sum]:
    series = {
        (tenant, key): tuple(dimensions) for tenant, key, *dimensions in await connection.fetch(SQL["series"])
    }
    sums: defaultdict[RollupKey, Sum] = defaultdict(Sum)
    async for row in connection.cursor(SQL["entries"], prefetch=ROWS_AT_ONCE):
        if row["seq"] > 0 and _is_correction(row["event"]):
            report.pass_over("I4", "corrections")
            continue
        try:
            event = read(row["event"])
        except Unreadable as error:
            report.find("I4", f"changed: the event {error}", f"identity {row['identity'].hex()}")
            continue
        named = f"{event} (entry of {row['occurred_at']:%Y-%m-%dT%H:%M:%S.%fZ}, seq {row['seq']})"
        for fault in _faults(row, event, series):
            report.find("I4", f"changed: {fault}", named)
        report.check("I4")
        first = row["seq"] == 0 and row["identity"] not in book.rows
        if not first:
            report.find("I1", "doubled: this identity has another entry", named)
        else:
            digest = blake2b(row["event"].encode(), digest_size=8).digest()
            at = (row["origin_partition"], row["origin_offset"])
            book.rows[row["identity"]] = Row(*at, digest, str(row["list"]), row["currency"])
            _settle(book, *at, BOOKED, named, report)
            if at[1] < book.starts.get(at[0], 0):
                book.past.add((event.tenant, event.provider, event.sku, event.hour))
        if row["seq"] == 0:
            book.accounts[row["origin_partition"], row["tenant"], row["status"]] += 1
        shard = row["origin_partition"] if row["seq"] == 0 else -1
        minute = row["occurred_at"].replace(second=0, microsecond=0)
        recorded_on = row["recorded_at"].astimezone(UTC).date()
        sums[row["tenant"], minute, row["series_id"], shard, recorded_on, row["currency"]].add(row, event)
    return sums


def _settle(book: Book, partition: int, offset: int, outcome: int, named: str, report: Report) -> None:
    """Write down what became of an offset: exactly one thing may."""
    outcomes = book.outcomes.get(partition, bytearray())
    if offset >= len(outcomes):
        report.find("I6", f"lies at {partition}@{offset}, which the position has not passed", named)
    elif outcomes[offset] != NOTHING:
        report.find("I1", f"doubled: {partition}@{offset} has more than one outcome", named)
    else:
        outcomes[offset] = outcome


def _faults(row: Any, event: Usage, series: dict[tuple[str, bytes], tuple[str, ...]]) -> Iterable[str]:
    """What an entry says that its own event and lines do not."""
    if identity(event.tenant, event.source, event.id) != row["identity"]:
        yield "its event has another identity"
    if event.tenant != row["tenant"]:
        yield f"tenant is {row['tenant']}, the event's is {event.tenant}"
    if event.time != row["occurred_at"]:
        yield f"its event happened at {event.time.isoformat()}"
    if series.get((row["tenant"], row["series_id"])) != event.dimensions:
        yield "its series has other dimensions than the event"
    try:
        lines = decode(row["lines"])
        amounts, statuses = _add_up(lines, event)
    except (Unreadable, ValueError, KeyError, TypeError, ArithmeticError) as error:
        yield f"its lines cannot be added up: {error}"
        return
    for name, amount in zip(("list", "contracted", "effective"), amounts, strict=True):
        if row[name] != amount:
            yield f"{name} is {row[name]}, its lines say {amount}"
    if max(statuses, key=STATUSES.index, default="priced") != row["status"]:
        yield f"status is {row['status']}, its worst line's is another"


def _add_up(lines: list[dict[str, Any]], event: Usage) -> tuple[tuple[Decimal, ...], list[str]]:
    """The three sums of the lines in book currency, and their statuses. Raises ValueError for a line whose
    amount is not quantity times price."""
    sums = [Decimal(0)] * 3
    for line in lines:
        price, amount = (None if line.get(k) is None else Decimal(line[k]) for k in ("price", "amount"))
        if price is not None and amount is not None:
            stated = line.get("quantity")
            billed = event.usage.get(line["unit"]) if stated is None else Decimal(stated)
            if billed is not None and billed * price != amount:
                raise ValueError(f"{line['unit']}: {billed} x {price} is not {amount}")
        amounts = [line.get("amount"), line.get("contracted_amount"), line.get("effective_amount")]
        if line.get("fx"):
            amounts = [line.get("book_list"), line.get("book_contracted"), line.get("book_effective")]
        last = Decimal(0)
        for at, stated in enumerate(amounts):
            last = last if stated is None else Decimal(stated)
            sums[at] += last
    return tuple(sums), [line.get("status", "priced") for line in lines]


async def _compare_rollups(connection: Any, sums: dict[RollupKey, Sum], report: Report) -> None:
    async for row in connection.cursor(SQL["rollups"], prefetch=ROWS_AT_ONCE):
        tenant, bucket, series_id, shard, recorded_on, currency, *_ = row
        report.check("I5")
        expected = sums.pop((tenant, bucket, series_id, shard, recorded_on, currency), None) or Sum()
        usage = {unit: Decimal(quantity) for unit, quantity in decode(row["usage"]).items()}
        columns = ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")
        said = {name: row[name] for name in columns} | {"usage": usage}
        for unit in expected.usage.keys() - UNITS:
            # What only the catalog calls a unit is rolled up from then on, what nobody does never.
            if 0 <= usage.get(unit, Decimal(0)) <= expected.usage[unit]:
                usage.pop(unit, None)
                del expected.usage[unit]
        for name, value in said.items():
            should = getattr(expected, name)
            if value != should:
                named = _rollup_name((tenant, bucket, series_id, shard, recorded_on, currency))
                report.find("I5", f"{name} is {_short(value)}, its entries say {_short(should)}", named)
    for key, expected in sums.items():
        report.find("I5", f"missing: {expected.events} entries have no rollup", _rollup_name(key))


def _rollup_name(key: RollupKey) -> str:
    tenant, bucket, series_id, shard, recorded_on, currency = key
    minute = f"{bucket:%Y-%m-%dT%H:%MZ}"
    return f"{tenant} {minute} series {series_id.hex()} shard {shard} of {recorded_on} {currency}"


def _short(value: Any) -> str:
    return (
        ", ".join(f"{unit} {quantity}" for unit, quantity in value.items())
        if isinstance(value, dict)
        else value
    )


def _is_correction(event: str) -> bool:
    try:
        return bool(decode(event).get("type") == CORRECTION)
    except (Unreadable, AttributeError):
        return False
