"""What a snoozed incident keeps to itself, and what it tells all the same. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import Incident
from spendmeter.contracts.incidents import Transition
from spendmeter.contracts.money import EXACT, ZERO, plain

OUTGROWN = Decimal(2)
"""Times of what people knew: money beyond that is told whatever was snoozed."""
BUDGETED = frozenset({"budget", "forecast", "burn"})
"""Kinds whose expectation is a limit, and not what is usual."""
FLAPS = timedelta(minutes=40)
"""What was snoozed, is over and begins again within so long flaps: that is what the snooze was for."""
NO_MONEY = frozenset({"unbooked", "silence"})
_CALMING: frozenset[Transition] = frozenset({"acknowledged", "resolved"})


def at_stake(incident: Incident) -> Decimal:
    """The money that it is about, all its times together: a budget's is all that was spent, others' what is
    over the usual."""
    if incident.kind in NO_MONEY:
        return ZERO
    usual = ZERO if incident.kind in BUDGETED else incident.expected
    before = Decimal(incident.details.get("earlier", {}).get("excess", "0"))
    return EXACT.add(before, max(ZERO, EXACT.subtract(incident.amount, usual)))


def is_snoozed(incident: Incident, now: datetime) -> bool:
    """Whether people have asked to hear no more of it for now."""
    return incident.snoozed_until is not None and now < incident.snoozed_until


def has_outgrown(incident: Incident, now: datetime) -> bool:
    """Whether it is snoozed and has come to more than twice of what people knew."""
    if not is_snoozed(incident, now) or not incident.told or incident.state == "resolved":
        return False
    stake = at_stake(incident)
    return stake > 0 and stake > OUTGROWN * (incident.snoozed_amount or ZERO)


def told_again(incident: Incident, now: datetime) -> Incident:
    """The incident as its next message, where it has outgrown its snooze; else as it is."""
    if not has_outgrown(incident, now):
        return incident
    before, stake = incident.snoozed_amount or ZERO, at_stake(incident)
    grew = {"from": plain(before), "to": plain(stake)}
    details = {**incident.details, "grew": grew}
    return replace(incident, number=incident.number + 1, snoozed_amount=stake, details=details)


def snoozed(incident: Incident, until: datetime | None, now: datetime) -> Incident:
    """The incident as somebody has snoozed it, or, with None, woken it."""
    known = at_stake(incident) if until is not None else None
    return replace(incident, snoozed_until=until, snoozed_amount=known, updated_at=now)


def ended(incident: Incident, *, unheard: bool) -> Incident:
    """What is over, with a snooze that is soon over as well: it was for that, and not for what comes later.
    Who hears of the end knows all its money; `unheard`: nobody does."""
    if incident.snoozed_until is None or incident.resolved_at is None:
        return incident
    known = incident.snoozed_amount if unheard else at_stake(incident)
    until = min(incident.snoozed_until, incident.resolved_at + FLAPS)
    return replace(incident, snoozed_until=until, snoozed_amount=known)


def held_until(
    incident: Incident, transition: Transition, now: datetime, *, outgrown: bool, unheard: bool
) -> datetime | None:
    """Until when a message of it waits; None = it does not.

    `outgrown`: its money is beyond what people knew. `unheard`: that it is open was held back itself, so
    nobody waits to hear of its end.
    """
    passes = outgrown or (transition in _CALMING and not unheard)
    return None if passes or not is_snoozed(incident, now) else incident.snoozed_until
