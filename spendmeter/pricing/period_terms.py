"""Terms of a whole period: which of them count for a tenant on a day, and in which periods. Pure.

Periods are of UTC days, as vendors bill: a quarter and a year begin with the month in which the term does.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from spendmeter.contracts.catalog import PeriodTerm
from spendmeter.contracts.periods import period_of_day
from spendmeter.pricing.agreements import Agreement
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.true_up import check_term

DayPeriod = tuple[date, date]
"""[first day, day after the last) in UTC."""
PAID = frozenset({"commitment", "spend_commitment"})
"""Effects that cost something though nothing is used."""
STEPPED = frozenset({"graduated", "volume"})
"""Effects that state what a quantity costs, whatever it was booked at."""
_UTC = ZoneInfo("UTC")
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """With which a day of UTC begins."""
    return datetime.combine(day, time(), UTC)


def noon(day: date) -> datetime:
    """By whose terms a whole day counts: the tenant's of then."""
    return datetime.combine(day, time(12), UTC)


def check_bookable(term: PeriodTerm) -> None:
    """Raises CatalogError, with the rule, for a term that says nothing that true-ups could book."""
    check_term(term)
    when = term.when
    rule = ""
    if any(
        each and each != midnight(each.astimezone(UTC).date())
        for each in (when.effective_from, when.effective_to)
    ):
        rule = "its dates are midnights of UTC, for its periods are of whole days"
    elif when.calendar:
        rule = "it names no calendar: its periods are of UTC days"
    elif term.effect in PAID and when.effective_from is None:
        rule = "it says from when on it is paid for (effective_from)"
    elif term.effect in PAID and not (term.tenant or term.contract):
        rule = "it is of a contract or of one tenant, for everybody would pay it"
    if rule:
        raise CatalogError(f"period term {term.id} ({term.effect}): {rule}")


def period_of(term: PeriodTerm, day: date) -> DayPeriod:
    """The term's period that holds a day."""
    begins = term.when.effective_from
    start, end = period_of_day(term.period, day, _UTC, begins.astimezone(UTC).month if begins else 1)
    return start.date(), end.date()


def days_of(term: PeriodTerm, period: DayPeriod) -> DayPeriod:
    """The days of the period on which the term is in force."""
    since, until = term.when.effective_from, term.when.effective_to
    start, end = period
    if since is not None:
        start = max(start, since.astimezone(UTC).date())
    if until is not None:
        end = min(end, until.astimezone(UTC).date())
    return start, end


class TenantPeriodTerms:
    """`of(day)`: those that count for a tenant on a day of UTC, the nearest first. Those that cannot be
    booked count on none; `refused` says why not."""

    def __init__(self, terms: Iterable[PeriodTerm], agreement: Agreement) -> None:
        self._agreement = agreement
        self._by_scope: dict[str, list[PeriodTerm]] = {}
        self.refused: dict[str, str] = {}
        self._terms = []
        for term in terms:
            try:
                check_bookable(term)
            except CatalogError as error:
                self.refused[term.id] = str(error)
            else:
                self._terms.append(term)

    def of(self, day: date) -> Sequence[PeriodTerm]:
        """In the order in which they are asked whether a use is theirs: a contract's before everybody's, a
        tenant's own first of its layer, and of equals the one recorded later."""
        scope = self._agreement.at(noon(day))[1]
        found = self._by_scope.get(scope.key)
        if found is None:
            ranked = [
                ((scope.audience(term), term.recorded_at, term.id), term)
                for term in self._terms
                if term.layer != "unconfirmed" and scope.includes(term)
            ]
            ranked.sort(key=lambda each: each[0], reverse=True)
            found = self._by_scope[scope.key] = [term for _, term in ranked]
        return [term for term in found if term.when.in_force(noon(day))]

    def counts(self, term: PeriodTerm, period: DayPeriod, before: date) -> bool:
        """Whether it counts on any day of the period before that one."""
        start, end = days_of(term, period)
        end = min(end, before)
        return any(term in self.of(start + number * _DAY) for number in range(max(0, (end - start).days)))

    def within(self, since: date, until: date) -> set[tuple[str, DayPeriod]]:
        """(term, period) of every day in [since, until) on which one counts."""
        days = (since + number * _DAY for number in range(max(0, (until - since).days)))
        return {(term.id, period_of(term, day)) for day in days for term in self.of(day)}

    def term(self, name: str) -> PeriodTerm | None:
        """The one with this id; None = there is none that can be booked."""
        return next((term for term in self._terms if term.id == name), None)
