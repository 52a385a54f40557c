"""What another version of the catalog makes of booked events: which cost something else. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Inexact
from typing import Any

from services.corrector.in_force import EntryInForce
from services.corrector.pairs import ALWAYS_UNITS
from services.corrector.selection import PublicationReach, may_concern
from spendmeter.contracts.corrections import Selection
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError, UsageEvent
from spendmeter.contracts.rated import decode_lines, encode_rated
from spendmeter.pricing.arithmetic import entries_of
from spendmeter.pricing.causes import CauseStep, EntryFacts, steps
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook

TOO_LONG = "at this version's prices the amounts have more digits than money holds"


@dataclass(frozen=True, kw_only=True, slots=True)
class RepricedEntry:
    """An entry that would say something else."""

    entry: EntryInForce
    event: UsageEvent
    old: Rating
    new: Rating
    lines: str
    """The new ones, as the book holds them."""
    is_same: bool
    """Whether nothing differs but, perhaps, which of its quantities are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftAlone:
    """An entry that stays as it is though it was selected."""

    entry: EntryInForce
    reason: str


@dataclass(kw_only=True)
class Findings:
    """What a version makes of some entries; those that it changes nothing of are counted alone."""

    seen: int = 0
    changed: list[RepricedEntry] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)


def reprice(entries: Iterable[EntryInForce], book: PriceBook, selection: Selection) -> Findings:
    """Price entries anew. One that was priced by a later version stays, and needs no word: it is as it should
    be."""
    found = Findings()
    for entry in entries:
        found.seen += 1
        if entry.catalog_version > book.version:
            continue
        try:
            if changed := _repriced(entry, book, selection):
                found.changed.append(changed)
        except Inexact:
            found.left.append(LeftAlone(entry=entry, reason=TOO_LONG))
        except EventError as error:
            found.left.append(LeftAlone(entry=entry, reason=f"the event cannot be read: {error}"))
    return found


def _repriced(entry: EntryInForce, book: PriceBook, selection: Selection) -> RepricedEntry | None:
    narrow = selection.statuses or selection.missing_rate_of
    if narrow and not may_concern(selection, rating_of(entry)):
        return None
    event = read_event(entry.event.encode())
    new = rate(event, book)
    lines = encode_rated(new.lines).decode()
    is_same = lines == entry.lines and _sums(new) == _sums(entry)  # nearly always, where it is run again
    counts_the_same = entry.catalog_version == book.version or event.data.usage.keys() <= ALWAYS_UNITS
    if is_same and counts_the_same:
        return None
    old = rating_of(entry)
    is_same = is_same or (old.lines == new.lines and _sums(new) == _sums(entry))
    if is_same and counts_the_same:
        return None
    return RepricedEntry(entry=entry, event=event, old=old, new=new, lines=lines, is_same=is_same)


def rating_of(entry: EntryInForce) -> Rating:
    """What an entry was priced at."""
    return Rating(
        status=entry.status,
        currency=entry.currency,
        accounting_period=entry.accounting_period,
        list=entry.list,
        contracted=entry.contracted,
        effective=entry.effective,
        catalog_version=entry.catalog_version,
        lines=tuple(decode_lines(entry.lines)),
    )


def _sums(of: Rating | EntryInForce) -> tuple[Any, ...]:
    return of.status, of.currency, of.list, of.contracted, of.effective


def entries_named(found: Collection[RepricedEntry]) -> set[str]:
    """The catalog entries by which the causes are told apart."""
    lines = (line for each in found for line in (*each.old.lines, *each.new.lines))
    return {name for line in lines for name in entries_of(line)}


def concerned(
    found: Iterable[RepricedEntry], reach: PublicationReach | None, facts: Mapping[str, EntryFacts]
) -> Iterator[tuple[RepricedEntry, list[CauseStep]]]:
    """Those that the job is about, each with its difference by cause."""
    for each in found:
        if reach is None or reach.concerns(each.event, each.old, each.new, facts):
            yield each, steps(each.old, each.new, facts)
