"""Pairs of entries, and what they add to every sum. Pure.

A reversal takes back what the entry that it names once added; a replacement adds what the event costs now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from services.corrector.in_force import EntryInForce
from spendmeter.book.remarks import RemarkPlace, RemarkSums, add_up_remarks
from spendmeter.book.rollup import RollupSum, RollupSums, rollup
from spendmeter.book.series import SeriesKey
from spendmeter.contracts.counted import Quantities, select_counted
from spendmeter.contracts.events import UsageEvent, series_of
from spendmeter.contracts.rated import Remarked, decode_lines
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.units import LATER_UNITS, UNITS
from spendmeter.pricing.engine import Rating
from spendmeter.pricing.remarks import remarks_on

ALWAYS_UNITS = UNITS.keys() - LATER_UNITS.keys()
"""Those that every version of the catalog has."""
UnitsThen = Mapping[int, Mapping[str, object]]
"""The units that a version of the catalog had, as keys."""


class Replacement(Struct, frozen=True, kw_only=True, gc=False):
    """What the event costs now."""

    rating: Rating
    lines: str
    """The rating's, as the book holds them."""
    event: UsageEvent | None = None
    text: str | None = None
    """What it says now, decoded and as the book holds it; None = what it said."""


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """An entry in force that is to be reversed, and replaced where there is something to replace it."""

    entry: EntryInForce
    event: UsageEvent
    """The entry's, decoded."""
    correction_id: str
    """Or the job's id."""
    replacement: Replacement | None = None

    @property
    def seqs(self) -> tuple[int, ...]:
        """Of the entries that it makes."""
        seq = self.entry.seq
        return (seq + 1,) if self.replacement is None else (seq + 1, seq + 2)

    @property
    def versions(self) -> tuple[int, ...]:
        """Of the catalogs whose units say what was counted, where that is not the same in all."""
        now = self.replacement
        events = (self.event,) if now is None or now.event is None else (self.event, now.event)
        if all(event.data.usage.keys() <= ALWAYS_UNITS for event in events):
            return ()
        return (self.entry.catalog_version, *((now.rating.catalog_version,) if now else ()))


class _Added(Struct, frozen=True, gc=False):
    """What one entry adds to sums."""

    tenant: str
    time: datetime
    series_id: str
    status: str
    currency: str
    list: Decimal
    contracted: Decimal
    effective: Decimal
    usage: Quantities
    remarked: Remarked | UnsetType


@dataclass(kw_only=True)
class Pairs:
    """What is to be written for some changes."""

    entries: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    """One a change: the columns of the staging table."""
    sums: RollupSums = field(default_factory=lambda: defaultdict(RollupSum))
    remarks: RemarkSums = field(default_factory=dict)
    """What replacements add."""
    taken_back: dict[RemarkPlace, RemarkSums] = field(default_factory=dict)
    """And what reversals take back of it, by where it was added."""
    series: dict[SeriesKey, Series] = field(default_factory=dict)
    """Those that an amended event has."""


def pairs_of(changes: Iterable[Change], first: int, units: UnitsThen) -> Pairs:
    """The pairs, numbered from `first`; each identity once. `units`: of all `versions` of the changes."""
    made = Pairs()
    gone: list[_Added] = []
    come: list[_Added] = []
    for change in changes:
        taken, added = _add(made, change, first + made.entries, units)
        gone.append(taken)
        if taken.remarked is not UNSET:
            place = change.entry.recorded_at.astimezone(UTC).date(), change.entry.origin_partition
            add_up_remarks([taken], sign=-1, sums=made.taken_back.setdefault(place, {}))
        if added:
            come.append(added)
    rollup(gone, sign=-1, sums=made.sums)
    rollup(come, sums=made.sums)
    add_up_remarks(come, sums=made.remarks)
    return made


def _add(made: Pairs, change: Change, number: int, units: UnitsThen) -> tuple[_Added, _Added | None]:
    """The change's row and series; what it takes back and adds."""
    old, now = change.entry, change.replacement
    series = series_of(now.event) if now and now.event else None
    key = series_id(series) if series else old.series_id
    if series and key != old.series_id:
        made.series[old.tenant, key.hex()] = series
    gone, come = _contributions(change, key, units)
    replaced = _NOTHING
    if now and come:
        replaced = (
            now.rating.catalog_version, key, come.status, come.currency, str(come.list), str(come.contracted),
            str(come.effective), now.text, now.lines,
        )  # fmt: skip
    made.entries += len(change.seqs)
    made.rows.append((number, old.occurred_at, old.identity, old.seq, change.correction_id, *replaced))
    return gone, come


_NOTHING: tuple[Any, ...] = (None,) * 9
"""Of a retraction the columns of what replaces."""


def _contributions(change: Change, key: bytes, units: UnitsThen) -> tuple[_Added, _Added | None]:
    """What the entry added, and what its replacement adds; quantities that stay where they are count in
    neither."""
    old, now = change.entry, change.replacement
    usage, usage_now = _counted(change, units)
    if now and (key, now.rating.currency, usage_now) == (old.series_id, old.currency, usage):
        usage, usage_now = {}, {}
    gone = _Added(
        old.tenant, old.occurred_at, old.series_id.hex(), old.status, old.currency, old.list, old.contracted,
        old.effective, usage, _remarked(change.event, old.lines),
    )  # fmt: skip
    if now is None:
        return gone, None
    new = now.rating
    return gone, _Added(
        old.tenant, old.occurred_at, key.hex(), new.status, new.currency, new.list, new.contracted,
        new.effective, usage_now, _remarked(now.event or change.event, now.lines),
    )  # fmt: skip


def _remarked(event: UsageEvent, lines: str) -> Remarked | UnsetType:
    """What lines remark, which nearly none does."""
    return remarks_on(event, decode_lines(lines)) if '"remarks"' in lines else UNSET


def counts_the_same(change: Change, units: UnitsThen) -> bool:
    """Whether the replacement adds the quantities that its entry added."""
    was, now = _counted(change, units)
    return was == now


def _counted(change: Change, units: UnitsThen) -> tuple[Quantities, Quantities]:
    """The quantities that the entry added, and those that its replacement adds."""
    old, now = change.entry, change.replacement
    was = _select(change.event, old, old.catalog_version, units)
    if now is None:
        return was, {}
    return was, _select(now.event or change.event, old, now.rating.catalog_version, units)


def _select(event: UsageEvent, entry: EntryInForce, version: int, units: UnitsThen) -> Quantities:
    usage = event.data.usage
    if usage.keys() <= ALWAYS_UNITS:
        return usage
    return select_counted(usage, units[version], entry.received_at(event))
