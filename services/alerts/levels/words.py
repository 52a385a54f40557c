"""The words of incidents about levels: what rose and stays, what became dearer for the same work. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.alerts.incidents.causes import sentence_of_split
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import money, percent, places, rounded, value_of, visible
from services.alerts.incidents.words import Wording, suggested_action
from services.alerts.levels.days import REST
from services.alerts.levels.looks import BACK
from spendmeter.contracts.money import EXACT, divided, plain, presented

FOLDED_TOLD = 3
MONTH_DAYS = 30
_NAMES = {"sku": "model", "key_id": "key"}


@dataclass(frozen=True, kw_only=True)
class LevelWording(Wording):
    """What both say alike: by the day, in the tenant's days."""

    def action(self, incident: Incident) -> str:
        """Whom to ask; a level is no emergency."""
        if not incident.scope or REST in incident.scope.values():
            return "Group the spend of these days by team and by feature, and ask whose plan this is."
        return suggested_action(incident).replace(
            "stop it if nobody expects this", "acknowledge it if this is the new level"
        )

    def link(self, incident: Incident) -> str:
        """What the scope spent around it; of values that are not among the largest no filter can be made."""
        return "" if REST in incident.scope.values() else super().link(incident)

    def of_whom(self, incident: Incident) -> str:
        """The scope, as people call it."""
        [(dimension, value)] = incident.scope.items() or [("tenant", incident.tenant)]
        name = _NAMES.get(dimension, dimension)
        if value == REST:
            return f"everything beyond the largest values of {name}"
        return f"{name} {value_of(incident, dimension, value)}"


@dataclass(frozen=True, kw_only=True)
class ShiftWording(LevelWording):
    """Of what rose and stays."""

    def title(self, incident: Incident) -> str:
        """A day's money now and before."""
        now, usual = (rounded(_amount(incident, name)) for name in ("per_day", "usual_per_day"))
        if incident.state == "resolved":
            if incident.resolution == BACK:
                return (
                    f"Over: {self.of_whom(incident)} is back at its usual {usual} {incident.currency} a day"
                )
            return f"Over: {self.of_whom(incident)} stays at {now} {incident.currency} a day, before {usual}"
        verb = "costs more day by day: now" if incident.details["slow"] else "lastingly costs"
        grew = ""
        if "told_before" in incident.details:
            grew = f"; told were {rounded(_amount(incident, 'told_before'))}"
        return f"{self.of_whom(incident)} {verb} {now} {incident.currency} a day, usually {usual}{grew}"

    def summary(self, incident: Incident) -> str:
        """Since when, how many times as much, what it has come to, and comes to in a month, and why."""
        details = incident.details
        now, usual = (money(incident, _amount(incident, name)) for name in ("per_day", "usual_per_day"))
        since = f"since {details['since']} ({self.zone.key})"
        spent = f"{money(incident, incident.amount)} {since}, {money(incident, incident.expected)} expected"
        if incident.state == "resolved":
            told = f"Over: {incident.resolution}. {incident.tenant}: {self.of_whom(incident)} spent {spent}"
            return (
                f"{told}."
                if incident.resolution == BACK
                else f"{told}; it costs {now} a day, before {usual}."
            )
        grows = " It rises day by day, rather than once." if details["slow"] else ""
        sentences = [
            f"{incident.tenant}: {self.of_whom(incident)} costs {now} a day{_times(incident)} the usual "
            f"{usual}, {since}, by what was used at today's prices.{grows}",
            f"By the end of {details['through']} it has spent {spent}.",
            f"In {MONTH_DAYS} days this comes to {money(incident, _in_a_month(incident, 'per_day'))}, where "
            f"{money(incident, _in_a_month(incident, 'usual_per_day'))} were usual.",
            _prices(incident),
            sentence_of_split(details.get("explanation", {}), incident.currency),
            self._also(incident),
        ]
        if incident.of_which_provisional > 0 and incident.amount > 0:
            share = percent(divided(incident.of_which_provisional, incident.amount))
            sentences.append(f"{share} of it is provisional: priced by an upper bound.")
        return " ".join(filter(None, sentences))

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """By the day, by the month, and in all."""
        a_day = f"{incident.currency}/day"
        told = [
            ("a day now", _amount(incident, "per_day"), a_day),
            ("a usual day", _amount(incident, "usual_per_day"), a_day),
            ("spent since it began", incident.amount, incident.currency),
            ("expected meanwhile", incident.expected, incident.currency),
            (f"in {MONTH_DAYS} days at this level", _in_a_month(incident, "per_day"), incident.currency),
        ]
        return _figures(told)

    def _also(self, incident: Incident) -> str:
        """What rose with it: scopes that share its money."""
        told = [
            f"{_NAMES.get(one['scope'][0], one['scope'][0])} {one['scope'][1]}"
            for one in incident.details["folded"]
            if one["scope"][1] not in ("", REST)
        ]
        if not told:
            return ""
        more = f" and {len(told) - FOLDED_TOLD} more" if len(told) > FOLDED_TOLD else ""
        return f"With it rose {', '.join(told[:FOLDED_TOLD])}{more}."


