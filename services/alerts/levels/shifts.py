"""What follows from a tenant's complete days by the rule `shift`: incidents to open, renew and end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from services.alerts.incidents.incident import Incident, IncidentFigures, open_of, with_figures
from services.alerts.levels.changes import LevelChange, ToldLevel, whole_excess
from services.alerts.levels.days import DAY, LevelDays, all_of, scope_of
from services.alerts.levels.folding import ToldCause, causes_of
from services.alerts.levels.lasting import WEEK, Lasting, held_against
from services.alerts.levels.looks import FOLDED_MAX, PAGES_A_DAY, LevelLook
from services.alerts.rates import per_hour
from services.alerts.scopes import DetectorScope
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, total

BACK_DAYS = 2
GROWS = 2
"""So many times the excess that was told is told again."""


@dataclass(frozen=True, kw_only=True)
class ShiftLook(LevelLook):
    """What of it lastingly costs more."""

    kind = "shift"
    causes: Sequence[ToldCause[LevelChange]]
    """What rose and is news, the largest first."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, and those that have grown, given those that are open."""
        ours = {
            scope_of(one.scope): one
            for one in open_of("shift", current)
            if one.rule_id == self.rule.id and one.currency == self.currency
        }
        fresh = [cause for cause in self.causes if cause.told.scope not in ours][:PAGES_A_DAY]
        known = [(ours[each.told.scope], each) for each in self.causes if each.told.scope in ours]
        grown = [self._grown(*each) for each in known]
        proposed = [self._incident(cause) for cause in fresh] + [one for one in grown if one is not None]
        return [self.wording.with_words(one) for one in proposed]

    def _as_of_today(self, incident: Incident) -> Incident:
        scope, began = scope_of(incident.scope), date.fromisoformat(incident.details["since"])
        days = self.days.since(scope, began)
        usual = Decimal(incident.details["usual_per_day"])
        held = held_against(self.days.worth_of(scope), len(days))
        per_day = held.per_day if held is not None else Decimal(incident.details["per_day"])
        if len(days) >= WEEK:  # what it is by now, which may be more or less than since it began
            per_day = divided(all_of(days[-WEEK:], "worth"), Decimal(WEEK))
        figures = IncidentFigures(
            amount=all_of(days, "effective"),
            expected=_expected(held, usual, len(days)),
            rate_per_hour=per_hour(days[-1].worth if days else ZERO, DAY),
            expected_per_hour=per_hour(usual, DAY),
            of_which_provisional=all_of(days, "provisional"),
        )
        details = dict(incident.details) | {
            "per_day": plain(per_day), "through": self.days.last.isoformat(), "days": len(days),
            "back": self._is_back(incident),
        }  # fmt: skip
        return with_figures(replace(incident, details=details, hot_at=self.now), figures, self.now)

    def _incident(self, cause: ToldCause[LevelChange]) -> Incident:
        change = cause.told
        return self._opened(change.scope, change.since, self._figures(change), self._details(cause))

    def _grown(self, incident: Incident, cause: ToldCause[LevelChange]) -> Incident | None:
        """The open incident with what it has grown by; None = not enough to be told."""
        told = Decimal(incident.details["excess_per_day"])
        whole = EXACT.add(cause.told.excess, told)  # its excess is over the level that was told
        if incident.kind != "shift" or whole < GROWS * told:
            return None
        grown = self.renewed(incident)
        details = dict(grown.details) | {
            "per_day": plain(cause.told.lasting.per_day), "excess_per_day": plain(whole),
            "told_before": incident.details["per_day"],
        }  # fmt: skip
        return replace(grown, details=details, number=incident.number + 1)

    def _figures(self, change: LevelChange) -> IncidentFigures:
        days = self.days.since(change.scope, change.since)
        return IncidentFigures(
            amount=all_of(days, "effective"),
            expected=_expected(change.lasting, change.usual, len(days)),
            rate_per_hour=per_hour(change.lasting.per_day, DAY),
            expected_per_hour=per_hour(change.usual, DAY),
            of_which_provisional=all_of(days, "provisional"),
        )

    def _details(self, cause: ToldCause[LevelChange]) -> dict[str, Any]:
        change = cause.told
        details: dict[str, Any] = {
            "since": change.since.isoformat(),
            "through": self.days.last.isoformat(),
            "days": change.lasting.days,
            "per_day": plain(change.lasting.per_day),
            "usual_per_day": plain(change.usual),
            "excess_per_day": plain(change.excess),
            "slow": change.lasting.slow,
            "prices": plain(self._prices(change)),
            "chance": f"{change.lasting.chance:.2e}",
            "folded": [_folded(each) for each in cause.folded[:FOLDED_MAX]],
        }
        if change.ratio is not None:
            details["ratio"] = plain(change.ratio)
        return details

    def _prices(self, change: LevelChange) -> Decimal:
        """What the days before would cost more, a day, at today's prices: that is no part of the rise."""
        before = self.days.of(change.scope)[: -change.lasting.days][-4 * WEEK :]
        more = EXACT.subtract(all_of(before, "worth"), all_of(before, "effective"))
        return divided(more, Decimal(max(1, len(before))))

    def _is_back(self, incident: Incident) -> bool:
        """Whether its last days are nearer to the level before than to the one that was told. As many are
        looked at as usually bring the money of two days: on days off there is none to tell it by."""
        scope = scope_of(incident.scope)
        lasts = (self.days.last - date.fromisoformat(incident.details["since"])).days + 1
        held = held_against(self.days.worth_of(scope), lasts)
        usual_per_day = Decimal(incident.details["usual_per_day"])
        half = EXACT.add(usual_per_day, divided(Decimal(incident.details["excess_per_day"]), Decimal(2)))
        if held is None or held.usual_per_day <= 0 or usual_per_day <= 0:
            lately = self.days.worth_of(scope)[-WEEK:]
            return lasts > WEEK and total(lately) < EXACT.multiply(half, Decimal(WEEK))
        scale = divided(half, usual_per_day)
        seen = known = ZERO
        for number, (amount, usual) in enumerate(
            zip(reversed(held.after), reversed(held.usual), strict=True), 1
        ):
            seen, known = EXACT.add(seen, amount), EXACT.add(known, usual)
            if number >= BACK_DAYS and known >= BACK_DAYS * held.usual_per_day:
                return lasts > number and seen < EXACT.multiply(scale, known)
        return False


