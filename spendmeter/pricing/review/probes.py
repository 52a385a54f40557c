"""Events that tell whether a correction changes anything: every sku that it speaks of, served in every way
that it or that sku's prices mention, at the edges of everything dated, at every hour where hours matter."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import product

from spendmeter.contracts.catalog import (
    Adjustment,
    Alias,
    CalendarEntry,
    CatalogEntry,
    Conditions,
    Model,
    Price,
    PriceEntry,
    Provider,
    Spelling,
    UnitEntry,
)
from spendmeter.contracts.events import EVENT_TYPE, Context, UsageData, UsageEvent
from spendmeter.pricing.catalog.corrections import Rule
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.price_book import PriceBook

SECOND = timedelta(seconds=1)
QUANTITIES = (1, 997)
"""Below and above most least and greatest quantities that are billed."""
ProbedModel = tuple[str, str]
"""A provider's and a model's name, as an event may state them."""
Usage = dict[str, int | Decimal]
Way = tuple[bool, str, str]
"""Batch, tier and region, as an event may state them."""


def probe(subject: ProbedModel, usage: Usage, way: Way, at: datetime) -> UsageEvent:
    """One event."""
    batch, tier, region = way
    context = Context(batch=batch, service_tier=tier or "standard", region=region)
    return UsageEvent(
        specversion="1.0",
        type=EVENT_TYPE,
        id="probe",
        source="probes",
        subject="probes",
        time=at,
        tenant="",
        data=UsageData(provider=subject[0], sku=subject[1], usage=usage, context=context),
    )


def probes(rule: Rule, books: tuple[PriceBook, PriceBook], now: datetime) -> Iterator[UsageEvent]:
    """All events about a rule, of the skus that either book knows: first those in which most rules show."""
    ways = sorted({way for when in _stated(rule) for way in _ways(when)} | set(_spelled(rule.entries)))
    subjects = sorted(set(_subjects(rule, books)))
    own = _instants([], rule, now)
    for subject, way in product(subjects, ways):
        usage = next(_usages([*_entries(subject, books)], rule))
        yield from (probe(subject, usage, way, at) for at in (own[-1], *own))
    for subject in subjects:
        its = [*_entries(subject, books), *_priced(rule)]
        others = {(False, "", ""), *(way for each in _prices(its) for way in _ways(each.when))}
        mine = [*ways, *sorted(others.difference(ways))]
        for way, usage, at in product(mine, list(_usages(its, rule)), _instants(its, rule, now)):
            yield probe(subject, usage, way, at)


def _subjects(rule: Rule, books: tuple[PriceBook, PriceBook]) -> Iterator[ProbedModel]:
    for replaced in rule.said.replaces:
        yield rule.provider_of(replaced), replaced.sku
    for entry in rule.entries:
        match entry:
            case Price() | Alias():
                yield entry.provider, entry.sku if isinstance(entry, Price) else entry.name
            case Model():
                for name in (entry.sku, *entry.aliases, *entry.match):
                    yield entry.provider, name.replace("*", "").replace("#", "1")
            case Provider():
                for name, (_, sku) in product(entry.match, _skus(entry.provider, books)):
                    yield name.replace("*", ""), sku
                for subject in _skus(entry.provider, books):
                    if matches_any(entry.passes_on, subject[1]):
                        yield subject
            case Adjustment():
                for provider, sku in _skus(entry.provider, books):
                    if not entry.skus or matches_any(entry.skus, sku):
                        yield provider, sku
            case Spelling():
                yield from _skus(entry.provider or rule.vendor, books)
            case CalendarEntry():
                for book in books:
                    for key, prices in book.prices.items():
                        if any(price.when.calendar == entry.name for price in prices):
                            yield key


def _skus(provider: str, books: tuple[PriceBook, PriceBook]) -> Iterator[ProbedModel]:
    for book in books:
        for key in book.prices:
            if key[0] == provider.lower():
                yield key


def _entries(subject: ProbedModel, books: tuple[PriceBook, PriceBook]) -> Iterator[PriceEntry]:
    """What may price the subject in either book."""
    for book in books:
        meant = book.meaning("", *subject)
        yield from book.prices.get((meant.seller, meant.model.owner), ()) if meant.model else ()
        yield from book.lists.adjustments.get(subject[0].lower(), ())


def _prices(entries: Iterable[PriceEntry]) -> Iterator[Price]:
    return (entry for entry in entries if isinstance(entry, Price))


def _priced(rule: Rule) -> Iterator[PriceEntry]:
    return (entry for entry in rule.entries if isinstance(entry, Price | Adjustment))


def _stated(rule: Rule) -> Iterator[Conditions]:
    return (entry.when for entry in _priced(rule))


def _ways(when: Conditions) -> Iterator[Way]:
    yield from product((bool(when.batch),), when.tiers or ("",), when.regions or ("",))


def _spelled(entries: Iterable[CatalogEntry]) -> Iterator[Way]:
    for entry in entries:
        for match in entry.match if isinstance(entry, Spelling) else ():
            text = match.replace("*", "x").replace("#", "1")
            yield (False, text, "") if entry.of == "tier" else (False, "", text)  # type: ignore[union-attr]


def _usages(entries: list[PriceEntry], rule: Rule) -> Iterator[Usage]:
    units = {entry.unit for entry in _prices(entries)}
    units |= {unit for entry in rule.entries if isinstance(entry, Adjustment) for unit in entry.units}
    units |= {entry.unit for entry in rule.entries if isinstance(entry, UnitEntry)}
    usage = dict.fromkeys(sorted(units), 1)
    for quantity in QUANTITIES:
        yield dict.fromkeys(usage, quantity)
    yield {"input_tokens": 1}  # without what is charged once an event
    edges = {edge for entry in entries for edge in (entry.when.context_min, entry.when.context_max)}
    for edge in sorted(edge for edge in edges if edge is not None):
        for length in (edge - 1, edge, edge + 1):
            yield {"input_tokens": max(length - 1, 0), "output_tokens": 1, "cache_read_tokens": 1}


def _instants(entries: list[PriceEntry], rule: Rule, now: datetime) -> list[datetime]:
    conditions = [entry.when for entry in (*entries, *_priced(rule))]
    conditions += [_dates(entry) for entry in rule.entries if isinstance(entry, Alias)]
    edges = {edge for when in conditions for edge in (when.effective_from, when.effective_to) if edge}
    instants = {now} | {edge + moved for edge in edges for moved in (-SECOND, 0 * SECOND, SECOND)}
    if any(when.windows for when in conditions):
        days = {now.date() + timedelta(days=day) for day in range(7)}
        for calendar in rule.entries:
            if isinstance(calendar, CalendarEntry):
                days |= {datetime.fromisoformat(day).date() for day in calendar.holidays}
        instants |= {datetime.combine(day, time(hour, 30), UTC) for day in days for hour in range(24)}
    return sorted(instants)


def _dates(alias: Alias) -> Conditions:
    return Conditions(effective_from=alias.effective_from, effective_to=alias.effective_to)
