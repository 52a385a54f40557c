"""Names as they are written in the world, and what no rule may do with them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.scope import Scope
from tests.pricing.entries import used

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
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


def test_a_name_that_a_model_states_is_never_read_otherwise(book: PriceBook) -> None:
    for seller, text, owner in _public_names(book):
        found = book.meaning("", seller, text)
        if found.sold_as:  # at its maker's price: tests/pricing/test_passed_on.py
            continue
        assert (found.seller, found.model and found.model.owner, found.steps) == (seller, owner, ()), text


def test_no_rule_makes_one_model_of_two_that_cost_differently(book: PriceBook) -> None:
    """What a rule calls neutral must be so wherever the catalog has prices of both names."""
    directory, tried = book._directory, 0
    for seller, text, owner in _public_names(book):
        for each in directory.rules((seller,)):
            for reading in (
                each.readings(text, partial(_is, book, seller)) if each.rule.costs == "same" else ()
            ):
                tried += 1
                other = directory.exact(seller, reading, Scope(), NOON)
                if other and other.owner != owner and (cost := _prices(book, seller, owner)):
                    said = f"names/{each.rule.name} reads {seller}/{text} as {reading}"
                    assert cost == (_prices(book, seller, other.owner) or cost), said
    assert tried > 1_000


def _is(book: PriceBook, seller: str, text: str) -> bool:
    claim, _ = book._directory.provider(text, Scope(), NOON)
    return claim is not None and claim.owner == seller


def _public_names(book: PriceBook) -> Iterator[tuple[str, str, str]]:
    """Seller, name and sku of every name that stands there without a star; the sku that it means now, where it
    has moved."""
    for seller, names in book._directory._model_names.items():
        for text, owner in names.texts():
            if names.exactly(text):
                moved = book._directory.exact(seller, text, Scope(), NOON)
                yield seller, text, moved.owner if moved else owner


def _prices(book: PriceBook, seller: str, sku: str) -> dict[str, Decimal]:
    plan = book.plan("", used(seller, sku, {}).data, NOON)
    found = {unit: plan.decide(unit, NOON, 1_000) for unit in book.parents}
    return {unit: each.per_unit for unit, each in found.items() if each}


def _cost(name: str, units: set[str], book: PriceBook) -> tuple[Decimal, str]:
    """What USAGE costs, as far as the model has prices of its own (one that embeds gives no output)."""
    provider, _, sku = name.partition("/")
    usage = {unit: quantity for unit, quantity in USAGE.items() if unit in units}
    rating = rate(used(provider, sku, usage), book)
    return rating.list, rating.status
