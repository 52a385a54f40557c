"""What other price lists say of the catalog's prices, and whose word holds."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.api.catalog.access import AnyAccess
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.changes import with_words
from spendmeter.pricing.review.opinions import PriceOpinion, opinions

OPINIONS_PATH = "/v1/catalog/opinions"
LISTED_MAX = 1_000

_KNOWN: WeakKeyDictionary[PriceBook, list[PriceOpinion]] = WeakKeyDictionary()

router = APIRouter(tags=["catalog"], route_class=Negotiated)
OpinionState = Literal["corrected", "reviewed", "open", "missing"]


class Opinion(BaseModel):
    """Another list's price where it is more than one percent from what is charged. `difference`: both, for
    `per` units. `state`: whose word holds was decided by a correction or by a review, with the vendor's
    `rule` and its `source`; `open`: nobody has looked; `missing`: the catalog has no such price."""

    difference: dict[str, Any]
    apart_percent: str = Field(description="theirs over ours, less one; empty where there is no such number")
    state: OpinionState
    right: Literal["ours", "theirs", "neither", ""]
    rule: str
    source: str


class OpinionReport(BaseModel):
    """Of all models that another list knows; `opinions` are at most 1,000 of `total`."""

    version: int
    states: dict[str, int]
    total: int
    opinions: list[Opinion]


@router.get(OPINIONS_PATH, responses=answers("opinions"))
async def get_opinions(
    access: AnyAccess, state: Annotated[OpinionState | None, Query(description="default: all")] = None
) -> OpinionReport:
    """Where genai-prices or LiteLLM, as of this release, state another price than the catalog: what decides
    whose word holds, and what is open."""
    snapshot = await access.books.newest()
    found = await asyncio.to_thread(_all, snapshot.book)
    states = {name: sum(each.state == name for each in found) for name in sorted({e.state for e in found})}
    asked = [each for each in found if state is None or each.state == state]
    shown = [_answer(each) for each in asked[:LISTED_MAX]]
    return OpinionReport(version=snapshot.version, states=states, total=len(asked), opinions=shown)


def _all(book: PriceBook) -> list[PriceOpinion]:
    """Of a whole book, worked out once: it takes a second or two, and neither book nor lists change."""
    if book not in _KNOWN:
        _KNOWN[book] = opinions(book)
    return _KNOWN[book]


async def opinions_of(snapshot: CatalogSnapshot, skus: Iterable[Sku]) -> list[Opinion]:
    """Of these models alone."""
    found = await asyncio.to_thread(opinions, snapshot.book, skus)
    return [_answer(each) for each in found]


def _answer(opinion: PriceOpinion) -> Opinion:
    return Opinion(
        difference=with_words(opinion.difference),
        apart_percent=opinion.apart_percent,
        state=opinion.state,
        right=opinion.right,
        rule=opinion.rule,
        source=opinion.source,
    )
