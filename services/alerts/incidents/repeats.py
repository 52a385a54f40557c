"""How it is said that an incident repeats, or has outgrown what people were told of it. Pure."""

from datetime import datetime
from decimal import Decimal

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import about, lasting, money, rounded, value_of
from spendmeter.contracts.money import EXACT


def times(incident: Incident) -> str:
    """For a title: which time it is, and within how long; '' = the first."""
    if not incident.repeats:
        return ""
    earlier = incident.details.get("earlier")
    within = f" in {lasting(incident.began_at - datetime.fromisoformat(earlier['since']))}" if earlier else ""
    return f" ({_ordinal(incident.repeats + 1)} time{within})"


def in_all(incident: Incident) -> str:
    """What all its times came to; '' = there was one."""
    earlier = incident.details.get("earlier")
    if not earlier:
        return ""
    amount = EXACT.add(Decimal(earlier["amount"]), incident.amount)
    return f"It is the {_ordinal(incident.repeats + 1)} time: {money(incident, amount)} in all."


def growth(incident: Incident) -> str:
    """For a title: what has grown, and what was told of it; '' = nothing, or it is over."""
    grew = incident.details.get("grew")
    if not grew or incident.state == "resolved":
        return ""
    before, now = Decimal(grew["from"]), Decimal(grew["to"])
    if "dimension" in grew:
        what = _what(incident, grew["dimension"], grew["value"])
        return f"; of it {what} {about(now)} {incident.currency}/h, told were {about(before)}"
    return f"; {rounded(now)} {incident.currency} more than usual, told were {rounded(before)}"


def growth_in_full(incident: Incident) -> str:
    """The same as a sentence."""
    grew = incident.details.get("grew")
    if not grew:
        return ""
    before, now = (money(incident, Decimal(grew[name])) for name in ("from", "to"))
    if "dimension" in grew:
        what = _what(incident, grew["dimension"], grew["value"])
        return f"In it {what} has grown to {now} per hour over what is usual; told were {before} per hour."
    return f"It has grown to {now} over what is usual; told were {before}."


def _what(incident: Incident, dimension: str, value: str) -> str:
    return f"{dimension.removesuffix('_id')} {value_of(incident, dimension, value)}"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
