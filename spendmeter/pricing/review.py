"""What people look at before a price is put in force: what changes, what looks wrong, what others say. Pure.

A price that replaces another at a date is one change from that date on, not a withdrawal and a new entry:
prices that differ in nothing but their dates are compared as one line through time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import (
    Adjustment,
    CatalogEntry,
    Conditions,
    FxRate,
    Price,
    TenantTerms,
)
from spendmeter.contracts.events import Context, UsageData
from spendmeter.contracts.money import EXACT, divided, plain
from spendmeter.contracts.terms import NO_TERMS, SINCE_EVER
from spendmeter.pricing import checks
from spendmeter.pricing.conditions import CatalogError, specificity
from spendmeter.pricing.distance import far_off
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.renamed import renamed
from spendmeter.pricing.words import in_words

RATIO_MAX = Decimal(3)
"""A price further than this from the one that it replaces or overrides asks for confirmation."""
BATCH_SHARE = (Decimal("0.45"), Decimal("0.55"))
ENTRY_ID = re.compile(r"\b[a-z2-7]{13}\b")
"""As texts name entries."""
_DATED = re.compile(r"(?P<alias>.+?)[-@](?P<date>20\d\d-?[01]\d-?[0-3]\d)(?P<rest>-v\d.*)?")

_Sku = tuple[str, str]
Rated = Price | Adjustment
"""What a price is made of: an amount for so many units, or a factor on it."""
Severity = Literal["error", "confirm", "warning"]
"""error: cannot be put in force; confirm: somebody must say that it is meant; warning: worth a look."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of prices between two instants: what was believed, and what will be.

    `sku` and `unit` of an adjustment are its matches and units, joined by commas; "*" = all.
    """

    change: Literal["new", "changed", "withdrawn"]
    provider: str
    sku: str
    unit: str
    when: Conditions
    """With the dates between which this holds, which may be part of an entry's."""
    before: Rated | None = None
    after: Rated | None = None
    ratio: Decimal | None = None
    """After over before; None where there is no such number: one is missing, free, or in another currency."""


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule says of entries, for people."""

    rule: str
    severity: Severity
    message: str
    entries: tuple[str, ...]


class Disagreement(Struct, frozen=True, kw_only=True):
    """Two catalogs on the price of one unit of the same thing, under the same conditions."""

    provider: str
    sku: str
    unit: str
    when: Conditions
    catalog: str
    """Whose word theirs is."""
    ours: str | None
    """For `per` units; None = we have no price of the unit's own."""
    theirs: str
    per: int
    currency: str
    our_currency: str
    """'' = we have no price."""
    our_entry: str
    their_entry: str


def told(change: Change | Disagreement) -> dict[str, Any]:
    """The same as JSON holds it, its conditions also in words."""
    return {**msgspec.to_builtins(change), "conditions": in_words(change.when)}


