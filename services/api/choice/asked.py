"""Parameters of questions about models, as people write them. Pure; each raises HttpRefusal (422)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from services.api.http.problems import invalid
from spendmeter.contracts.events import NAME_CHARACTERS_MAX
from spendmeter.contracts.money import parse_decimal
from spendmeter.pricing.choice.growth import TokenGrowth
from spendmeter.pricing.choice.traffic import CandidateModel

CANDIDATES_MAX = 20
FACTOR_MAX = Decimal(10)
_FINEST = Decimal("0.000001")


def candidates_of(text: str, field: str = "candidates") -> list[CandidateModel]:
    """Of "anthropic/claude-sonnet-5,openai/gpt-5": what is before the first slash is the provider."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > CANDIDATES_MAX:
        raise invalid(field, f"at most {CANDIDATES_MAX}")
    if len({name.lower() for name in names}) < len(names):
        raise invalid(field, "names a model twice")
    found = []
    for name in names:
        provider, slash, sku = name.partition("/")
        if not (provider and slash and sku) or max(len(provider), len(sku)) > NAME_CHARACTERS_MAX:
            raise invalid(field, "must be models as provider/sku, separated by commas")
        found.append(CandidateModel(provider=provider, sku=sku))
    return found


def growth_of(text: str) -> dict[str, TokenGrowth]:
    """Of "openai/gpt-5:1.05..1.2": so many times the tokens at least and at most, by the model's name."""
    found = {}
    for said in filter(None, (each.strip() for each in text.split(","))):
        name, colon, factors = said.rpartition(":")
        low, dots, high = factors.partition("..")
        named = candidates_of(name, "growth")
        if not (colon and dots and len(named) == 1):
            raise invalid("growth", "must be as openai/gpt-5:1.05..1.2, separated by commas")
        least, most = (decimal_of("growth", each) for each in (low, high))
        if not 0 < least <= most <= FACTOR_MAX:
            raise invalid("growth", f"must go up from more than 0 to at most {FACTOR_MAX}")
        growth = TokenGrowth(low=least, high=most, basis="tenant", source="as asked")
        found[named[0].name] = growth
    return found


def decimal_of(field: str, text: str) -> Decimal:
    """A plain decimal that is not negative."""
    try:
        return parse_decimal(text.strip())
    except ValueError as error:
        raise invalid(field, str(error)) from None


def figure_of(field: str, text: str, most: int) -> Decimal:
    """A figure of traffic that is to come: products of several of these stay exact."""
    figure = decimal_of(field, text)
    if figure > most or figure != figure.quantize(_FINEST):
        raise invalid(field, f"must be at most {most:,}, with at most 6 digits after the point")
    return figure


def utc_days(start: datetime, end: datetime) -> tuple[date, date]:
    """[first, beyond) that hold an interval."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    whole = last == last.replace(hour=0, minute=0, second=0, microsecond=0)
    return first.date(), last.date() if whole else last.date() + timedelta(days=1)


def usage_of(parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Of one call, what there is any of."""
    return {unit: quantity for unit, quantity in parts if quantity}
