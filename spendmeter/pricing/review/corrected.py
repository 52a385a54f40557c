"""What has become of a correction: whether it is still needed, over this release of the public catalog.

    needed         some event costs something else without it
    superfluous    no event does: the public catalog says the same by now
    contradicted   the public catalog has changed what the rule took the place of, or says itself, where the
                   rule speaks, that something costs otherwise

Compared by effect, over `probes`. What was seen when the rule was written, and is right beside it, is in its
`beside`; what it replaces is in its `replaces`: both with a digest of what the public catalog said then.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from spendmeter.contracts.catalog import Adjustment, CatalogEntry, Price
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import plain
from spendmeter.pricing.catalog.corrections import Rule
from spendmeter.pricing.catalog.overlay import PublicEntries, lay_over, rivals
from spendmeter.pricing.conditions import Bounds, CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.plan import concerns
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review.probes import SECOND, probe, probes

CorrectionStateName = Literal["needed", "superfluous", "contradicted"]
REASONS_MAX = 5
"""Named of one correction; the rest are counted."""


class CorrectionState(Struct, frozen=True, kw_only=True):
    """What became of one correction, and why."""

    key: str
    state: CorrectionStateName
    reasons: tuple[str, ...]


class Corrected:
    """`Corrected(public, own, rules)`: a public catalog with corrections over it, beside our own files."""

    def __init__(
        self, public: Sequence[CatalogEntry], own: Sequence[CatalogEntry], rules: Sequence[Rule]
    ) -> None:
        self.public, self.own, self.rules = public, own, rules
        self.said = PublicEntries(public)
        self._books: dict[frozenset[str], PriceBook] = {}
        self._parts: dict[frozenset[str], list[CatalogEntry]] = {}

    def states(self, now: datetime) -> list[CorrectionState]:
        """Of every correction, in their order. Raises CatalogError where they make no price book."""
        return [self._state(rule, now) for rule in self.rules]

    def _state(self, rule: Rule, now: datetime) -> CorrectionState:
        if otherwise := [*self._stated_otherwise(rule), *self._adjusted_otherwise(rule, now)]:
            return CorrectionState(key=rule.key, state="contradicted", reasons=_few(otherwise))
        effect = self.effect(rule, now)
        if not effect:
            reason = "no event costs anything else without it"
            return CorrectionState(key=rule.key, state="superfluous", reasons=(reason,))
        if changed := list(self._changed(rule)):
            return CorrectionState(key=rule.key, state="contradicted", reasons=_few(changed))
        return CorrectionState(key=rule.key, state="needed", reasons=(effect,))

    def effect(self, rule: Rule, now: datetime) -> str:
        """The first event that costs something else without the correction, in words; '' = none does."""
        corrected = self._corrected(rule)
        try:
            without = self._book(rule, [other for other in self.rules if other is not rule])
        except CatalogError as error:
            return f"without it, others cannot be: {error}"
        for event in probes(rule, (corrected, without), now):
            if (one := _outcome(event, corrected)) != (other := _outcome(event, without)):
                return f"{_words(event)}: {one[0]}, without it {other[0]}"
        return ""

    def _corrected(self, rule: Rule) -> PriceBook:
        if rule.providers not in self._books:
            self._books[rule.providers] = self._book(rule, self.rules)
        return self._books[rule.providers]

    def _book(self, rule: Rule, rules: Sequence[Rule], skip: Collection[str] = ()) -> PriceBook:
        """A book of the part of those whom a rule is about, without some entries."""
        providers = rule.providers
        if providers not in self._parts:
            self._parts[providers] = [entry for entry in self.public if _concerns(entry, providers)]
        theirs = [other for other in rules if not providers.isdisjoint(other.providers)]
        entries = [*lay_over(self._parts[providers], theirs), *self.own]
        return PriceBook(e for e in entries if e.id not in skip and _concerns(e, providers))

    def _changed(self, rule: Rule) -> Iterator[str]:
        """What the rule took the place of, or was seen beside it, and is no longer what the catalog says."""
        for replaced in (*rule.said.replaces, *rule.said.beside):
            now = self.said.said_of(rule, replaced)
            if now != replaced.was:
                name = f"{rule.provider_of(replaced)}/{replaced.sku}"
                yield f"the public catalog says something else of {name}: {now!r}, not {replaced.was!r}"

    def _stated_otherwise(self, rule: Rule) -> Iterator[str]:
        """Public prices that give way to an added one though they say something else."""
        replaced = {p.id for each in rule.said.replaces for p in self.said.prices_of(rule, each)}
        for entry in (each for each in rule.entries if isinstance(each, Price)):
            for other in rivals(self.said, entry):
                if other.id not in replaced and _amount(other) != _amount(entry):
                    said, rules = plain(_amount(other)), plain(_amount(entry))
                    yield f"{entry.provider}/{entry.sku} {entry.unit}: public {said} a unit, the rule {rules}"

    def _adjusted_otherwise(self, rule: Rule, now: datetime) -> Iterator[str]:
        """Public prices that say what an adjustment says too, with another result."""
        for entry in rule.entries:
            if isinstance(entry, Adjustment) and entry.kind == "list":
                yield from self._held_against(rule, entry, list(self._stating(entry, rule)), now)

    def _held_against(
        self, rule: Rule, entry: Adjustment, stated: list[Price], now: datetime
    ) -> Iterator[str]:
        if not stated:
            return
        corrected = self._corrected(rule)
        ruled = self._book(rule, self.rules, {price.id for price in stated})
        for price in stated:
            event = _event_of(price, entry, now)
            if event is None:
                continue
            one, other = _price(event, price.unit, corrected), _price(event, price.unit, ruled)
            if one is not None and other is not None and one != other:
                yield f"{_words(event)}: the public catalog says {plain(one)} a unit, the rule {plain(other)}"

    def _stating(self, entry: Adjustment, rule: Rule) -> Iterator[Price]:
        """The public prices in force that say themselves what serving costs as the adjustment does."""
        beside = {price.id for each in rule.said.beside for price in self.said.prices_of(rule, each)}
        for (provider, sku), prices in self.said.prices.items():
            if provider != entry.provider.lower() or not concerns(entry, sku):
                continue
            theirs = (price for price in prices if not entry.units or price.unit in entry.units)
            yield from (p for p in theirs if p.id not in beside and _states_the_same(p, entry))


def _states_the_same(price: Price, entry: Adjustment) -> bool:
    mine, theirs = price.when, entry.when
    return (
        (theirs.batch is not None or bool(theirs.tiers) or bool(theirs.regions))
        and (theirs.batch is None or mine.batch == theirs.batch)
        and (not theirs.tiers or not set(theirs.tiers).isdisjoint(mine.tiers))
        and (not theirs.regions or not set(theirs.regions).isdisjoint(mine.regions))
    )


def _event_of(price: Price, entry: Adjustment, now: datetime) -> UsageEvent | None:
    """An event that the price decides and that the adjustment holds for; None = there is none."""
    since = [when.effective_from for when in (price.when, entry.when) if when.effective_from]
    until = [when.effective_to for when in (price.when, entry.when) if when.effective_to]
    at = max(since, default=min(until) - SECOND) if until else max([now, *since])
    if until and at >= min(until):
        return None
    length = max(Bounds(price.when if not price.when.windows else entry.when, {}).low, 0)
    when = price.when
    tier = next(iter(set(entry.when.tiers) & set(when.tiers)), when.tiers[0] if when.tiers else "")
    region = next(iter(set(entry.when.regions) & set(when.regions)), when.regions[0] if when.regions else "")
    usage: dict[str, Any] = {"input_tokens": length} if length else {}
    return probe(
        (price.provider, price.sku),
        usage | {price.unit: max(length, 1)},
        (bool(when.batch), tier, region),
        at,
    )


def _price(event: UsageEvent, unit: str, book: PriceBook) -> Decimal | None:
    for line in rate(event, book).lines:
        if line.unit == unit and line.price is not None:
            return Decimal(line.price) / line.per
    return None


def _outcome(event: UsageEvent, book: PriceBook) -> tuple[str, Any]:
    """What an event costs, and all that a receipt would say of it that a correction may change."""
    rating = rate(event, book)
    lines = [
        (line.unit, line.amount, line.contracted_amount, line.status, line.remarks) for line in rating.lines
    ]
    return f"{plain(rating.list)} {rating.currency}, {rating.status}", lines


def _amount(price: Price) -> Decimal:
    return Decimal(price.price) / price.per


def _concerns(entry: CatalogEntry, providers: Collection[str]) -> bool:
    provider = getattr(entry, "provider", "")
    return not provider or provider.lower() in providers


def _words(event: UsageEvent) -> str:
    data, context = event.data, event.data.context
    ways = ["batch"] if context.batch else []
    ways += [context.service_tier] if context.service_tier != "standard" else []
    ways += [f"region {context.region}"] if context.region else []
    usage = " ".join(f"{unit}={quantity}" for unit, quantity in data.usage.items())
    return f"{data.provider}/{data.sku} {usage} {' '.join((*ways, ''))}at {event.time:%Y-%m-%dT%H:%M:%SZ}"


def _few(reasons: Sequence[str]) -> tuple[str, ...]:
    more = len(reasons) - REASONS_MAX
    return (*reasons[:REASONS_MAX], *([f"and {more} more"] if more > 0 else []))
