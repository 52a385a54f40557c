"""What looks wrong with what changes: for people to look at before it is put in force. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from spendmeter.contracts.catalog import (
    LAYERS,
    Adjustment,
    CatalogEntry,
    FxRate,
    PeriodTerm,
    Price,
    PriceEntry,
    TenantTerms,
)
from spendmeter.contracts.entry_ids import ENTRY_ID
from spendmeter.contracts.terms import NO_TERMS, SINCE_EVER
from spendmeter.pricing import checks
from spendmeter.pricing.agreements import ANYBODY, agreements
from spendmeter.pricing.conditions import STANDARD, CatalogError, Specificity, specificity
from spendmeter.pricing.dates import hold_at_once
from spendmeter.pricing.period_terms import STEPPED, check_bookable
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.renamed import renamed
from spendmeter.pricing.review.changes import PriceChange, changes, ratio
from spendmeter.pricing.review.distance import far_off
from spendmeter.pricing.review.finding import LintFinding, finding
from spendmeter.pricing.review.vendor_rules import broken_rules, peers
from spendmeter.pricing.words import amount_in_words

RATIO_MAX = Decimal(3)
"""A price further than this from the one that it replaces or overrides asks for confirmation."""
_DATED = re.compile(r"(?P<alias>.+?)[-@](?P<date>20\d\d-?[01]\d-?[0-3]\d)(?P<rest>-v\d.*)?")
_AGREED = (
    "currency",
    "time_zone",
    "first_weekday",
    "fiscal_start_month",
    "contracts",
    "fallback",
    "fallback_event",
)
"""What terms say."""


def lint(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> list[LintFinding]:
    """What looks wrong with the prices that change; everything where `before` is empty.

    An entry that cannot be in force is the only finding: without a book there is nothing to compare.
    """
    before, after = _confirmed(before), _confirmed(after)
    try:
        book = PriceBook(after)
        changed = changes(before, after)
    except CatalogError as error:
        known = {entry.id for entry in after}
        named = tuple(found for found in ENTRY_ID.findall(str(error)) if found in known)
        return [LintFinding(rule="book", severity="error", message=str(error), entries=named)]
    found = [finding for change in changed for finding in _jumps(change, book)]
    found += _prices(changed, after, book)
    doubted = {entry for each in found for entry in each.entries}
    stood = {entry.id for entry in before}
    new = [entry for entry in after if entry.id not in stood]
    for entry, message in far_off(book, new):
        if entry.id not in doubted:
            found.append(finding("far", "confirm", message, entry))
    touched = {(change.provider.lower(), change.sku.lower()) for change in changed}
    for alias, snapshot in _snapshots(book):
        if touched & {alias, snapshot}:
            found += _snapshot(book.prices[alias], book.prices[snapshot])
    found += _never_holds([each for each in new if isinstance(each, Price | Adjustment)], book)
    return [*found, *_lost_names(before, after), *_terms(before, after), *_period_terms(new)]


def _confirmed(entries: Sequence[CatalogEntry]) -> Sequence[CatalogEntry]:
    """Those that may price: what one public list alone says is compared with nothing."""
    return [entry for entry in entries if getattr(entry, "layer", "") != "unconfirmed"]


def _prices(
    changed: Iterable[PriceChange], after: Sequence[CatalogEntry], book: PriceBook
) -> Iterator[LintFinding]:
    """What is odd about the prices of each sku of which any changes."""
    new = {change.after.id for change in changed if change.after}
    touched = {(change.provider.lower(), change.sku.lower()) for change in changed}
    currencies = _convertible(after)
    for sku in sorted(touched & book.prices.keys()):
        for price in book.prices[sku]:
            yield from broken_rules(price, book.prices[sku])
            if price.id in new and price.currency not in currencies:
                message = f"{amount_in_words(price)}: no book is in {price.currency}, and no rate converts it"
                yield finding("currency", "error", message, price)


def _convertible(entries: Sequence[CatalogEntry]) -> set[str]:
    """The currencies that a book is in, or that a rate converts; a price in another is unpriced."""
    kinds = checks.by_kind(entries)
    books = {terms.currency for terms in checks.of(kinds, TenantTerms)}
    return {"USD"} | books | {rate.base for rate in checks.of(kinds, FxRate)}


def _jumps(change: PriceChange, book: PriceBook) -> Iterator[LintFinding]:
    """Far from the price that it replaces, or that it overrides for some."""
    old, new = change.before, change.after
    if new is None:
        return
    if isinstance(new, Adjustment):
        if _is_far(Decimal(new.factor)):
            yield finding("jump", "confirm", f"multiplies prices by {new.factor}", new)
        return
    assert not isinstance(old, Adjustment), "a line is of one kind"
    if old is None:
        old = next((price for price in _overridden(new, book) if _is_far(ratio(price, new))), None)
        if old is None:
            return
    times = ratio(old, new)
    if times is None and (Decimal(old.price) or Decimal(new.price)):
        message = f"{amount_in_words(new)} in place of {amount_in_words(old)}"
        yield finding("jump", "confirm", message, new, old)
    elif _is_far(times):
        message = f"{amount_in_words(new)} is {times:.4g} times {amount_in_words(old)}"
        yield finding("jump", "confirm", message, new, old)


def _is_far(times: Decimal | None) -> bool:
    return times is not None and not 1 / RATIO_MAX <= times <= RATIO_MAX


def _overridden(new: Price, book: PriceBook) -> Iterator[Price]:
    """The prices of other lines that `new` goes before: of a lower layer, the list price beside a contracted
    one, or one without conditions."""
    same, unconditional = new.when.without_dates(), Specificity()
    for price in book.prices[new.provider.lower(), new.sku.lower()]:
        lower = _precedence(price) < _precedence(new) and price.when.without_dates() == same
        broader = specificity(price.when) == unconditional != specificity(new.when)
        if price.unit == new.unit and (lower or broader) and hold_at_once(price.when, new.when):
            yield price


def _precedence(price: Price) -> tuple[int, bool]:
    return LAYERS.index(price.layer), price.kind == "contracted"


def _snapshots(book: PriceBook) -> list[tuple[Sku, Sku]]:
    """Every sku without a date whose newest dated name is a sku of its own, and that one."""
    newest: dict[Sku, tuple[str, Sku]] = {}
    named = [(*sku, sku) for sku in book.prices]
    named += [(sku[0], alias, sku) for sku, model in book.models.items() for alias in model.aliases]
    for provider, name, sku in named:
        if dated := _DATED.fullmatch(name):
            alias = (provider, f"{dated['alias']}{dated['rest'] or ''}")
            newest[alias] = max(newest.get(alias, ("", sku)), (dated["date"].replace("-", ""), sku))
    priced = book.prices.keys()
    return sorted((a, sku) for a, (_, sku) in newest.items() if a != sku and {a, sku} <= priced)


def _snapshot(alias: Sequence[Price], snapshot: Sequence[Price]) -> Iterator[LintFinding]:
    """A name without a date, and the newest of that name with one, cost the same."""
    for price in alias:
        for peer in peers(price, price.unit, snapshot, price.when.batch):
            if price.when.effective_to == peer.when.effective_to is None and price.per_unit != peer.per_unit:
                message = f"{amount_in_words(price)}, but {amount_in_words(peer)}"
                yield finding("snapshot", "warning", message, price, peer)


def _never_holds(new: Iterable[PriceEntry], book: PriceBook) -> Iterator[LintFinding]:
    """Of a tier that is read as another: no event is ever served by it."""
    for entry in new:
        for tier in entry.when.tiers:
            name = book.spellings.name("tier", entry.provider.lower(), tier)
            if name not in (None, tier):
                message = f"for the tier {tier!r}, which is read as {name or STANDARD!r}: it never holds"
                yield finding("tier", "confirm", message, entry)


def _lost_names(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> Iterator[LintFinding]:
    """Usage under such a name has no price from then on."""
    for each in renamed(before, after):
        if each.gone:
            yield LintFinding(rule="names", severity="confirm", message=each.says, entries=(each.entry,))


def _terms(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> Iterator[LintFinding]:
    """What a tenant's terms no longer say, or say otherwise, from which instant; what is agreed with a tenant
    for the first time, and from the beginning, takes nothing away."""
    was, will = (checks.of(checks.by_kind(side), TenantTerms) for side in (before, after))
    begins = {(each.tenant, each.effective_from) for each in (*was, *will)}
    sides = agreements(was), agreements(will)
    for tenant, since in sorted(begins, key=lambda each: (each[0], each[1] or SINCE_EVER)):
        old, new = (agreed.get(tenant, ANYBODY).at(since or SINCE_EVER)[0] for agreed in sides)
        if old is NO_TERMS and since is None:
            continue
        changed = [
            f"{name} {getattr(old, name)!r} becomes {getattr(new, name)!r}"
            for name in _AGREED
            if getattr(old, name) != getattr(new, name)
        ]
        if changed:
            message = f"terms of {tenant}{_from(since)}: {'; '.join(changed)}"
            yield finding("terms", "confirm", message, old, new)


def _from(since: datetime | None) -> str:
    return f" from {since.isoformat()}" if since else ""


def _period_terms(new: Iterable[CatalogEntry]) -> Iterator[LintFinding]:
    """What no period could follow, and so nobody will book; and what one would that is seldom meant."""
    for term in new:
        if isinstance(term, PeriodTerm):
            try:
                check_bookable(term)
            except CatalogError as error:
                yield finding("period-terms", "error", str(error), term)
            else:
                if term.effect in STEPPED and term.when.batch is None:
                    message = (
                        f"period term {term.id} ({term.effect}): its steps are what a quantity costs, "
                        "however it was served, so what batch calls cost less is taken back: say batch = "
                        "false, and another term for batch = true"
                    )
                    yield finding("period-terms", "warning", message, term)
