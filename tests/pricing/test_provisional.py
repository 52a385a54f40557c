"""Real models taken out of the shipped catalog one by one, and what their use would have been booked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import chain
from statistics import median

import pytest

from spendmeter.contracts.catalog import Alias, CatalogEntry, Model, Price, Provider
from spendmeter.contracts.rated import PriceStatus
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.names import family
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

SHIPPED = load_snapshot()
USAGE = {"input_tokens": 100_000, "cache_read_tokens": 50_000, "output_tokens": 10_000}


MODELS = [
    ("openai", "gpt-5-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("deepseek", "deepseek-v4-flash"),
    ("x-ai", "grok-4.5"),
    ("zai", "glm-5"),
    ("minimax", "minimax-m2.7"),
]
"""Of ten families."""


@pytest.fixture(scope="module")
def as_sold() -> PriceBook:
    """Without what a name has become."""
    return PriceBook(entry for entry in SHIPPED if not isinstance(entry, Alias))


@pytest.mark.parametrize(("provider", "sku"), MODELS)
def test_a_new_model_is_booked_at_no_less_than_it_costs_and_no_more_than_five_medians(
    book: PriceBook, as_sold: PriceBook, provider: str, sku: str
) -> None:
    others = [  # of other families at other sellers nothing can matter
        entry
        for entry in SHIPPED
        if not isinstance(entry, Price | Model)
        or (
            (entry.provider, entry.sku) != (provider, sku)
            and (entry.provider == provider or _family(entry.sku) == _family(sku))
        )
    ]
    siblings = [name for seller, name in PriceBook(others).prices if seller == provider]
    true, _ = cost(provider, sku, book)
    bound, status = cost(provider, sku, PriceBook(others))
    costs = [cost(provider, name, as_sold)[0] for name in siblings if family(name) == family(sku)]
    assert status == "provisional"
    assert true <= bound <= 5 * median(costs)


def test_of_all_models_that_have_siblings_few_are_booked_below_theircost() -> None:
    """The dearest of a family cannot be bounded by the others: how often that happens, and by how much."""
    common: list[CatalogEntry] = []
    families: dict[str, dict[tuple[str, str], list[CatalogEntry]]] = defaultdict(lambda: defaultdict(list))
    for entry in SHIPPED:
        if isinstance(entry, Price | Model):
            families[_family(entry.sku)][entry.provider, entry.sku].append(entry)
        elif not isinstance(entry, Provider):
            common.append(entry)
    fares: Counter[str] = Counter()
    for members in families.values():
        if len(members) < 2:
            continue
        sellers = {"", *(provider for provider, _ in members)}
        shared = [entry for entry in common if getattr(entry, "provider", "") in sellers]
        known = PriceBook([*shared, *chain(*members.values())])
        for provider, sku in members:
            siblings = chain(*(entries for name, entries in members.items() if name != (provider, sku)))
            true, status = cost(provider, sku, known)
            bound, bounded = cost(provider, sku, PriceBook([*shared, *siblings]))
            if (status, bounded) == ("priced", "provisional"):
                fares["models"] += 1
                fares["below their cost"] += bound < true
                fares["below half of it"] += 2 * bound < true
                fares["over five times it"] += bound > 5 * true
    print(fares)
    assert fares["models"] > 1_000, fares
    # Somebody is the dearest seller of each model: without its own price that one is always below.
    assert fares["below their cost"] < fares["models"] / 6, fares
    assert fares["below half of it"] < fares["models"] / 30, fares
    assert fares["over five times it"] < fares["models"] / 12, fares


def _family(sku: str) -> str:
    return family(sku.rpartition("/")[2])


def cost(provider: str, sku: str, book: PriceBook) -> tuple[Decimal, PriceStatus]:
    """What USAGE of the model is booked at."""
    rating = rate(used(provider, sku, USAGE), book)
    return rating.list, rating.status
