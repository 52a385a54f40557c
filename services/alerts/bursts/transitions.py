"""What becomes of an anomaly, of minutes or of hours: a page or not, told again, begun once more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.alerts.bursts.anomalies import Growth
from services.alerts.bursts.told import told_in
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.snoozing import at_stake
from spendmeter.contracts.money import EXACT, ZERO, plain, quantised

BURSTS_KEPT_MAX = 30
PAGES_A_DAY = 10
"""Of a tenant; beyond them only what is dearer than one of the day's ten dearest is another."""
DAY = timedelta(days=1)


def is_page_of_the_day(ours: Sequence[Incident], excess: Decimal, now: datetime) -> bool:
    """Whether such an excess is among the day's pages, which the dearest are."""
    pages = [each for each in ours if "by_chance" not in each.details and now - each.opened_at < DAY]
    dearest = sorted((told_in(each.details).amount for each in pages), reverse=True)[:PAGES_A_DAY]
    return len(dearest) < PAGES_A_DAY or excess > dearest[-1]


def by_chance(incident: Incident) -> Incident:
    """One that may be chance: it is told with the day's others; how grave it would be stays known."""
    details = dict(incident.details) | {"by_chance": incident.severity}
    return replace(incident, severity="info", details=details)


def beyond_chance(incident: Incident) -> Incident:
    """One that looked like chance and has come to more: as grave as it would have been."""
    severity = incident.details.get("by_chance", incident.severity)
    details = {name: value for name, value in incident.details.items() if name != "by_chance"}
    return replace(incident, severity=severity, details=details)


def once_more(incident: Incident, over: Sequence[Incident], now: datetime) -> Incident:
    """The new incident, or the last of its scope among those that are over, begun again."""
    same = [each for each in over if each.scope == incident.scope]
    last = max(same, key=lambda each: each.hot_at, default=None)
    return incident if last is None else repeated(last, incident, now)


def repeated(before: Incident, again: Incident, now: datetime) -> Incident:
    """An anomaly that was over, and is again: its figures are those of the new burst, and the earlier ones
    are kept beside it with what they cost in all."""
    earlier = dict(before.details.get("earlier", {}))
    burst = [before.began_at.isoformat(), before.hot_at.isoformat()]
    details = dict(again.details) | {
        "repeated_at": now.isoformat(),
        "earlier": {
            "since": earlier.get("since", burst[0]),
            "amount": plain(EXACT.add(Decimal(earlier.get("amount", "0")), before.amount)),
            "excess": plain(at_stake(before)),
            "bursts": [*(earlier.get("bursts") or []), burst][-BURSTS_KEPT_MAX:],
        },
    }
    return replace(
        again, id=before.id, rule_revision=before.rule_revision, episode=before.episode,
        opened_at=before.opened_at, number=before.number + 1, repeats=before.repeats + 1, details=details,
        peak_per_hour=max(before.peak_per_hour, again.peak_per_hour),
    )  # fmt: skip


def grown(incident: Incident, growth: Growth, rate_per_hour: Decimal, now: datetime) -> Incident:
    """An anomaly that is told again, for it has come to more than twice of what people know."""
    before = told_in(incident.details)
    amount = max(ZERO, EXACT.subtract(incident.amount, incident.expected), growth.told.amount)
    told = replace(growth.told, amount=amount, at=now).with_highest(before)
    news = {"from": plain(before.amount), "to": plain(told.amount)}
    if growth.scope is not None:
        dimension, value = growth.scope
        per_hour = {"from": before.of(growth.scope), "to": told.of(growth.scope)}
        news = {name: plain(quantised(pace * 60)) for name, pace in per_hour.items()}
        news |= {"dimension": dimension, "value": value}
    details = dict(incident.details) | {"told": told.details(), "grew": news}
    return replace(
        incident,
        number=incident.number + 1,
        details=details,
        updated_at=now,
        rate_per_hour=rate_per_hour,
        peak_per_hour=max(incident.peak_per_hour, rate_per_hour),
    )


def explained(
    incident: Incident, explanation: Mapping[str, Any], of: Mapping[str, str] | None = None
) -> Incident:
    """The incident with what explains it; `of`: whose excess that is, where it is not the incident's."""
    about = dict(explanation)
    if of is not None and of != incident.scope:
        about["of"] = dict(of)
    return replace(incident, details={**incident.details, "explanation": about})


def is_expected(incident: Incident, now: datetime) -> bool:
    """Whether it is over, and people have said that its scope may spend so."""
    until = incident.expected_until
    return incident.state == "resolved" and until is not None and now < until
