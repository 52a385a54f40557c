"""What usage lacks to be priced: a price, a rate, a unit, a name; each leads to another remedy. Pure."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import UNSET

from spendmeter.contracts.catalog import Price
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.rated import Line
from spendmeter.contracts.units import nearest_unit
from spendmeter.pricing.engine import rate, states_cost
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.words import in_words

CONDITIONS_SHOWN = 3
_TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

Kind = Literal["model", "price", "conditions", "dates", "unit", "rate"]
"""model: nobody knows the name. price: a known model has none of the unit; conditions: none for how it was
served; dates: none of then. unit: nobody knows it. rate: no rate converts the currency of the price."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """One thing that is missing, in words, and what to do about it. `unit`: '' = of the whole event;
    `nearest`: of a unit that nobody knows, the one that was probably meant; a rate: one `base` in `quote`."""

    kind: Kind
    says: str
    advice: str
    unit: str = ""
    nearest: str = ""
    base: str = ""
    quote: str = ""


def missing(event: UsageEvent, book: PriceBook) -> list[Missing]:
    """What the event lacks; nothing where the book prices all of it."""
    found: list[Missing] = []
    rating = rate(event, book)
    assert event.time is not UNSET, "rate() refuses an event without a time"
    plan = book.plan(event.tenant, event.data, event.time)
    for line in rating.lines:
        if line.status in ("provisional", "unpriced"):
            found += _of_line(event, event.time, book, plan, line, rating.currency)
    return list(dict.fromkeys(found))


def _of_line(
    event: UsageEvent, time: datetime, book: PriceBook, plan: Plan, line: Line, currency: str
) -> Iterator[Missing]:
    known = states_cost(event) or plan.sku is not None
    if line.amount is not None and line.status == "unpriced":  # priced, and not converted
        listed = line.currency or currency
        for base in dict.fromkeys((listed, line.contracted_currency or listed)):
            if base != currency and not book.fx(base, currency, time):
                yield _rate(book, base, currency)
        if not known:
            yield _model(event, line.unit, f"unknown model: its bound is in {listed}")
    elif line.unit not in book.parents and line.amount is None:
        yield _unit(line.unit, book)
    elif not known:
        yield _model(event, line.unit, line.reason)
    else:
        yield _price(plan, time, book, line.unit, own=bool(line.parent))


def _rate(book: PriceBook, base: str, quote: str) -> Missing:
    rates = book.rates(base, quote)
    before = f" before {_day(rates[0].effective_from)}" if rates else ""
    return Missing(
        kind="rate", base=base, quote=quote, **_text("rate", base=base, quote=quote, before=before)
    )


def _unit(unit: str, book: PriceBook) -> Missing:
    if near := nearest_unit(unit, book.parents):
        text = _text("unit_like_another", unit=unit, nearest=near)
        return Missing(kind="unit", unit=unit, nearest=near, **text)
    return Missing(kind="unit", unit=unit, **_text("unit", unit=unit))


def _model(event: UsageEvent, unit: str, reason: str) -> Missing:
    text = _text("model", reason=reason, provider=event.data.provider, sku=event.data.sku)
    return Missing(kind="model", unit=unit, **text)


def _text(which: str, **parts: str) -> dict[str, str]:
    return {name: template.format(**parts) for name, template in _TEXTS[which].items()}


def _price(plan: Plan, time: datetime, book: PriceBook, unit: str, *, own: bool) -> Missing:
    """Of a known model: no price of the unit, or none that holds. `own`: its parent's was a guess."""
    assert plan.provider is not None and plan.sku is not None, "a known model has a seller"
    name = f"{plan.provider}/{plan.sku}"
    lineage = [unit] if own else list(book.lists.lineage(unit))
    prices = book.prices.get((plan.provider, plan.sku), ())
    others = [price for price in prices if price.unit in lineage and plan.scope.includes(price)]
    if not others:
        return Missing(kind="price", unit=unit, **_text("price", unit=unit, name=name))
    if when := _dates(others, time):
        return Missing(kind="dates", unit=unit, **_text("dates", unit=unit, name=name, when=when))
    text = _text("conditions", unit=unit, name=name, others=_conditions_of(others))
    return Missing(kind="conditions", unit=unit, **text)


def _dates(others: list[Price], time: datetime) -> str:
    """Of when there is no price; '' where it is not for the date."""
    starts = [price.when.effective_from for price in others]
    later = [start for start in starts if start and start > time]
    if len(later) == len(starts):
        return f"before {_day(min(later))}"
    ends = [price.when.effective_to for price in others]
    over = [end for end in ends if end and end <= time]
    return f"from {_day(max(over))} on" if len(over) == len(ends) else ""


def _conditions_of(others: list[Price]) -> str:
    conditions = list(dict.fromkeys(in_words(price.when) for price in others))
    more = ", ..." if len(conditions) > CONDITIONS_SHOWN else ""
    return f"{', or '.join(conditions[:CONDITIONS_SHOWN])}{more}"


def _day(instant: datetime) -> str:
    """The day, with the time where it is not midnight in UTC."""
    at = instant.astimezone(UTC)
    return f"{at:%Y-%m-%d}" if at.hour == at.minute == at.second == 0 else f"{at:%Y-%m-%d %H:%M:%S}Z"
