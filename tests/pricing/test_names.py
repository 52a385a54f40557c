"""Names as they are written in the world, and what no rule may do with them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

PLACES = tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))["documented"]
USAGE = {"input_tokens": 10_000, "output_tokens": 1_000}


def _spellings(how: str) -> Iterator[tuple[str, str]]:
    for place in PLACES:
        yield from place.get(how, {}).items()


def test_two_hundred_spellings_are_documented_somewhere() -> None:
    assert len({name for how in ("priced", "bounded") for name, _ in _spellings(how)}) >= 200
    assert all(place["at"].startswith("https://") for place in PLACES)


@pytest.mark.parametrize(("name", "model"), _spellings("priced"))
def test_a_documented_spelling_is_its_model(book: PriceBook, name: str, model: str) -> None:
    provider, _, sku = name.partition("/")
    plan = book.plan("", used(provider, sku, USAGE).data)
    assert f"{plan.provider}/{plan.sku}" == model


@pytest.mark.parametrize(("name", "model"), _spellings("bounded"))
def test_a_spelling_that_may_be_something_else_is_bounded_near_its_model(
    book: PriceBook, name: str, model: str
) -> None:
    seller, _, sold = model.partition("/")
    units = {price.unit for price in book.prices[seller, sold]}
    bound, status = _cost(name, units, book)
    cost, _ = _cost(model, units, book)
    assert status == "provisional"
    assert cost <= bound <= 2 * cost


def _cost(name: str, units: set[str], book: PriceBook) -> tuple[Decimal, str]:
    """What USAGE costs, as far as the model has prices of its own (one that embeds gives no output)."""
    provider, _, sku = name.partition("/")
    usage = {unit: quantity for unit, quantity in USAGE.items() if unit in units}
    rating = rate(used(provider, sku, usage), book)
    return rating.list, rating.status
