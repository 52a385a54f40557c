"""Never only one source: what genai-prices and LiteLLM say of a price beside what we charge and, where they
are more than one percent apart, who is right and by which rule of the vendor's.

A correction of ours decides what it made; everything else the list that people have reviewed (reviewed.toml).
What neither decides is open: nobody has looked, and the page of the model says so.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, convert

from spendmeter.contracts.catalog import Price
from spendmeter.pricing.catalog import load_public
from spendmeter.pricing.catalog.corrections import Rule, shipped_corrections, where
from spendmeter.pricing.catalog.overlay import PublicEntries
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.review.consensus import Disagreement, disagreements
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


def opinions(book: PriceBook, skus: Iterable[Sku] | None = None) -> list[PriceOpinion]:
    """Where the other lists are more than one percent from what the book charges; of all models that they
    know, or of these."""
    others = _lists()
    chosen = None if skus is None else set(skus)
    asked = {
        catalog: [
            price for sku, prices in listed.items() if chosen is None or sku in chosen for price in prices
        ]
        for catalog, listed in others.items()
    }
    found = [_opinion(each) for each in disagreements(book, asked)]
    return [each for each in found if each is not None]


def _opinion(found: Disagreement) -> PriceOpinion | None:
    """None = as good as equal."""
    apart = _apart(found)
    if apart is not None and abs(apart) <= APART_MAX:
        return None
    percent = "" if apart is None else f"{float(apart * 100):+.4g}"
    for entry in (found.our_entry, *found.our_factors):
        if rule := _corrections().get(entry):
            said = f"{rule.key}: {rule.said.rule}"
            return PriceOpinion(
                difference=found,
                apart_percent=percent,
                state="corrected",
                right="ours",
                rule=said,
                source=where(rule.said),
            )
    for review in REVIEWED.difference:
        if review.is_about(found):
            return PriceOpinion(
                difference=found, apart_percent=percent, state="reviewed",
                right=review.right, rule=review.rule, source=where(review),
            )  # fmt: skip
    return PriceOpinion(
        difference=found, apart_percent=percent, state="missing" if found.charged is None else "open"
    )


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
def _corrections() -> Mapping[str, Rule]:
    return {entry.id: rule for rule in shipped_corrections() for entry in rule.entries}