def changes(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> list[Change]:
    """What is priced differently, by provider, sku, unit and conditions, in that order.

    Both are all entries of a version, withdrawals among them. Raises CatalogError where a withdrawal names an
    entry that is not there.
    """
    lines: dict[Any, tuple[list[Rated], list[Rated]]] = defaultdict(lambda: ([], []))
    for side, entries in enumerate((before, after)):
        for entry in _rated(entries):
            lines[_line(entry)][side].append(entry)
    found = [change for was, will in lines.values() if _differ(was, will) for change in _changes(was, will)]
    return sorted(found, key=_order)


def _rated(entries: Iterable[CatalogEntry]) -> list[Rated]:
    kinds = checks.by_kind(entries)
    return [*checks.of(kinds, Price), *checks.of(kinds, Adjustment)]


def _line(entry: Rated) -> tuple[Any, ...]:
    """All that sets prices apart from one another, but for their dates."""
    scope = (type(entry), entry.layer, entry.tenant, entry.contract, entry.kind, _dateless(entry.when))
    if isinstance(entry, Price):
        return (entry.provider.lower(), entry.sku.lower(), entry.unit, *scope)
    return (entry.provider.lower(), entry.skus, entry.units, entry.name, *scope)


def _dateless(when: Conditions) -> Conditions:
    return replace(when, effective_from=None, effective_to=None)


def _differ(was: list[Rated], will: list[Rated]) -> bool:
    return {entry.id for entry in was} != {entry.id for entry in will}


def _changes(was: list[Rated], will: list[Rated]) -> Iterator[Change]:
    """The stretches of time in which the two differ, neighbours that say the same joined."""
    limits = {entry.when.effective_from for entry in (*was, *will)}
    limits |= {entry.when.effective_to for entry in (*was, *will)}
    starts: list[datetime | None] = [None, *sorted(limit for limit in limits if limit is not None)]
    last: Change | None = None
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        old, new = _at(was, start or SINCE_EVER), _at(will, start or SINCE_EVER)
        change = _change(old, new, start, end) if _says(old) != _says(new) else None
        if last and change and (_says(old), _says(new)) == (_says(last.before), _says(last.after)):
            last = replace(last, when=replace(last.when, effective_to=end))
            continue
        if last:
            yield last
        last = change
    if last:
        yield last


def _at(line: list[Rated], start: datetime) -> Rated | None:
    """The entry of a line in force from `start`."""
    return next((entry for entry in line if entry.when.in_force(start)), None)


def _says(entry: Rated | None) -> tuple[Any, ...] | None:
    if isinstance(entry, Price):
        return (Fraction(entry.price) / entry.per, entry.currency, entry.minimum, entry.per_event)
    return (entry.factor,) if entry else None


def _change(old: Rated | None, new: Rated | None, start: datetime | None, end: datetime | None) -> Change:
    one = new or old
    assert one is not None, "two that say nothing do not differ"
    sku, unit = (
        (one.sku, one.unit)
        if isinstance(one, Price)
        else (",".join(one.skus) or "*", ",".join(one.units) or "*")
    )
    return Change(
        change="new" if old is None else "withdrawn" if new is None else "changed",
        provider=one.provider,
        sku=sku,
        unit=unit,
        when=replace(one.when, effective_from=start, effective_to=end),
        before=old,
        after=new,
        ratio=_ratio(old, new),
    )


def _ratio(old: Rated | None, new: Rated | None) -> Decimal | None:
    if isinstance(old, Price) and isinstance(new, Price):
        if old.currency != new.currency or not Decimal(old.price) or not Decimal(new.price):
            return None
        now, then = Decimal(new.price), Decimal(old.price)
        return divided(EXACT.multiply(now, old.per), EXACT.multiply(then, new.per))
    if isinstance(old, Adjustment) and isinstance(new, Adjustment) and Decimal(old.factor):
        return divided(Decimal(new.factor), Decimal(old.factor))
    return None


def _order(change: Change) -> tuple[Any, ...]:
    since = change.when.effective_from
    return (change.provider, change.sku, change.unit, since is not None, str(since or ""), str(change.when))


def lint(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> list[Finding]:
    """What looks wrong with the prices that change; everything where `before` is empty.

    An entry that cannot be in force is the only finding: without a book there is nothing to compare.
    """
    try:
        book = PriceBook(after)
        changed = changes(before, after)
    except CatalogError as error:
        known = {entry.id for entry in after}
        named = [found for found in ENTRY_ID.findall(str(error)) if found in known]
        return [Finding(rule="book", severity="error", message=str(error), entries=tuple(named))]
    found = [finding for change in changed for finding in _jumps(change, book)]
    new = {change.after.id for change in changed if change.after}
    touched = {(change.provider.lower(), change.sku.lower()) for change in changed}
    currencies = _convertible(after)
    for key in sorted(touched & book.prices.keys()):
        for price in book.prices[key]:
            found += [finding for rule in _RULES for finding in rule(price, book.prices[key])]
            if price.id in new and price.currency not in currencies:
                message = f"{_stated(price)}: no book is in {price.currency}, and no rate converts it"
                found.append(_finding("currency", "error", message, price))
    found += _distant(before, after, book, {entry for finding in found for entry in finding.entries})
    for alias, snapshot in _snapshots(book):
        if touched & {alias, snapshot}:
            found += _snapshot(book.prices[alias], book.prices[snapshot])
    return [*found, *_lost_names(before, after), *_terms(before, after)]


def _lost_names(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> Iterator[Finding]:
    """Usage under such a name has no price from then on."""
    for each in renamed(before, after):
        if each.gone:
            yield Finding(rule="names", severity="confirm", message=each.says, entries=(each.entry,))


def _distant(
    before: Sequence[CatalogEntry], after: Sequence[CatalogEntry], book: PriceBook, doubted: Collection[str]
) -> Iterator[Finding]:
    """Amounts far from all others of their kind, of new entries that nothing else doubts."""
    stood = {entry.id for entry in before}
    new = {entry.id for entry in after if entry.id not in stood}
    for entry, message in far_off(book, after, new):
        if entry not in doubted:
            yield Finding(rule="far", severity="confirm", message=message, entries=(entry,))


def _terms(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> Iterator[Finding]:
    """What a tenant's terms no longer say, or say otherwise, from which instant; what is agreed with a tenant
    for the first time, and from the beginning, takes nothing away."""
    was, will = (checks.of(checks.by_kind(side), TenantTerms) for side in (before, after))
    begins = {(each.tenant, each.effective_from) for each in (*was, *will)}
    for tenant, since in sorted(begins, key=lambda each: (each[0], each[1] or SINCE_EVER)):
        old, new = _agreed(was, tenant, since), _agreed(will, tenant, since)
        if old is NO_TERMS and since is None:
            continue
        changed = [
            f"{name} {getattr(old, name)!r} becomes {getattr(new, name)!r}"
            for name in _AGREED
            if getattr(old, name) != getattr(new, name)
        ]
        if changed:
            from_then = f" from {since.isoformat()}" if since else ""
            yield Finding(
                rule="terms",
                severity="confirm",
                message=f"terms of {tenant}{from_then}: {'; '.join(changed)}",
                entries=tuple(each.id for each in (old, new) if each.id),
            )


_AGREED = (
    "currency", "time_zone", "first_weekday", "fiscal_start_month", "contracts", "fallback", "fallback_event"
)  # fmt: skip


def _agreed(terms: Iterable[TenantTerms], tenant: str, at: datetime | None) -> TenantTerms:
    """The terms of a tenant at an instant; None = at the beginning."""
    begun = [
        each
        for each in terms
        if each.tenant == tenant
        and (each.effective_from is None or (at is not None and each.effective_from <= at))
    ]
    return max(begun, key=lambda each: each.effective_from or SINCE_EVER, default=NO_TERMS)


def _jumps(change: Change, book: PriceBook) -> Iterator[Finding]:
    """Far from the price that it replaces, or that it overrides for some."""
    old, new = change.before, change.after
    if new is None:
        return
    if isinstance(new, Adjustment):
        if _far(Decimal(new.factor)):
            yield _finding("jump", "confirm", f"multiplies prices by {new.factor}", new)
        return
    assert not isinstance(old, Adjustment), "a line is of one kind"
    if old is None:
        old = next((price for price in _overridden(new, book) if _far(_ratio(price, new))), None)
        if old is None:
            return
    ratio = _ratio(old, new)
    if ratio is None and (Decimal(old.price) or Decimal(new.price)):
        yield _finding("jump", "confirm", f"{_stated(new)} in place of {_stated(old)}", new, old)
    elif _far(ratio):
        yield _finding("jump", "confirm", f"{_stated(new)} is {_times(ratio)} {_stated(old)}", new, old)


def _far(ratio: Decimal | None) -> bool:
    return ratio is not None and not 1 / RATIO_MAX <= ratio <= RATIO_MAX


def _times(ratio: Decimal | None) -> str:
    return f"{ratio:.4g} times"


def _overridden(new: Price, book: PriceBook) -> Iterator[Price]:
    """The prices of other lines that `new` goes before: another layer's, or an unconditional one."""
    same, bare = _dateless(new.when), (False,) * 5
    for price in book.prices[new.provider.lower(), new.sku.lower()]:
        other_layer = _rank(price) < _rank(new) and _dateless(price.when) == same
        broader = specificity(price.when) == bare != specificity(new.when)
        if price.unit == new.unit and (other_layer or broader) and _meet(price, new):
            yield price


def _rank(price: Price) -> tuple[int, bool]:
    return ("public", "organisation", "contract").index(price.layer), price.kind == "contracted"


def _meet(one: Price, other: Price) -> bool:
    """Whether both are in force at some instant."""
    return not any(
        start is not None and end is not None and end <= start
        for start, end in (
            (one.when.effective_from, other.when.effective_to),
            (other.when.effective_from, one.when.effective_to),
        )
    )


def _peers(price: Price, unit: str, prices: Iterable[Price], batch: bool | None = None) -> Iterator[Price]:
    """The prices of another unit, or of no batch, that apply wherever `price` does."""
    when = _dateless(replace(price.when, batch=batch))
    scope = (price.kind, price.layer, price.tenant, price.contract, price.currency)
    for peer in prices:
        if (
            peer.unit == unit
            and _dateless(peer.when) == when
            and (peer.kind, peer.layer, peer.tenant, peer.contract, peer.currency) == scope
            and _meet(peer, price)
        ):
            yield peer


def _hour_writes(price: Price, prices: Iterable[Price]) -> Iterator[Finding]:
    """Anthropic, wherever it is sold: a cache write for an hour costs twice the input."""
    if price.unit == "cache_write_1h_tokens" and "claude" in price.sku.lower():
        for peer in _peers(price, "input_tokens", prices, price.when.batch):
            if _one(price) != 2 * _one(peer):
                message = f"{_stated(price)} is not twice {_stated(peer)}"
                yield _finding("cache-write-1h", "confirm", message, price, peer)


def _cache_reads(price: Price, prices: Iterable[Price]) -> Iterator[Finding]:
    """Nobody pays more for what is in the cache than for what is not."""
    if price.unit.startswith("cache_read_"):
        unit = price.unit.replace("cache_read_", "input_")
        for peer in _peers(price, unit, prices, price.when.batch):
            if _one(price) > _one(peer):
                message = f"{_stated(price)} is more than {_stated(peer)}"
                yield _finding("cache-read", "confirm", message, price, peer)


def _batches(price: Price, prices: Iterable[Price]) -> Iterator[Finding]:
    """Tokens of a batch cost about half; searches and the like are not discounted."""
    if price.when.batch and price.unit.endswith("_tokens"):
        for peer in _peers(price, price.unit, prices):
            ratio = _ratio(peer, price)
            if ratio is not None and not BATCH_SHARE[0] <= ratio <= BATCH_SHARE[1]:
                message = f"{_stated(price)} is {_times(ratio)} {_stated(peer)}; about half is usual"
                yield _finding("batch", "warning", message, price, peer)


_RULES = (_hour_writes, _cache_reads, _batches)


def _convertible(entries: Sequence[CatalogEntry]) -> set[str]:
    """The currencies that a book is in, or that a rate converts; a price in another is unpriced."""
    kinds = checks.by_kind(entries)
    books = {terms.currency for terms in checks.of(kinds, TenantTerms)}
    return {"USD"} | books | {rate.base for rate in checks.of(kinds, FxRate)}


def _snapshots(book: PriceBook) -> list[tuple[_Sku, _Sku]]:
    """Every sku without a date whose newest dated name is a sku of its own, and that one."""
    newest: dict[_Sku, tuple[str, _Sku]] = {}
    named = [(*sku, sku) for sku in book.prices]
    named += [(sku[0], alias, sku) for sku, model in book.models.items() for alias in model.aliases]
    for provider, name, sku in named:
        if dated := _DATED.fullmatch(name):
            alias = (provider, f"{dated['alias']}{dated['rest'] or ''}")
            newest[alias] = max(newest.get(alias, ("", sku)), (dated["date"].replace("-", ""), sku))
    priced = book.prices.keys()
    return sorted((a, sku) for a, (_, sku) in newest.items() if a != sku and {a, sku} <= priced)


def _snapshot(alias: Sequence[Price], snapshot: Sequence[Price]) -> Iterator[Finding]:
    """A name without a date, and the newest of that name with one, cost the same."""
    for price in alias:
        for peer in _peers(price, price.unit, snapshot, price.when.batch):
            if price.when.effective_to == peer.when.effective_to is None and _one(price) != _one(peer):
                message = f"{_stated(price)}, but {_stated(peer)}"
                yield _finding("snapshot", "warning", message, price, peer)


def _one(price: Price) -> Fraction:
    return Fraction(price.price) / price.per


def _stated(price: Price) -> str:
    return f"{price.price} {price.currency} per {price.per:,} {price.unit} of {price.provider}/{price.sku}"


def _finding(rule: str, severity: Severity, message: str, *entries: Rated) -> Finding:
    return Finding(rule=rule, severity=severity, message=message, entries=tuple(each.id for each in entries))


def consensus(
    ours: Sequence[CatalogEntry], others: Mapping[str, Sequence[CatalogEntry]]
) -> list[Disagreement]:
    """Where other catalogs, by name, state another list price for a model that both know.

    Each of their prices is compared with what our book would charge under its conditions, when it was
    recorded. Prices by the hour are left out, and zeros of theirs where we have no price.
    """
    book = PriceBook(ours)
    found = []
    for catalog, entries in others.items():
        for price in checks.of(checks.by_kind(entries), Price):
            if price.kind == "list" and not (price.tenant or price.contract or price.when.windows):
                found += _disagreement(book, catalog, price)
    return sorted(found, key=lambda each: (each.catalog, each.provider, each.sku, each.unit, str(each.when)))


def _by_hour(book: PriceBook, entry: str, sku: _Sku) -> bool:
    return any(price.id == entry and price.when.windows for price in book.prices[sku])


def _disagreement(book: PriceBook, catalog: str, price: Price) -> list[Disagreement]:
    when, at = price.when, price.recorded_at
    if not when.in_force(at):
        return []
    context = Context(
        service_tier=next(iter(when.tiers), "standard"),
        region=next(iter(when.regions), ""),
        batch=bool(when.batch),
    )
    plan = book.plan("", UsageData(provider=price.provider, sku=price.sku, usage={}, context=context))
    provider, model, seller = book.meaning("", price.provider, price.sku)
    if provider is None or model is None:
        return []
    length = 0 if when.context_min is None else when.context_min + (not when.context_min_inclusive)
    decision = plan.decide(price.unit, at, length)
    if decision and _by_hour(book, decision.entry, (seller, model.owner)):
        return []
    if decision is None or decision.parent:
        if not Decimal(price.price):
            return []
        decision = None
    elif decision.currency == price.currency and Fraction(decision.price) / decision.per == _one(price):
        return []
    return [
        Disagreement(
            provider=seller,
            sku=model.owner,
            unit=price.unit,
            when=when,
            catalog=catalog,
            ours=plain(EXACT.multiply(decision.per_unit, Decimal(price.per))) if decision else None,
            theirs=price.price,
            per=price.per,
            currency=price.currency,
            our_currency=decision.currency if decision else "",
            our_entry=decision.entry if decision else "",
            their_entry=price.id,
        )
    ]
