"""The pieces of what people read: amounts with their currency, times in the tenant's zone, shares. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.incidents.incident import Incident
from services.alerts.scopes import MINUTE
from spendmeter.contracts.money import plain, presented


def value_of(incident: Incident, dimension: str, value: str) -> str:
    """A key's name is beside its id: people know the one, revoking takes the other."""
    name = incident.key_names.get(value, "") if dimension == "key_id" else ""
    return f"{name} ({value})" if name else value


def since(incident: Incident, zone: ZoneInfo) -> str:
    """Since when, in the tenant's zone."""
    return f"since {incident.began_at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def little_known(incident: Incident) -> str:
    """That what is usual is known of a few days only, or not yet; '' where it is known better, or nobody
    asked."""
    if incident.details.get("history_waits"):
        return "When it began the weeks before were not added up yet: what these usually bring was not known."
    days = incident.details.get("history_days")
    if days is None:
        return ""
    known = "less than a day" if not days else "one day" if days == 1 else f"{days} days"
    return f"Of this tenant {known} is known: what its weeks usually bring is not."


def about(amount: Decimal) -> str:
    """A rate for a title: what matters of it."""
    digits = 0 if amount >= 10 else 1 if amount >= 1 else 4
    return _short(visible(amount, digits))


def rounded(amount: Decimal) -> str:
    """An amount for a title: cents where they can matter."""
    return _short(visible(amount, 0 if amount >= 10_000 else 2 if amount >= 1 else 4))


def _short(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def places(amount: Decimal) -> str:
    """An amount with two places, with four where it is small."""
    return visible(amount, 2 if abs(amount) >= 1 or not amount else 4)


def visible(amount: Decimal, places: int) -> str:
    """An amount with so many places; with two digits of what would read 0 and is not, as in the portal."""
    if amount and not Decimal(presented(abs(amount), places).replace(",", "")):
        places = 1 - amount.adjusted()
    return presented(amount, places)


def money(incident: Incident, amount: Decimal) -> str:
    """An amount in the incident's currency."""
    return f"{places(amount)} {incident.currency}"


def figures_of(told: Iterable[tuple[str, Decimal, str]]) -> list[dict[str, str]]:
    """Amounts as an incident's figures; each is a label, an amount, and its unit (USD, USD/h)."""
    return [
        {"label": label, "amount": plain(amount), "unit": unit, "text": f"{places(amount)} {unit}"}
        for label, amount, unit in told
    ]


def percent(share: Decimal) -> str:
    """A share of 1, rounded to a whole percent."""
    return f"{presented(share * 100, 0)} %"


def to_the_minute(at: datetime) -> str:
    """A time for a link, in UTC."""
    return at.replace(second=0, microsecond=0).isoformat().replace("+00:00", "Z")


def lasting(duration: timedelta) -> str:
    """How long, in the unit that says it shortest."""
    minutes = duration // MINUTE
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{duration.seconds} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
