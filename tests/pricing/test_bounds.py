"""What bounds a name that is no model's: never less than what the name leads to, and one size for another."""

from __future__ import annotations

import pytest

from spendmeter.contracts.catalog import CatalogEntry, NameRule
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import naming
from spendmeter.pricing.names import family, sizes
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, price, used

ONE = {"input_tokens": 1_000_000}
SAID = {"source": "test", "recorded_at": RECORDED}


def _bound(name: str, *entries: CatalogEntry) -> tuple[str, str]:
    """The amount of a million input tokens of a name at openai, and why."""
    rating = rate(used("openai", name, ONE), PriceBook(entries))
    assert rating.status == "provisional"
    return f"{rating.list.normalize():f}", rating.lines[0].reason.removeprefix("unknown model: ")


def _sold(sku: str, per_million: str, by: str = "openai") -> CatalogEntry:
    return price(sku, "input_tokens", per_million, provider=by)


def test_a_family_is_of_one_size() -> None:
    assert family("accounts/llama-v3p3-70b-instruct".rpartition("/")[2]) == "llama-70b-instruct"
    assert family("meta.llama3-1-405b-instruct-v1:0") == "llama-405b-instruct"
    assert family("regional.anthropic.claude-haiku-4-5-20251001-v1:0") == "claude-haiku"
    assert sizes("qwen3-30b-a3b") == {"30b", "a3b"}
    assert sizes("mixtral-8x7b") == {"8x7b"}


def test_a_small_sibling_bounds_no_large_one() -> None:
    """By words alone lama-3-405b would be of the family of lama-3-8b, at 0.2; all that openai sells says 3."""
    small, large = _sold("lama-3-8b", "0.2"), _sold("huge", "3")
    assert _bound("lama-9-405b", small, large) == ("3", "95th percentile of 2 models of openai (huge)")


def test_the_dearest_of_all_who_have_the_model_bounds_it() -> None:
    others = [_sold("gpt-7x", "2", by="azure"), _sold("gpt-7x", "5", by="aws"), _sold("gpt-mini", "9")]
    assert _bound("my-gpt-7x-prod", *others) == ("5", "its name contains gpt-7x: bounded by gpt-7x of aws")


def test_of_a_model_that_a_single_other_seller_has_another_may_ask_more() -> None:
    entries = [_sold("gpt-7x", "2", by="azure"), _sold("flagship", "9")]
    amount, reason = _bound("my-gpt-7x-prod", *entries)
    assert (amount, reason) == ("9", "95th percentile of 1 models of openai (flagship)")


def test_no_outlier_cut_goes_below_the_model_that_is_named() -> None:
    """The family of gpt-... costs 1, 1, 1 and 20: five medians are 5, and gpt-7x itself costs 20."""
    entries = [_sold(f"gpt-{number}", "1") for number in (1, 2, 3)]
    amount, reason = _bound("gpt-7x-2", *entries, _sold("gpt-7x", "20"))
    assert (amount, reason) == ("20", "its name contains gpt-7x: bounded by gpt-7x")


def test_a_word_for_a_dearer_variant_takes_all_that_the_provider_sells() -> None:
    entries = [_sold("kimi-2", "1"), _sold("flagship", "7")]
    assert _bound("kimi-2-turbo", *entries)[0] == "7"
    assert _bound("kimi-2-prod", *entries) == ("1", "its name contains kimi-2: bounded by kimi-2")
    said = naming("", used("openai", "kimi-2-turbo", ONE).data, PriceBook(entries))
    assert said[-1].endswith("its name contains kimi-2: bounded by no less than kimi-2 of openai")


def test_an_effort_is_left_out_before_the_family_is_sought() -> None:
    effort = NameRule(
        name="effort", match=("{name}-high",), becomes="{name}", costs="same", says="an effort", **SAID
    )
    entries = [_sold("gpt-5", "2"), _sold("gpt-6", "3"), _sold("flagship", "99"), identified(effort)]
    assert _bound("gpt-9-high", *entries) == _bound("gpt-9", *entries)
    assert _bound("gpt-9-high", *entries) == ("3", "the maximum of the family gpt (gpt-6)")


def test_an_embedding_is_bounded_by_embeddings() -> None:
    entries = [_sold("embed-small", "0.02"), _sold("embed-large", "0.13"), _sold("flagship", "30")]
    assert _bound("text-embedding-9", *entries) == (
        "0.13",
        "95th percentile of 2 embedding models of openai (embed-large)",
    )
    elsewhere = [_sold("voyager-embed", "0.06", by="azure"), _sold("flagship", "30")]
    assert _bound("text-embedding-9", *elsewhere)[0] == "0.06"


@pytest.mark.parametrize(
    ("provider", "sku", "amount", "status"),
    [
        # 5 x 1.1, 1.5 x 1.1 and 1.5: Vertex charges a tenth more anywhere but at the global endpoint.
        (
            "google",
            "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-6",
            "5.5",
            "priced",
        ),
        (
            "google",
            "projects/p/locations/europe-west4/publishers/google/models/gemini-3.5-flash",
            "1.65",
            "priced",
        ),
        ("google", "projects/p/locations/global/publishers/google/models/gemini-3.5-flash", "1.5", "priced"),
        # London, and GovCloud: 0.25 x 1.2, by its ARN, its prefix and its profile.
        (
            "aws",
            "arn:aws:bedrock:eu-west-2::foundation-model/meta.llama3-70b-instruct-v1:0",
            "3.45",
            "priced",
        ),
        (
            "aws",
            "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            "0.3",
            "priced",
        ),
        ("aws", "us-gov-west-1/anthropic.claude-3-haiku-20240307-v1:0", "0.3", "priced"),
        ("aws", "us-gov.anthropic.claude-3-haiku-20240307-v1:0", "0.3", "priced"),
        ("aws", "us-east-1/anthropic.claude-3-5-sonnet-20240620-v1:0", "3", "priced"),
        # Whatever free variant: it is documented to cost nothing; "free" inside of another name is not.
        ("openrouter", "mistralai/mistral-small-9.9-24b-instruct:free", "0", "free"),
    ],
)
def test_what_a_name_says_of_where_and_how_it_is_served_counts(
    book: PriceBook, provider: str, sku: str, amount: str, status: str
) -> None:
    rating = rate(used(provider, sku, ONE), book)
    assert (f"{rating.list.normalize():f}", rating.status) == (amount, status)


def test_the_region_that_an_event_states_counts_before_that_of_its_name(book: PriceBook) -> None:
    path = "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-6"
    assert (
        rate(used("google", path, ONE, region="europe-west1"), book).list
        == rate(used("google", "claude-opus-4-6", ONE, region="europe-west1"), book).list
    )


def test_nothing_else_that_says_free_is_free(book: PriceBook) -> None:
    assert rate(used("openrouter", "mistralai/mistral-free-9", ONE), book).list > 0
    assert rate(used("together", "mistralai/mistral-9:free", ONE), book).list > 0
