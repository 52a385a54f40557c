"""Models that somebody sells at their maker's price, whatever the public list of the seller says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendmeter.contracts.catalog import Alias, CatalogEntry, Conditions, Model, NameRule, Price, Provider
from spendmeter.pricing.catalog import load_own, load_public
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.explain import explain, naming
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import adjustment, identified, model, price, used

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAID: dict[str, Any] = {"source": "test", "recorded_at": NOON}
GATE = identified(Provider(provider="gate", passes_on=("openai/*",), unless=("openai/open-*",), **SAID))
MAKER = [
    price("glow-2", "input_tokens", "2"),
    price("glow-2", "output_tokens", "8"),
    price("glow-2", "output_image_tokens", "60"),
    price("glow-2", "input_tokens", "1", when=Conditions(batch=True)),
    price("glow-2", "input_tokens", "5", when=Conditions(tiers=("fast",))),
]
LISTED = [
    price("openai/glow-2", "input_tokens", "3", provider="gate"),
    price("openai/glow-3", "input_tokens", "4", provider="gate"),
    price("openai/open-1", "input_tokens", "0.1", provider="gate"),
    price("open-1", "input_tokens", "9"),
]
SECOND = timedelta(seconds=1)
MILLION = {"input_tokens": 1_000_000}
AGREED: dict[str, Any] = {"kind": "contracted", "layer": "contract", "tenant": "acme"}


def agreed(**said: Any) -> Price:
    """What acme has agreed on with the gate."""
    return price("openai/glow-2", "input_tokens", "2.5", provider="gate", **AGREED, **said)


OURS = agreed()


def cost(sku: str, *entries: CatalogEntry, usage: dict[str, int] = MILLION, **context: Any) -> Rating:
    return rate(used("gate", sku, usage, **context), PriceBook([GATE, *MAKER, *LISTED, *entries]))


def test_what_the_maker_prices_costs_that_and_the_receipt_says_whose_price_it_is() -> None:
    rating = cost("openai/glow-2")
    assert (rating.list, rating.status) == (2, "priced")
    assert rating.lines[0].reason == "price of openai, which gate resells"
    # Not 0.0448, the maker's price of text, nor what the list of the gate knows: nothing.
    assert cost("openai/glow-2", usage={"output_image_tokens": 5_600}).list == Decimal("0.336")


def test_the_list_of_the_seller_counts_where_the_maker_has_no_such_model_and_where_it_is_excepted() -> None:
    assert (cost("openai/glow-3").list, cost("openai/glow-3").status) == (4, "priced")
    assert cost("openai/open-1").list == Decimal("0.1")
    assert cost("openai/glow-9").status == "provisional"


def test_a_name_of_the_makers_is_nothing_at_who_sells_it_without_the_makers_name() -> None:
    assert cost("glow-2").status == "provisional"
    assert cost("open-1").status == "provisional"


def test_a_name_that_the_seller_states_for_another_is_first_sought_at_the_maker() -> None:
    model = identified(Model(provider="gate", sku="openai/glow-3", aliases=("openai/glow-4",), **SAID))
    assert cost("openai/glow-4", model).list == 4
    assert cost("openai/glow-4", model, price("glow-4", "input_tokens", "7")).list == 7
    moved = identified(Alias(provider="gate", name="openai/newest", sku="openai/glow-2", **SAID))
    assert cost("openai/newest", moved).list == 2


def test_a_name_may_say_that_it_was_a_batch_or_of_which_tier() -> None:
    said: dict[str, Any] = {"providers": ("gate",), "becomes": "{name}", "costs": "same", "says": "so"} | SAID
    batch = identified(NameRule(name="b", match=("{name}:batch",), unless=("*/*",), batch=True, **said))
    fast = identified(NameRule(name="f", match=("{name}-fast",), unless=("*/*",), tier="fast", **said))
    assert cost("openai/glow-2:batch", batch).list == 1
    assert cost("openai/glow-2:batch", batch, service_tier="fast").list == 1  # the name says it all
    assert cost("openai/glow-2-fast", fast).list == 5
    book = PriceBook([GATE, *MAKER, batch])
    assert "model 'openai/glow-2:batch' says a batch" in naming(
        "", used("gate", "openai/glow-2:batch", {}).data, book
    )


def test_what_was_agreed_with_the_seller_counts_and_what_was_agreed_with_the_maker_does_not() -> None:
    theirs = price("glow-2", "input_tokens", "1.5", **AGREED)
    assert cost("openai/glow-2", theirs).contracted == 2
    _, (line,) = explain(used("gate", "openai/glow-2", MILLION), PriceBook([GATE, *MAKER, *LISTED, theirs]))
    losers = [loser.reason for contest in line.contests for loser in contest.losers]
    assert "agreed with openai, and gate sells it here" in losers
    assert (cost("openai/glow-2", OURS).list, cost("openai/glow-2", OURS).contracted) == (3, Decimal("2.5"))
    deal = adjustment("deal", "0.9", provider="gate", skus=("openai/glow-*",), **AGREED)
    assert (cost("openai/glow-2", deal).list, cost("openai/glow-2", deal).contracted) == (2, Decimal("1.8"))


DATED = identified(
    NameRule(name="d", match=("{name}-####-##-##",), becomes="{name}", costs="same", says="dated", **SAID)
)


def test_what_was_agreed_with_the_seller_counts_however_the_name_is_spelled() -> None:
    name = "openai/glow-2-2026-01-01"
    assert (cost(name, DATED).list, cost(name, DATED, OURS).list) == (2, 3)
    assert cost(name, DATED, OURS).contracted == Decimal("2.5")
    assert cost(name, DATED, OURS, tenant="other").contracted == 2
    # The maker alone knows that it is the same.
    assert cost(name, model("glow-2", "glow-2-2026-01-01"), OURS).contracted == Decimal("2.5")
    # A release that the seller states is another, of which nothing was agreed.
    listed, maker = price(name, "input_tokens", "5", provider="gate"), price(name[7:], "input_tokens", "4")
    assert cost(name, DATED, OURS, listed, maker).contracted == 4


def test_what_is_excepted_is_so_however_the_name_is_spelled() -> None:
    named = Provider(provider="gate", passes_on=("openai/*",), unless=("openai/open-1",), **SAID)
    book = PriceBook([identified(named), *MAKER, *LISTED, DATED])
    assert rate(used("gate", "openai/open-1-2026-01-01", MILLION), book).list == Decimal("0.1")


def test_an_agreement_with_the_seller_counts_while_it_is_in_force() -> None:
    first, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    ours = agreed(when=Conditions(effective_from=first, effective_to=end))
    expected = [(first - SECOND, 2), (first, Decimal("2.5")), (end - SECOND, Decimal("2.5")), (end, 2)]
    for name in ("openai/glow-2", "openai/glow-2-2026-01-01"):
        for order in (expected, expected[::-1]):  # what was found for one instant says nothing of the other
            book = PriceBook([GATE, *MAKER, *LISTED, DATED, ours])
            for at, amount in order:
                assert rate(used("gate", name, MILLION, at=at), book).contracted == amount, (name, at)


REDIRECTED = {"x-ai/grok-3-beta", "x-ai/grok-4-fast", "x-ai/grok-code-fast-1"}
"""xAI serves these as Grok 4.3, at its price."""
ENDED = {"anthropic/claude-opus-4.6-fast", "anthropic/claude-opus-4.7-fast"}
"""Anthropic has no fast mode of these any more."""


def test_of_all_that_openrouter_lists_the_maker_takes_the_same_for_text_today(book: PriceBook) -> None:
    """That each name is sought as the right model: a wrong one would cost something else."""
    listed, text, compared = (
        PriceBook([*load_public(), *load_own()]),
        {"input_tokens": 1_000, "output_tokens": 100, "requests": 0},
        0,
    )
    for provider, sku in sorted(listed.prices):
        if provider != "openrouter" or not book.meaning("", provider, sku).sold_as:
            continue
        event = used(provider, sku, text, at=NOON)
        if sku in REDIRECTED | ENDED:
            continue
        compared += 1
        assert rate(event, book).list == pytest.approx(rate(event, listed).list, rel=Decimal("0.01")), sku
    assert compared > 180


@pytest.mark.parametrize(
    "sku", ["gpt-5.3-pro", "gpt-4.1-pro", "gpt-4o-pro", "gpt-5-mini-pro", "gpt-5.2-chat-pro"]
)
def test_a_pro_that_nobody_lists_is_no_way_of_reasoning_of_another(book: PriceBook, sku: str) -> None:
    """gpt-5.2-pro costs twelve times what gpt-5.2 does."""
    assert rate(used("openrouter", f"openai/{sku}", MILLION), book).status == "provisional"


@pytest.mark.parametrize("sku", ["claude-opus-4.8-fast:nitro", "my-claude-opus-4.8-fast"])
def test_a_variant_that_may_be_fast_is_not_bounded_by_the_standard_price(book: PriceBook, sku: str) -> None:
    rating = rate(used("openrouter", f"anthropic/{sku}", MILLION), book)
    assert rating.status == "provisional"
    assert rating.list >= 10  # 5 x 2
