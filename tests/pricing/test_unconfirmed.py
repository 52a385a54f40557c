"""What one public list alone says bounds the name that it has, and prices nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from spendmeter.contracts.catalog import ANY, CatalogEntry, Conditions, NameRule, Price, Provider
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.catalog import UNCONFIRMED, load_snapshot, load_unconfirmed
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import naming
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.draft import draft
from spendmeter.pricing.proposals.nearest import UnpricedSku, nearest
from spendmeter.pricing.review.consensus import consensus
from spendmeter.pricing.review.lint import lint
from spendmeter.pricing.review.second_opinions import installed
from spendmeter.pricing.review.unconfirmed import derive
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.asked import NOW, ask
from tests.pricing.entries import NOON, RECORDED, adjustment, price, rated, used

LIST = {"layer": "unconfirmed", "source": "LiteLLM 1.110.2"}
HEARSAY = price("gpt-9-mini", "input_tokens", "3", **LIST)
BOOK: list[CatalogEntry] = [
    price("gpt-8", "input_tokens", "50"),
    price("gpt-8", "output_tokens", "200"),
    price("gpt-8-mini", "input_tokens", "20"),
    price("gpt-8-mini", "output_tokens", "80"),
    HEARSAY,
]
MILLION = {"input_tokens": 1_000_000}


def bound(name: str, entries: list[CatalogEntry] = BOOK, **said: Any) -> tuple[str, str]:
    event = used(str(said.pop("provider", "openai")), name, MILLION, **said)
    rating = rate(event, PriceBook(entries))
    return rating.status, str(rating.effective.normalize())


@pytest.fixture(scope="module")
def shipped() -> PriceBook:
    return PriceBook(load_snapshot())


def test_the_name_is_bounded_by_what_that_list_says_and_the_line_says_which_list() -> None:
    rating = rated(BOOK, MILLION, sku="gpt-9-mini")
    (line,) = rating.lines
    assert (rating.status, rating.effective) == ("provisional", 3)  # 1,000,000 x 3 / 1,000,000
    assert line.entry == HEARSAY.id and line.reason == (
        "unknown model: one public list alone has this model (LiteLLM 1.110.2): bounded by gpt-9-mini"
    )
    book = PriceBook(BOOK)
    assert book.entries([HEARSAY.id]) == {HEARSAY.id: HEARSAY}
    assert naming("", used("openai", "gpt-9-mini", {}).data, book) == (
        "model 'gpt-9-mini' is no known name: one public list alone has this model (LiteLLM 1.110.2): "
        "bounded by gpt-9-mini of openai",
    )


def test_what_the_list_says_of_the_latest_release_bounds_too() -> None:
    """The list has qwen-plus at one price, and a long price of its latest alone."""
    long = Conditions(context_min=256_000)
    latest = [
        price("gpt-9-mini-latest", "input_tokens", n, when=w, **LIST) for n, w in (("2", ANY), ("9", long))
    ]
    assert bound("gpt-9-mini", [*BOOK, *latest]) == ("provisional", "9")
    few = rated([*BOOK, *latest], {"input_tokens": 1000}, sku="gpt-9-mini")
    assert few.list == Decimal("0.003")


def test_a_unit_that_the_list_does_not_price_is_bounded_as_of_any_unknown_model() -> None:
    rating = rated(BOOK, {"output_tokens": 1_000_000}, sku="gpt-9-mini")
    assert (rating.status, rating.effective) == (
        "provisional",
        120,
    )  # 1.5 times the family's one other, gpt-8-mini


def test_factors_of_the_provider_and_the_lists_own_conditions_hold() -> None:
    us = adjustment("residency", "1.1", when=Conditions(regions=("us",)))
    long = price("gpt-9-mini", "input_tokens", "7", when=Conditions(context_min=200_000), **LIST)
    assert bound("gpt-9-mini", [*BOOK, us], region="us") == ("provisional", "3.3")
    assert bound("gpt-9-mini", [*BOOK, long]) == ("provisional", "7")


def test_it_prices_nothing_and_bounds_no_other_name() -> None:
    without = [entry for entry in BOOK if entry is not HEARSAY]
    dear = [*without, price("gpt-9-mini", "input_tokens", "9999", **LIST)]
    for name in ("gpt-8", "gpt-8-mini", "gpt-10-mini", "my-gpt-9-mini-x", "opus"):
        assert bound(name, dear) == bound(name, without)


def test_a_rule_that_leaves_the_price_as_it_is_finds_it_and_no_other_rule_does() -> None:
    said = {"source": "test", "recorded_at": RECORDED, "says": "a test"}
    same = NameRule(name="latest", match=("{name}-latest",), becomes="{name}", costs="same", **said)
    maybe = NameRule(name="fast", match=("{name}-fast",), becomes="{name}", **said)
    entries = [*BOOK, identified(same), identified(maybe)]
    assert bound("gpt-9-mini-latest", entries) == ("provisional", "3")
    assert bound("gpt-9-mini-fast", entries) != ("provisional", "3")


def test_who_resells_a_provider_has_its_names_after_its_own() -> None:
    resells = Provider(provider="azure", resells=("openai",), source="test", recorded_at=RECORDED)
    own = price("gpt-9-mini", "input_tokens", "4", provider="azure", **LIST)
    assert bound("gpt-9-mini", [*BOOK, identified(resells)], provider="azure") == ("provisional", "3")
    assert bound("gpt-9-mini", [*BOOK, identified(resells), own], provider="azure") == ("provisional", "4")


def test_who_states_a_price_has_confirmed_it_for_whom_it_is_stated() -> None:
    ours = price("gpt-9-mini", "input_tokens", "2", layer="organisation", tenant="globex")
    assert bound("gpt-9-mini", [*BOOK, ours], tenant="globex") == ("priced", "2")
    assert bound("gpt-9-mini", [*BOOK, ours], tenant="acme") == ("provisional", "3")
    public = price("gpt-9-mini", "input_tokens", "2.5")  # two lists have it
    assert bound("gpt-9-mini", [*BOOK, public]) == ("priced", "2.5")


def test_a_list_states_prices_of_everybody_and_nothing_else() -> None:
    for entry in (
        price("x", "input_tokens", "1", layer="unconfirmed", tenant="acme"),
        price("x", "input_tokens", "1", layer="unconfirmed", kind="contracted"),
        adjustment("half", "0.5", layer="unconfirmed"),
    ):
        with pytest.raises(CatalogError, match=entry.id):
            PriceBook([*BOOK, entry])
    with pytest.raises(CatalogError, match="overlap"):
        PriceBook([*BOOK, price("gpt-9-mini", "input_tokens", "4", **LIST)])


def test_a_list_does_not_agree_with_itself_and_is_no_neighbour_of_other_prices() -> None:
    theirs = price("gpt-9-mini", "input_tokens", "5")
    assert consensus(PriceBook(BOOK), {"litellm": [theirs]}) == []
    without = [entry for entry in BOOK if entry is not HEARSAY]
    assert lint([], BOOK) == lint([], without)


def test_the_inbox_has_a_file_ready_that_states_it_as_our_own() -> None:
    unpriced = UnpricedSku(
        provider="openai",
        sent="gpt-9-mini",
        sku="gpt-9-mini",
        is_known=False,
        units=frozenset({"input_tokens"}),
    )
    book = PriceBook([*BOOK, price("gpt9mini", "input_tokens", "1")])  # the same, spelled otherwise
    (near,) = nearest(book, unpriced)
    assert near.reason == "one public list alone has this model (LiteLLM 1.110.2)"
    found = draft(book, unpriced, [near], EVERYBODY, NOON)
    assert found is not None and found.kind == "price" and '"layer": "organisation"' in found.text
    assert '"input_tokens": "3"' in found.text and "LiteLLM 1.110.2" in found.text


def test_the_shipped_list_is_what_the_installed_package_says_of_names_that_nothing_prices(
    shipped: PriceBook,
) -> None:
    said = {
        (table["provider"], table["sku"], unit, amount)
        for table in derive(installed())
        for unit, amount in table["prices"].items()
    }
    stated = {(entry.provider, entry.sku, entry.unit, entry.price) for entry in _prices()}
    # what was confirmed since is in nothing's way, and goes when the file is made again
    still = {each for each in stated if shipped.is_unconfirmed(each[:2])}
    assert still == said, "python -m spendmeter.pricing.review.unconfirmed"
    assert UNCONFIRMED.read_bytes().partition(b"\n")[0].count(b"LiteLLM 1.110.2") == 1


def test_no_shipped_name_of_that_list_is_free_or_changes_what_another_means(shipped: PriceBook) -> None:
    names = {(entry.provider, entry.sku) for entry in _prices()}
    assert all(float(entry.price) > 0 for entry in _prices())
    without = PriceBook(entry for entry in load_snapshot() if getattr(entry, "layer", "") != "unconfirmed")
    assert shipped.prices == without.prices and shipped.models == without.models
    for provider, sku in [*without.prices][::20]:
        assert shipped.meaning("", provider, sku) == without.meaning("", provider, sku)
    assert not names & {sku for sku in without.prices if shipped.is_unconfirmed(sku)}


def _prices() -> list[Price]:
    return [entry for entry in load_unconfirmed() if isinstance(entry, Price)]


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        ("azure/mistral-large-2402 input_tokens=1000000 output_tokens=100000", "10.4"),  # 8 + 0.1 x 24
        ("bedrock/amazon.titan-embed-g1-text-02 input_tokens=1000000", "0.1"),
        ("bedrock/meta.llama2-70b-chat-v1 input_tokens=1000000", "1.95"),
        ("bedrock/qwen.qwen3-coder-next input_tokens=1000000", "0.5"),
    ],
)
def test_a_name_of_the_shipped_list_is_bounded_by_its_price_or_was_confirmed_at_it(
    arguments: str, total: str, shipped: PriceBook
) -> None:
    found = ask(f"{arguments} --at {NOW:%Y-%m-%d}", shipped)
    assert str(found.total.normalize()) == total and found.status in ("provisional", "priced")
