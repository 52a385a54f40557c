"""The same work became dearer: tokens a call, cost a call or the cache's share moved, and the calls did not.
Pure.

Of workflows, features, agents and models: what a whole tenant, team or key pays for a call changes with what
it works on. Costs are at today's prices, so that a price is no drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from services.alerts.incidents.incident import Incident, IncidentFigures, open_of, with_figures
from services.alerts.levels.changes import FALSE_ALARMS_A_DAY, ToldLevel, watches
from services.alerts.levels.days import DAY, REST, LevelDay, LevelDays, all_of, scope_of
from services.alerts.levels.folding import ToldCause
from services.alerts.levels.lasting import WEEK, WEEKS, WEEKS_MIN, Lasting, held_against, most_lasting
from services.alerts.levels.looks import FOLDED_MAX, PAGES_A_DAY, LevelLook
from services.alerts.rates import per_hour
from services.alerts.scopes import DetectorScope
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO, divided, plain

DIMENSIONS = ("workflow", "feature", "agent", "sku")
VOLUME_MOST = Decimal("1.5")
"""The calls moved by so many times at most, up or down: with more of them it may be other work."""
FEW_SHARE = 4
"""A day with less than a quarter of the least calls says nothing of a call, and counts as the others do."""
SAME_CAUSE_DAYS = 7

MeasureName = Literal["cost", "tokens", "cache"]
MEASURES: tuple[MeasureName, ...] = ("cost", "tokens", "cache")


class Moved(NamedTuple):
    """What moved, before and now: money or tokens a call; of the cache its share of the input."""

    measure: MeasureName
    before: Decimal
    now: Decimal


@dataclass(frozen=True, kw_only=True)
class LevelDrift:
    """A scope whose calls became dearer; amounts at today's prices."""

    scope: DetectorScope
    days: int
    since: date
    moved: Sequence[Moved]
    cost_before: Decimal
    """A call."""
    cost: Decimal
    calls_per_day: Decimal
    chance: float

    @property
    def excess(self) -> Decimal:
        """What it makes a day dearer."""
        return EXACT.multiply(EXACT.subtract(self.cost, self.cost_before), self.calls_per_day)


def drifts_of(
    rule: AlertRule, days: LevelDays, told: Mapping[DetectorScope, ToldLevel]
) -> Iterable[LevelDrift | None]:
    """One after the other, None where nothing is news."""
    watched = [
        scope
        for scope in days.by_scope
        if scope[0] in DIMENSIONS and scope[1] != REST and watches(rule, scope)
    ]
    for scope in watched:
        drift = drift_of(scope, days, rule, len(watched))
        yield None if drift is None or _is_told(drift, told.get(scope)) else drift


def drift_of(scope: DetectorScope, days: LevelDays, rule: AlertRule, scopes: int) -> LevelDrift | None:
    """The scope's drift, if it is news: over the gates of its measure, in money, beyond chance, going on."""
    known, least = _known(days.of(scope)), rule.number("calls_min")
    if len(known) < WEEKS_MIN * WEEK + 2 or not _may_be_dearer(known, rule):
        return None
    seen = [most_lasting(_series(known, measure, least)) for measure in MEASURES]
    held = min((each for each in seen if each is not None), key=lambda each: each.chance, default=None)
    if held is None or not held.goes_on or held.chance * scopes * len(MEASURES) > FALSE_ALARMS_A_DAY:
        return None
    after, before = known[-held.days :], _before(known, held.days)
    if not _as_many_calls([Decimal(day.calls) for day in known], held.days):
        return None
    moved = [move for measure in MEASURES if (move := _moved(measure, before, after, rule)) is not None]
    drift = LevelDrift(
        scope=scope, days=held.days, since=days.last - (held.days - 1) * DAY, moved=moved,
        cost_before=_measured("cost", before), cost=_measured("cost", after),
        calls_per_day=divided(all_of(after, "calls"), Decimal(held.days)), chance=held.chance,
    )  # fmt: skip
    large = drift.calls_per_day >= least and drift.excess >= rule.number("amount_min")
    return drift if moved and large else None