@dataclass(frozen=True, kw_only=True)
class DriftWording(LevelWording):
    """Of the same work that became dearer."""

    def title(self, incident: Incident) -> str:
        """A call's cost now and before."""
        cost, before = (_small(_amount(incident, name)) for name in ("cost", "cost_before"))
        if incident.state == "resolved":
            what = "is back" if incident.resolution == BACK else "stays"
            a_call = f"a call cost {cost} {incident.currency}, before {before}"
            return f"Over: {self.of_whom(incident)} {what}: {a_call}"
        return f"{self.of_whom(incident)} costs {cost} {incident.currency} a call, usually {before}"

    def summary(self, incident: Incident) -> str:
        """What moved, since when, what it makes dearer, and why."""
        details, currency = incident.details, incident.currency
        since = f"since {details['since']} ({self.zone.key})"
        spent = f"{money(incident, incident.amount)} {since}, {money(incident, incident.expected)} expected"
        if incident.state == "resolved":
            whole = f"{incident.tenant}: {self.of_whom(incident)} spent {spent}"
            return f"Over: {incident.resolution}. {whole}, for as many calls."
        moved = [
            _moved(name, Decimal(before), Decimal(now), currency)
            for name, (before, now) in details["moved"].items()
        ]
        sentences = [
            f"{incident.tenant}: the same work of {self.of_whom(incident)} is dearer {since}: "
            f"{', '.join(moved)}; the number of calls is about the same, and prices are not in it.",
            f"That is {money(incident, _amount(incident, 'excess_per_day'))} a day more. By the end of "
            f"{details['through']} it has spent {spent}.",
            sentence_of_split(details.get("explanation", {}), currency),
        ]
        return " ".join(filter(None, sentences))

    def action(self, incident: Incident) -> str:
        """What usually makes calls dearer."""
        return (
            f"Look at what changed in {self.of_whom(incident)}: prompts, the model's version, what is read "
            "from the cache; acknowledge it if this is the new level."
        )

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """By the call, by the day, and in all."""
        told = [
            ("a call now", _amount(incident, "cost"), f"{incident.currency}/call"),
            ("a usual call", _amount(incident, "cost_before"), f"{incident.currency}/call"),
            ("more a day", _amount(incident, "excess_per_day"), f"{incident.currency}/day"),
            ("spent since it began", incident.amount, incident.currency),
            ("expected meanwhile", incident.expected, incident.currency),
        ]
        return _figures(told)


def _moved(name: str, before: Decimal, now: Decimal, currency: str) -> str:
    if name == "cost":
        return f"a call costs {_small(now)} {currency} (before {_small(before)})"
    if name == "tokens":
        return f"it takes {presented(now, 0)} tokens (before {presented(before, 0)})"
    return f"{percent(now)} of the input is from the cache (before {percent(before)})"


def _small(amount: Decimal) -> str:
    """What a call costs is often less than a cent."""
    return visible(amount, 2 if amount >= 1 else 4 if amount >= Decimal("0.01") else 6)


def _times(incident: Incident) -> str:
    if "ratio" not in incident.details:
        return ", beside"
    ratio = Decimal(incident.details["ratio"])
    return f", {presented(ratio, 0 if ratio >= 10 else 1)} times"


def _prices(incident: Incident) -> str:
    prices = _amount(incident, "prices")
    if abs(prices) * 100 < _amount(incident, "usual_per_day"):
        return ""
    more = "more" if prices > 0 else "less"
    return (
        f"Prices come on top: the days before would cost {money(incident, abs(prices))} {more} a day at "
        "today's."
    )


def _figures(told: list[tuple[str, Decimal, str]]) -> list[dict[str, str]]:
    return [
        {"label": label, "amount": plain(amount), "unit": unit, "text": f"{places(amount)} {unit}"}
        for label, amount, unit in told
    ]


def _in_a_month(incident: Incident, name: str) -> Decimal:
    return EXACT.multiply(_amount(incident, name), Decimal(MONTH_DAYS))


def _amount(incident: Incident, name: str) -> Decimal:
    value: Any = incident.details[name]
    return Decimal(value)
