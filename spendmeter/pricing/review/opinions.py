"""Never only one source: what genai-prices and LiteLLM say of a price beside what we charge and, where they
are more than one percent apart, who is right and by which rule of the vendor's.

A correction of ours decides what it made; everything else the list that people have reviewed (reviewed.toml).
What neither decides is open: nobody has looked, and the page of the model says so.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct, convert
from msgspec.structs import replace

from spendmeter.contracts.catalog import ANY, Adjustment, Conditions, Price, Provider
from spendmeter.pricing.catalog import load_public
from spendmeter.pricing.catalog.corrections import Rule, shipped_corrections, where
from spendmeter.pricing.catalog.overlay import PublicEntries
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.review.consensus import Disagreement, consensus
from spendmeter.pricing.review.second_opinions import LITELLM, second_opinions

PUBLIC_CATALOG = "genai-prices"
APART_MAX = Fraction(1, 100)
_Sentence = Annotated[str, Meta(min_length=1, max_length=600)]
Right = Literal["ours", "theirs", "neither"]


class ReviewedDifference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of reviewed.toml, which says what the fields mean."""

    provider: str
    sku: tuple[str, ...]
    unit: tuple[str, ...] = ("*",)
    catalog: str = ""
    batch: bool | None = None
    tiers: tuple[str, ...] | None = None
    in_region: bool | None = None
    lengths: bool | None = None
    right: Right
    rule: _Sentence
    source: Annotated[str, Meta(min_length=8, max_length=400)]
    read: date
    second_hand: bool = False

    def is_about(self, found: Disagreement) -> bool:
        """Whether it is about this difference."""
        when = found.when
        return (
            self.provider == found.provider
            and self.catalog in ("", found.catalog)
            and matches_any(self.sku, found.sku)
            and matches_any(self.unit, found.unit)
            and self.batch in (None, bool(when.batch))
            and (self.tiers is None or self.tiers == when.tiers)
            and self.in_region in (None, bool(when.regions))
            and self.lengths in (None, when.context_min is not None or when.context_max is not None)
        )


class _Reviewed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    open_max: int
    missing_max: int
    difference: tuple[ReviewedDifference, ...] = ()


REVIEWED = convert(tomllib.loads(Path(__file__).with_name("reviewed.toml").read_text("utf-8")), _Reviewed)


class PriceOpinion(Struct, frozen=True, kw_only=True):
    """Another list's word on a price, and whose holds. `state`: decided by a correction or by a review; open;
    missing, where we have no price to compare and none of a parent's."""

    difference: Disagreement
    apart_percent: str
    """Theirs over ours, less one; "" = there is no such number."""
    state: Literal["corrected", "reviewed", "open", "missing"]
    right: Literal["ours", "theirs", "neither", ""] = ""
    rule: str = ""
    source: str = ""


_Stated = tuple[str, str, str, Conditions]
"""Which price of a list: provider and sku in its words, unit, conditions."""


class _Made(NamedTuple):
    """What a correction made, and for what it is."""

    rule: Rule
    when: Conditions


def opinions(book: PriceBook, skus: Iterable[Sku] | None = None) -> list[PriceOpinion]:
    """Where the other lists are more than one percent from what the book charges; of all models that they
    know, or of these."""
    chosen = None if skus is None else set(skus)
    asked = {
        catalog: [
            price for sku, prices in listed.items() if chosen is None or sku in chosen for price in prices
        ]
        for catalog, listed in _lists().items()
    }
    found = [each for each in consensus(book, asked) if not _as_good_as_equal(each)]
    apart = {each.their_entry for each in found}
    theirs = {price.id: price for prices in asked.values() for price in prices}
    agreed = {_stated(price, price.when) for price in theirs.values() if price.id not in apart}
    return [_opinion(each, theirs[each.their_entry], agreed) for each in found]


def _opinion(found: Disagreement, theirs: Price, agreed: Collection[_Stated]) -> PriceOpinion:
    percent = "" if (apart := _apart(found)) is None else f"{float(apart * 100):+.4g}"
    said = partial(PriceOpinion, difference=found, apart_percent=percent)
    if rule := _deciding(found, theirs, agreed):
        words = f"{rule.key}: {rule.said.rule}"
        return said(state="corrected", right="ours", rule=words, source=where(rule.said))
    if review := next((each for each in REVIEWED.difference if each.is_about(found)), None):
        return said(state="reviewed", right=review.right, rule=review.rule, source=where(review))
    return said(state="missing" if found.charged is None else "open")


def _deciding(found: Disagreement, theirs: Price, agreed: Collection[_Stated]) -> Rule | None:
    """The correction that makes the difference: of whose price it is, where a seller passes on its maker's;
    by a factor, where the list agrees with us but for what that is for; by a price of the unit itself that
    with such factors says all that the list's price is for. A correction that is in our price beside the
    difference decides nothing."""
    if found.provider != theirs.provider and (passing := _passing().get(theirs.provider)):
        return passing
    factors = [made for entry in found.our_factors if (made := _corrections().get(entry))]
    says = [made.when for made in factors]
    if factors and _stated(theirs, _but_for(theirs.when, says)) in agreed:
        return factors[0].rule
    price = _corrections().get(found.our_entry) if found.ours is not None else None
    if price and _but_for(theirs.when, [price.when, *says]).without_dates() == ANY:
        return price.rule
    return None


def _but_for(when: Conditions, said: Iterable[Conditions]) -> Conditions:
    """Conditions without those of which others say something."""
    for each in said:
        if each.batch is not None:
            when = replace(when, batch=None)
        if each.tiers:
            when = replace(when, tiers=())
        if each.regions:
            when = replace(when, regions=())
        if each.context_min is not None or each.context_max is not None:
            when = replace(when, context_min=None, context_max=None)
    return when


def _stated(price: Price, when: Conditions) -> _Stated:
    return price.provider, price.sku, price.unit, when


def _as_good_as_equal(found: Disagreement) -> bool:
    apart = _apart(found)
    return apart is not None and abs(apart) <= APART_MAX


def _apart(found: Disagreement) -> Fraction | None:
    if (
        found.charged is None
        or not Fraction(found.charged)
        or (found.our_currency or "USD") != found.currency
    ):
        return None
    return Fraction(found.theirs) / Fraction(found.charged) - 1


@lru_cache(maxsize=1)
def _lists() -> Mapping[str, Mapping[Sku, Sequence[Price]]]:
    """The two lists, by our names; a second or less, once."""
    return {PUBLIC_CATALOG: PublicEntries(load_public()).prices, LITELLM: second_opinions()}


@lru_cache(maxsize=1)
def _passing() -> Mapping[str, Rule]:
    """The correction by which a provider passes on its makers' prices."""
    return {
        entry.provider: rule
        for rule in shipped_corrections()
        for entry in rule.entries
        if isinstance(entry, Provider) and entry.passes_on
    }


@lru_cache(maxsize=1)
def _corrections() -> Mapping[str, _Made]:
    """What corrections made, by the entry."""
    return {
        entry.id: _Made(rule, entry.when)
        for rule in shipped_corrections()
        for entry in rule.entries
        if isinstance(entry, Price | Adjustment)
    }
