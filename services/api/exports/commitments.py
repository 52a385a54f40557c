"""Commitments whose period is over: what of each was purchased, used and unused, by billing period. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec import Struct

from services.api.exports.vocabulary import consumed_unit
from spendmeter.contracts.catalog import PeriodTerm, decode_catalog
from spendmeter.contracts.money import EXACT, ZERO, plain, total

MONEY = "spend_commitment"
_DAY = timedelta(days=1)


class StandingRevision(Struct, frozen=True, kw_only=True):
    """A true-up that is in the book, and how its period stood with it; None = nobody wrote that down."""

    amount: Decimal
    currency: str
    covered_to: date
    accounting_period: date | None
    counted: Decimal | None
    used: Decimal | None
    unused: Decimal | None


class TermStood(Struct, frozen=True, kw_only=True):
    """How a term stands in one of its periods."""

    term: str
    effect: str
    provider: str
    cost_class: str
    units: list[str]
    period_start: date
    period_end: date
    covered_to: date
    ended: bool
    currency: str
    counted: Decimal
    """Of money what is booked."""
    used: Decimal | None
    """None = it commits to nothing."""
    unused: Decimal | None
    due: Decimal
    booked: Decimal
    trued_up: Decimal
    provisional: list[str]
    refused: str
    body: str
    """What the catalog says of its term; '' = it does not."""
    revisions: list[StandingRevision]


decode_standing = msgspec.json.Decoder(TermStood).decode


class CommitmentParts(NamedTuple):
    """What of a commitment's figures was booked in one accounting period."""

    counted: Decimal
    used: Decimal
    unused: Decimal
    trued_up: Decimal

    @property
    def fee(self) -> Decimal:
        return EXACT.add(self.used, self.unused)

    @property
    def covered(self) -> Decimal:
        """What the usage that it pays for was booked at."""
        return EXACT.subtract(self.fee, self.trued_up)


class SettledCommitment(NamedTuple):
    """One whose rows can be said. `parts`: by the accounting period, None = that of its own month."""

    standing: TermStood
    term: PeriodTerm
    unit: str
    parts: Mapping[date | None, CommitmentParts]


def settled(standing: TermStood, start: date, end: date) -> SettledCommitment | None:
    """None = its true-ups go out as they are: its period is not over, or not all of it is exported, or in one
    billing period; or a figure is provisional, or not known."""
    first, last = standing.period_start, standing.period_end - _DAY
    term = _term(standing)
    if not (standing.used or standing.unused) or not standing.ended or term is None:
        return None
    if standing.refused or standing.provisional:
        return None
    if first < start or last >= end or (first.year, first.month) != (last.year, last.month):
        return None
    unit = _unit(standing, term)
    if not unit or any(each.currency != standing.currency for each in standing.revisions):
        return None
    if total(each.amount for each in standing.revisions) != standing.trued_up:
        return None
    parts = _parts(standing, first.replace(day=1))
    return SettledCommitment(standing, term, unit, parts) if parts else None


def _term(standing: TermStood) -> PeriodTerm | None:
    found = decode_catalog(standing.body) if standing.body else None
    return found if isinstance(found, PeriodTerm) else None


def _unit(standing: TermStood, term: PeriodTerm) -> str:
    """In what it is counted; '' = in no one unit: of several kinds, or money of another currency."""
    if standing.effect == MONEY:
        return term.currency if term.currency == standing.currency else ""
    units = {consumed_unit(unit) for unit in standing.units}
    return units.pop() if len(units) == 1 else ""


def _parts(standing: TermStood, month: date) -> Mapping[date | None, CommitmentParts]:
    """What was booked before the month was closed stays as it was said; {} = it is not known."""
    used, unused = standing.used or ZERO, standing.unused or ZERO
    now = CommitmentParts(standing.counted, used, unused, standing.trued_up)
    carried = [each.accounting_period != month for each in standing.revisions]
    if True not in carried:
        return {None: now}
    if (since := carried.index(True) - 1) < 0:
        return {}
    steps = list(_steps(standing))[since:]
    if not all(_is_whole(standing, each) for each in standing.revisions[since:]):
        return {}
    found: defaultdict[date | None, CommitmentParts] = defaultdict(
        lambda: CommitmentParts(ZERO, ZERO, ZERO, ZERO), {None: steps[0]}
    )
    for revision, (before, after) in zip(standing.revisions[since + 1 :], pairwise(steps), strict=True):
        booked_in = None if revision.accounting_period == month else revision.accounting_period
        change = map(EXACT.subtract, after, before)
        found[booked_in] = CommitmentParts._make(map(EXACT.add, found[booked_in], change))
    return found


def _steps(standing: TermStood) -> Iterator[CommitmentParts]:
    """How the period stood with each revision."""
    trued_up = ZERO
    for each in standing.revisions:
        trued_up = EXACT.add(trued_up, each.amount)
        yield CommitmentParts(each.counted or ZERO, each.used or ZERO, each.unused or ZERO, trued_up)


def _is_whole(standing: TermStood, revision: StandingRevision) -> bool:
    """Whether all of the fee was due with it: until the period ends what is unused is not."""
    if revision.accounting_period is None or revision.used is None:
        return False
    return not revision.unused or revision.covered_to == standing.covered_to


def standing_words(standing: TermStood) -> str:
    """What the term says and how its period stands, for a person: also its fee, used and unused."""
    term, until, currency = _term(standing), standing.period_end - _DAY, standing.currency
    is_money, units = standing.effect == MONEY, " + ".join(standing.units)
    of = f" at {standing.provider}"
    if term is not None and standing.used is not None:
        unit = term.currency if is_money else units
        of = f"{of} of {term.quantity} {unit} for {term.amount} {term.currency}"
    said = f"{standing.effect}{of}, {standing.period_start} to {until}: "
    if standing.refused:
        return f"{said}{standing.refused}"
    if standing.used is None or standing.unused is None:
        said += f"{plain(standing.due)} {currency} due for what was booked at {plain(standing.booked)}"
    else:
        yet = "" if standing.ended else " so far"
        said += f"{plain(standing.used)} {currency} used and {plain(standing.unused)} unused{yet}"
    return "; provisional: ".join(filter(None, (said, "; ".join(standing.provisional))))