@dataclass(frozen=True, kw_only=True)
class DriftLook(LevelLook):
    """What of it is the same work for more money."""

    kind = "drift"
    causes: Sequence[ToldCause[LevelDrift]]

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open."""
        known = open_of("drift", current)
        ours = {scope_of(one.scope) for one in known if one.currency == self.currency}
        fresh = [cause for cause in self.causes if cause.told.scope not in ours][:PAGES_A_DAY]
        return [self.wording.with_words(self._incident(cause)) for cause in fresh]

    def _as_of_today(self, incident: Incident) -> Incident:
        days = self._since(incident)
        details = dict(incident.details) | {
            "through": self.days.last.isoformat(), "days": len(days), "back": self._is_back(incident),
        }  # fmt: skip
        figures = _figures(days, Decimal(details["cost_before"]))
        return with_figures(replace(incident, details=details, hot_at=self.now), figures, self.now)

    def _since(self, incident: Incident) -> Sequence[LevelDay]:
        return self.days.since(scope_of(incident.scope), date.fromisoformat(incident.details["since"]))

    def _is_back(self, incident: Incident) -> bool:
        """Whether a call of the last two days costs less than halfway between before and what was told."""
        days = self._since(incident)
        before, told = (Decimal(incident.details[name]) for name in ("cost_before", "cost"))
        lately = days[-2:]
        if len(days) <= len(lately) or not all_of(lately, "calls"):
            return False
        return 2 * _measured("cost", lately) < EXACT.add(before, told)

    def _incident(self, cause: ToldCause[LevelDrift]) -> Incident:
        drift = cause.told
        figures = _figures(self.days.since(drift.scope, drift.since), drift.cost_before)
        return self._opened(drift.scope, drift.since, figures, self._details(cause))

    def _details(self, cause: ToldCause[LevelDrift]) -> dict[str, Any]:
        drift = cause.told
        return _level(drift) | {
            "since": drift.since.isoformat(),
            "through": self.days.last.isoformat(),
            "days": drift.days,
            "cost_before": plain(drift.cost_before),
            "cost": plain(drift.cost),
            "excess_per_day": plain(drift.excess),
            "moved": {each.measure: [plain(each.before), plain(each.now)] for each in drift.moved},
            "chance": f"{drift.chance:.2e}",
            "folded": [
                _level(each) | {"scope": list(each.scope), "excess": plain(each.excess)}
                for each in cause.folded[:FOLDED_MAX]
            ],
        }


def _level(drift: LevelDrift) -> dict[str, str]:
    """As the rule of shifts knows it: it is not to tell the same once more."""
    before, now = (EXACT.multiply(each, drift.calls_per_day) for each in (drift.cost_before, drift.cost))
    return {"usual_per_day": plain(before), "per_day": plain(now)}


def _figures(days: Sequence[LevelDay], cost_before: Decimal) -> IncidentFigures:
    expected = EXACT.multiply(cost_before, all_of(days, "calls"))
    spent, number = all_of(days, "worth"), Decimal(max(1, len(days)))
    return IncidentFigures(
        amount=all_of(days, "effective"),
        expected=expected,
        rate_per_hour=per_hour(divided(spent, number), DAY),
        expected_per_hour=per_hour(divided(expected, number), DAY),
        of_which_provisional=all_of(days, "provisional"),
    )


def _known(days: Sequence[LevelDay]) -> Sequence[LevelDay]:
    silent = next((place for place, day in enumerate(days) if day.calls), len(days))
    return days[silent:]


def _may_be_dearer(days: Sequence[LevelDay], rule: AlertRule) -> bool:
    """Whether the last week, or its last two days, cost so much more that the rest is worth a look."""
    for lasts in (2, WEEK):
        before, after = _before(days, lasts), days[-lasts:]
        more = EXACT.subtract(_measured("cost", after), _measured("cost", before))
        if EXACT.multiply(more, all_of(after, "calls")) >= rule.number("amount_min"):
            return True
    return False


def _before(days: Sequence[LevelDay], lasts: int) -> Sequence[LevelDay]:
    weeks = min(WEEKS, (len(days) - lasts) // WEEK)
    return days[len(days) - lasts - weeks * WEEK : len(days) - lasts]


def _series(days: Sequence[LevelDay], measure: MeasureName, least: Decimal) -> list[Decimal]:
    """By day; of the cache, what is not from it."""
    few = least / FEW_SHARE
    usual = _measured(measure, days)
    values = [_measured(measure, [day]) if day.calls >= few else usual for day in days]
    return [1 - value for value in values] if measure == "cache" else values


def _measured(measure: MeasureName, days: Sequence[LevelDay]) -> Decimal:
    """Of all these days' calls together; 0 without any."""
    calls, read = all_of(days, "calls"), all_of(days, "input")
    if measure == "cache":
        return divided(all_of(days, "cached"), read) if read > 0 else ZERO
    if calls <= 0:
        return ZERO
    spent = all_of(days, "worth") if measure == "cost" else EXACT.add(read, all_of(days, "output"))
    return divided(spent, calls)


def _moved(
    measure: MeasureName, before: Sequence[LevelDay], after: Sequence[LevelDay], rule: AlertRule
) -> Moved | None:
    was, now = _measured(measure, before), _measured(measure, after)
    if measure == "cache":
        far = EXACT.subtract(was, now) >= rule.number("cache_share_min")
    else:
        far = was > 0 and now >= EXACT.multiply(rule.number("ratio_min"), was)
    return Moved(measure, was, now) if far else None


def _as_many_calls(calls: Sequence[Decimal], lasts: int) -> bool:
    held: Lasting | None = held_against(calls, lasts)
    if held is None or held.expected <= 0:
        return False
    most = EXACT.multiply(VOLUME_MOST, held.expected)
    return held.amount <= most and EXACT.multiply(VOLUME_MOST, held.amount) >= held.expected


def _is_told(drift: LevelDrift, level: ToldLevel | None) -> bool:
    """Whether people know of it: of this rise, or of one that is open."""
    return level is not None and (level.is_open or abs((level.since - drift.since).days) <= SAME_CAUSE_DAYS)