def causes_among(
    rose: Sequence[LevelChange], days: LevelDays, levels: Mapping[DetectorScope, ToldLevel]
) -> list[ToldCause[LevelChange]]:
    """What of these rises is told, and with what, given the levels that people know of."""
    largest = max(rose, key=lambda change: change.excess, default=None)
    whole = whole_excess(days, largest.lasting.days) if largest is not None else ZERO
    open_now = [(level.scope, level.excess) for level in levels.values() if level.is_open and level.leads]
    return causes_of(rose, whole, open_now)


def _folded(change: LevelChange) -> dict[str, Any]:
    per_day, usual = plain(change.lasting.per_day), plain(change.usual)
    return {
        "scope": list(change.scope),
        "per_day": per_day,
        "usual_per_day": usual,
        "excess": plain(change.excess),
    }


def _expected(held: Lasting | None, usual_per_day: Decimal, days: int) -> Decimal:
    """What these weekdays usually come to, where the usual day is `usual_per_day`."""
    if held is None or held.usual_per_day <= 0:
        return EXACT.multiply(usual_per_day, Decimal(days))
    return divided(EXACT.multiply(held.expected, usual_per_day), held.usual_per_day)


def told_levels(incidents: Sequence[Mapping[str, Any]]) -> dict[DetectorScope, ToldLevel]:
    """What people know of, by scope: of incidents (kind, state, scope, details, opened_at), newest first, and
    what was told with them. One that was back at its usual level says nothing of what is usual now."""
    found: dict[DetectorScope, ToldLevel] = {}
    for row in incidents:
        details, is_open = row["details"], row["state"] != "resolved"
        if details.get("back"):
            continue
        since = date.fromisoformat(details["since"])
        levels = [(scope_of(row["scope"]), details, "excess_per_day", True)]
        levels += [((one["scope"][0], one["scope"][1]), one, "excess", False) for one in details["folded"]]
        for scope, told, excess, leads in levels:
            usual, per_day = Decimal(told["usual_per_day"]), Decimal(told["per_day"])
            level = ToldLevel(scope, since, usual, per_day, Decimal(told[excess]), is_open, leads)
            known = found.setdefault(scope, level)
            if level.per_day > known.per_day:
                found[scope] = level
    return found
