"""What a change of a tenant's terms is, when it may be, and what it means for periods and budgets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from spendmeter.contracts.periods import Period
from spendmeter.contracts.terms import NOTICE, Stretch, Terms, Timeline, changes_at
from spendmeter.pricing.conditions import CatalogError

INSTANT = timedelta(microseconds=1)
"""The shortest time that there is."""


@dataclass(frozen=True, kw_only=True)
class TermsChange:
    """How two timelines of a tenant differ: `old` terms until `at`, `new` ones from it on."""

    tenant: str
    at: datetime | None
    """None = for all time: nothing was booked yet."""
    begins: tuple[datetime, ...]
    """Where terms begin that were not decided before, `at` first; none where a change is taken back."""
    old: Terms
    new: Terms
    before: Timeline
    after: Timeline
    currency_at: datetime | None
    """From when budgets are in another currency than they would have been; None = never."""
    currency: str
    """In what they are then."""
    taken_back: bool
    """A change of currency that was decided is not to be: budgets stay as they are."""


def terms_change(
    tenant: str, before: Timeline, after: Timeline, *, booked: bool, now: datetime
) -> TermsChange | None:
    """None where currency and calendar stay as they were. Raises CatalogError, naming the rule and the
    instants that are allowed."""
    starts = sorted({stretch.start for line in (before, after) for stretch in line.stretches})
    first = next((start for start in starts if before.at(start) != after.at(start)), None)
    if first is None:
        return None
    _check_starts(tenant, before, after, now)
    if booked:
        _check_notice(tenant, before, after, first, now)
    upcoming, decided = _currency_changes(after, now), _currency_changes(before, now)
    at_once = before.at(now).currency != after.at(now).currency
    _check_one_currency(tenant, len(upcoming) + at_once)
    currency_at: datetime | None = now if at_once else None
    if upcoming and upcoming != decided:
        currency_at = upcoming[0][0]
    begins = tuple(
        stretch.start for stretch in after.stretches if stretch.start > now and not _decides(before, stretch)
    )
    at = None if first <= now else (*begins, first)[0]
    return TermsChange(
        tenant=tenant,
        at=at,
        begins=begins,
        old=before.at(now) if at is None else after.at(at - INSTANT),
        new=after.at(at or now),
        before=before,
        after=after,
        currency_at=currency_at,
        currency=after.at(currency_at or now).currency,
        taken_back=bool(decided) and not upcoming and not at_once,
    )


def _decides(timeline: Timeline, stretch: Stretch) -> bool:
    """Whether these terms begin there by the timeline too."""
    return any((each.start, each.terms) == (stretch.start, stretch.terms) for each in timeline.stretches)


def _check_starts(tenant: str, before: Timeline, after: Timeline, now: datetime) -> None:
    """A stretch begins where a month of the terms before it does, also one that was decided when others held
    until then: else a month would be in two periods."""
    known = {stretch.start for stretch in before.stretches}
    until_then: list[tuple[datetime | None, Terms]] = [(None, after.stretches[0].terms)]
    for last, stretch in pairwise(after.stretches):
        start, line = stretch.start, Timeline(until_then)
        until_then.append((start, stretch.terms))
        if start in known and before.at(start - INSTANT) == last.terms:
            continue
        if start != line.bounds("month", start)[0]:
            raise CatalogError(
                f"terms of {tenant}: {_differences(last.terms, stretch.terms)} at the start of a month of "
                f"the zone that holds until then ({last.terms.zone.key}), not on {_utc(start)}: "
                f"state {_allowed(line, max(now, start - timedelta(days=31)))}"
            )


def _check_notice(tenant: str, before: Timeline, after: Timeline, first: datetime, now: datetime) -> None:
    """What was booked stays in its currency and its months."""
    if first < now + NOTICE:
        differences = _differences(before.at(first), after.at(first))
        raise CatalogError(
            f"terms of {tenant}: it has bookings in {before.at(now).currency}, so {differences} "
            f"at the start of a month of its zone, {NOTICE // timedelta(hours=1)} h ahead at least: state "
            f"them beside the ones in force, with {_allowed(before, now)}"
        )


def _check_one_currency(tenant: str, changes: int) -> None:
    """A budget knows one next amount."""
    if changes > 1:
        raise CatalogError(
            f"terms of {tenant}: one change of currency at a time; withdraw the later one, or state it when "
            "the first is over"
        )


def _currency_changes(timeline: Timeline, now: datetime) -> list[tuple[datetime, str]]:
    """All that are to come."""
    found, at = [], now
    while change := timeline.next_currency(at):
        found.append(change)
        at = change[0]
    return found


def _differences(old: Terms, new: Terms) -> str:
    names = [name for name in Terms.__struct_fields__ if getattr(old, name) != getattr(new, name)]
    changed = ["time_zone" if name == "zone" else name for name in names]
    return f"{' and '.join(changed)} change{'s' if len(changed) == 1 else ''}"


def _allowed(timeline: Timeline, now: datetime) -> str:
    return "effective_from = " + ", or ".join(map(_utc, changes_at(timeline, now + NOTICE)))


def _utc(at: datetime) -> str:
    """The instant as price files write it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def describe_change(change: TermsChange) -> Iterator[str]:
    """What the change means, for whoever is to confirm it."""
    if change.at is None:
        yield f"{_counting(change.tenant, change.new)}, for all time: nothing is booked yet"
    elif not change.begins:
        beyond = f"beyond {_utc(change.at)} too: nothing changes then"
        yield f"{_counting(change.tenant, change.new)}, {beyond}"
    for start in change.begins:
        yield from _describe_beginning(change, start)
    if change.taken_back:
        yield "the change of currency that was decided is taken back, and budgets stay as they are"


def _describe_beginning(change: TermsChange, start: datetime) -> Iterator[str]:
    """What it means that other terms begin at an instant."""
    old, new = change.after.at(start - INSTANT), change.after.at(start)
    until = f"until then in {old.currency}, with days of {old.zone.key}"
    yield f"from {_utc(start)} on {_counting(change.tenant, new)}; {until}"
    yield f"what is used before then stays in {old.currency}, however late it comes; its month ends there"
    first, end = change.after.bounds("day", start)
    whole = change.after.bounds("day", end)
    if difference := (end - first) - (whole[1] - whole[0]):
        hours = abs(difference) / timedelta(hours=1)
        length = "shorter" if difference < timedelta() else "longer"
        yield f"the first day and month of {new.zone.key} are {hours:g} h {length} than others"


def _counting(tenant: str, terms: Terms) -> str:
    return f"{tenant} counts in {terms.currency}, with days of {terms.zone.key}"


def describe_budget(change: TermsChange, period: Period, amount: str, currency: str, now: datetime) -> str:
    """What becomes of one budget's running period."""
    at = change.currency_at or change.at
    if at is None or at <= now:
        return f"{amount} {currency} a {period}: its period begins anew in {change.new.currency}"
    if not change.begins:
        return f"{amount} {currency} a {period}: stays as it is"
    start = change.after.bounds(period, at - INSTANT)[0]
    end = change.after.bounds(period, at)[1]
    return (
        f"{amount} {currency} a {period}: the period from {_utc(start)} ends on {_utc(at)} in "
        f"{currency}, the next one runs until {_utc(end)}"
    )
