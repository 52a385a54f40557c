"""What is priced differently from one version of the catalog to the next. Pure.

A price that replaces another at a date is one change from that date on, not a withdrawal and a new entry:
prices that differ in nothing but their dates are compared as one line through time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import Adjustment, CatalogEntry, Conditions, Price, PriceEntry
from spendmeter.contracts.money import EXACT, divided
from spendmeter.contracts.terms import SINCE_EVER
from spendmeter.pricing import checks
from spendmeter.pricing.words import in_words


class PriceChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of prices between two instants: what was believed, and what will be.

    `sku` and `unit` of an adjustment are its matches and units, joined by commas; "*" = all.
    """

    change: Literal["new", "changed", "withdrawn"]
    provider: str
    sku: str
    unit: str
    when: Conditions
    """With the dates between which this holds, which may be part of an entry's."""
    before: PriceEntry | None = None
    after: PriceEntry | None = None
    ratio: Decimal | None = None
    """After over before; None where there is no such number: one is missing, free, or in another currency."""


def with_words(subject: Any) -> dict[str, Any]:
    """A change or a disagreement as JSON holds it, its conditions (`when`) also in words."""
    return {**msgspec.to_builtins(subject), "conditions": in_words(subject.when)}


def changes(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> list[PriceChange]:
    """What is priced differently, by provider, sku, unit and conditions, in that order.

    Both are all entries of a version, withdrawals among them. Raises CatalogError where a withdrawal names an
    entry that is not there.
    """
    lines: dict[Any, tuple[list[PriceEntry], list[PriceEntry]]] = defaultdict(lambda: ([], []))
    for side, entries in enumerate((before, after)):
        kinds = checks.by_kind(entries)
        priced: list[PriceEntry] = [*checks.of(kinds, Price), *checks.of(kinds, Adjustment)]
        for entry in priced:
            lines[_line(entry)][side].append(entry)
    found = [
        change
        for was, will in lines.values()
        if {entry.id for entry in was} != {entry.id for entry in will}
        for change in _changes_of_line(was, will)
    ]
    return sorted(found, key=_order)


def _line(entry: PriceEntry) -> tuple[Any, ...]:
    """All that sets prices apart from one another, but for their dates."""
    scope = (type(entry), entry.layer, entry.tenant, entry.contract, entry.kind, entry.when.without_dates())
    if isinstance(entry, Price):
        return (entry.provider.lower(), entry.sku.lower(), entry.unit, *scope)
    return (entry.provider.lower(), entry.skus, entry.units, entry.name, *scope)


def _changes_of_line(was: list[PriceEntry], will: list[PriceEntry]) -> Iterator[PriceChange]:
    """The stretches of time in which the two differ, neighbours that say the same joined."""
    limits = {entry.when.effective_from for entry in (*was, *will)}
    limits |= {entry.when.effective_to for entry in (*was, *will)}
    starts: list[datetime | None] = [None, *sorted(limit for limit in limits if limit is not None), None]
    last: PriceChange | None = None
    for start, end in pairwise(starts):
        old, new = _in_force(was, start or SINCE_EVER), _in_force(will, start or SINCE_EVER)
        change = _change(old, new, start, end) if _terms(old) != _terms(new) else None
        if last and change and (_terms(old), _terms(new)) == (_terms(last.before), _terms(last.after)):
            last = replace(last, when=replace(last.when, effective_to=end))
            continue
        if last:
            yield last
        last = change
    if last:
        yield last


def _in_force(line: list[PriceEntry], at: datetime) -> PriceEntry | None:
    return next((entry for entry in line if entry.when.in_force(at)), None)


def _terms(entry: PriceEntry | None) -> tuple[Any, ...] | None:
    """All that an entry says of money."""
    if isinstance(entry, Price):
        said = (entry.per_unit, entry.currency, entry.minimum, entry.maximum)
        return (*said, entry.per_event, entry.assumes, entry.all_in)
    return (entry.factor, entry.unless, entry.unless_stated) if entry else None


def _change(
    old: PriceEntry | None, new: PriceEntry | None, start: datetime | None, end: datetime | None
) -> PriceChange:
    one = new or old
    assert one is not None, "two that say nothing do not differ"
    sku, unit = (
        (one.sku, one.unit)
        if isinstance(one, Price)
        else (",".join(one.skus) or "*", ",".join(one.units) or "*")
    )
    return PriceChange(
        change="new" if old is None else "withdrawn" if new is None else "changed",
        provider=one.provider,
        sku=sku,
        unit=unit,
        when=replace(one.when, effective_from=start, effective_to=end),
        before=old,
        after=new,
        ratio=ratio(old, new),
    )


def ratio(old: PriceEntry | None, new: PriceEntry | None) -> Decimal | None:
    """`new` over `old`; None where there is no such number."""
    if isinstance(old, Price) and isinstance(new, Price):
        if old.currency != new.currency or not Decimal(old.price) or not Decimal(new.price):
            return None
        now, then = Decimal(new.price), Decimal(old.price)
        return divided(EXACT.multiply(now, old.per), EXACT.multiply(then, new.per))
    if isinstance(old, Adjustment) and isinstance(new, Adjustment) and Decimal(old.factor):
        return divided(Decimal(new.factor), Decimal(old.factor))
    return None


def _order(change: PriceChange) -> tuple[Any, ...]:
    since = change.when.effective_from
    return (change.provider, change.sku, change.unit, since is not None, str(since or ""), str(change.when))
