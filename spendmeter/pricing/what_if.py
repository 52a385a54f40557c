"""What if: the same usage on another model, tier or region, under another cache policy or contract. Pure.

Both sides are priced with one book, so that they differ by the scenario alone; what was booked may differ
from `before` where the catalog has been corrected since.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.events import UsageEvent, event_time, series_of
from spendmeter.contracts.money import total, totals
from spendmeter.contracts.rated import Line
from spendmeter.contracts.series import Series
from spendmeter.pricing.engine import Quantity, Rating, rate
from spendmeter.pricing.price_book import PriceBook

CachePolicy = Literal["none", "5m", "1h"]

_LIFE = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
_READ, _WRITES = "cache_read_tokens", ("cache_write_5m_tokens", "cache_write_1h_tokens")
_UNCACHED = {
    _READ: "input_tokens",
    **dict.fromkeys(_WRITES, "input_tokens"),
    "cache_read_audio_tokens": "input_audio_tokens",
    "cache_read_image_tokens": "input_image_tokens",
}
"""What the tokens are when there is no cache."""


class Scenario(Struct, frozen=True, kw_only=True):
    """What would be different; what is not stated stays as it was."""

    provider: str = ""
    sku: str = ""
    service_tier: str | None = None
    batch: bool | None = None
    region: str | None = None
    cache: CachePolicy | None = None
    prefix_tokens: int | None = None
    """Under a cache, the prompt tokens that repeat from request to request; None = as many of each request as
    were read or written. Events without a cache do not tell."""
    contracts: tuple[str, ...] | None = None
    """Of every tenant whose events these are."""


class Repriced(Struct, frozen=True, kw_only=True):
    """One event, before and after."""

    tenant: str
    source: str
    id: str
    before: Rating
    after: Rating
    usage: dict[str, Quantity]
    """After."""

    @property
    def became_unpriced(self) -> tuple[Line, ...]:
        """Lines that nobody prices, of units that were not unpriced before: no sum holds them, and each says
        why."""
        before = {line.unit for line in self.before.lines if line.status == "unpriced"}
        return tuple(
            line for line in self.after.lines if line.status == "unpriced" and line.unit not in before
        )


class Side(Struct, frozen=True, kw_only=True):
    """Sums of one side, in one currency."""

    list: Decimal
    contracted: Decimal
    effective: Decimal
    of_which_provisional: Decimal
    unpriced_events: int


class ScenarioSums(Struct, frozen=True, kw_only=True):
    """All events of tenants whose book is in `currency`."""

    currency: str
    events: int
    before: Side
    after: Side
    became_unpriced: dict[str, Decimal]
    """Quantity by unit that `after` has no amount for and `before` had: with any of it `after` is too low."""


class Comparison(Struct, frozen=True, kw_only=True):
    """The events in the order in which they were given, and their sums; currencies are never added."""

    events: tuple[Repriced, ...]
    sums: tuple[ScenarioSums, ...]


def reprice(events: Sequence[UsageEvent], scenario: Scenario, book: PriceBook) -> Comparison:
    """Price the events as they were and as they would be. A cost that its sender reported stands only where
    the scenario changes nothing of the event.

    Raises as `rate` does, and CatalogError for a contract that no entry names.
    """
    other = book
    if scenario.contracts is not None:
        other = book.with_contracts({event.tenant for event in events}, scenario.contracts)
    usages: Iterable[dict[str, Quantity]] = [event.data.usage for event in events]
    if scenario.cache is not None:
        usages = cached(events, scenario.cache, scenario.prefix_tokens)
    repriced = tuple(
        Repriced(
            tenant=event.tenant,
            source=event.source,
            id=event.id,
            before=rate(event, book),
            after=rate(_changed(event, scenario, usage), other),
            usage=usage,
        )
        for event, usage in zip(events, usages, strict=True)
    )
    currencies = sorted({each.before.currency for each in repriced})
    return Comparison(events=repriced, sums=tuple(_sums(repriced, currency) for currency in currencies))


def _changed(event: UsageEvent, scenario: Scenario, usage: dict[str, Quantity]) -> UsageEvent:
    data = event.data
    context = replace(
        data.context,
        service_tier=data.context.service_tier if scenario.service_tier is None else scenario.service_tier,
        batch=data.context.batch if scenario.batch is None else scenario.batch,
        region=data.context.region if scenario.region is None else scenario.region,
    )
    changed = replace(
        data,
        provider=scenario.provider or data.provider,
        sku=scenario.sku or data.sku,
        context=context,
        usage=usage,
    )
    same = changed == data and scenario.contracts is None
    return replace(event, data=changed, trustreportedcost=event.trustreportedcost and same)


def cached(
    events: Sequence[UsageEvent], policy: CachePolicy, prefix_tokens: int | None = None
) -> list[dict[str, Quantity]]:
    """Each event's usage under a cache policy; every prompt token is still there once.

    "none": what was read or written is input. "5m", "1h": a request reads what the request before it in its
    series had cached, if that was less than five minutes (an hour) ago, and writes the rest of its prefix;
    every request keeps the cache alive. That one series shares one prefix is an assumption. Audio and images
    have no write of their own: under a cache they stay as they were.
    """
    usages = [dict(event.data.usage) for event in events]
    if policy == "none":
        for usage in usages:
            for unit, plain_unit in _UNCACHED.items():
                if unit in usage:
                    usage[plain_unit] = usage.get(plain_unit, 0) + usage.pop(unit)
        return usages
    warm: dict[tuple[str, Series], tuple[datetime, Quantity]] = {}
    in_time = sorted(zip(events, usages, strict=True), key=lambda each: _when(each[0]))
    for event, usage in in_time:
        time, line = event_time(event), (event.tenant, series_of(event))
        held = sum(usage.get(unit, 0) for unit in (_READ, *_WRITES))
        prompt = usage.get("input_tokens", 0) + held
        if not prompt:
            continue
        prefix = held if prefix_tokens is None else min(prefix_tokens, prompt)
        since, length = warm.get(line, (time, 0))  # no prefix: nothing to read
        read = min(prefix, length) if time - since < _LIFE[policy] else 0
        if prefix:
            warm[line] = time, prefix
        parts = dict.fromkeys(("input_tokens", _READ, *_WRITES), 0)
        parts |= {"input_tokens": prompt - prefix, _READ: read, f"cache_write_{policy}_tokens": prefix - read}
        for unit, quantity in parts.items():
            usage.pop(unit, None)
            if quantity:
                usage[unit] = quantity
    return usages


def _when(event: UsageEvent) -> tuple[datetime, str, str, str]:
    return event_time(event), event.tenant, event.source, event.id


def _sums(repriced: Iterable[Repriced], currency: str) -> ScenarioSums:
    ours = [each for each in repriced if each.before.currency == currency]
    lost = [(line.unit, Decimal(each.usage[line.unit])) for each in ours for line in each.became_unpriced]
    return ScenarioSums(
        currency=currency,
        events=len(ours),
        before=_side([each.before for each in ours]),
        after=_side([each.after for each in ours]),
        became_unpriced=totals(lost),
    )


def _side(ratings: list[Rating]) -> Side:
    return Side(
        list=total(rating.list for rating in ratings),
        contracted=total(rating.contracted for rating in ratings),
        effective=total(rating.effective for rating in ratings),
        of_which_provisional=total(each.effective for each in ratings if each.status == "provisional"),
        unpriced_events=sum(rating.status == "unpriced" for rating in ratings),
    )
