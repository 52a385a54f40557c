"""What bounds a name that is no model's: never less than what the name leads to, and one size for another."""

from __future__ import annotations

import pytest

from spendmeter.contracts.catalog import Alias, CatalogEntry, NameRule
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import naming
from spendmeter.pricing.names import family, sizes
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, model, price, used

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


def test_no_sibling_goes_below_the_model_that_is_named() -> None:
    entries = [_sold(f"gpt-{number}", "1") for number in (1, 2, 3)]
    amount, reason = _bound("gpt-7x-2", *entries, _sold("gpt-7x", "20"))
    assert (amount, reason) == ("20", "its name contains gpt-7x: bounded by gpt-7x")


def test_a_word_for_a_dearer_variant_doubles_the_bound() -> None:
    entries = [_sold("kimi-2", "1"), _sold("flagship", "7")]
    assert _bound("kimi-2-turbo", *entries) == (
        "2",
        "its name contains kimi-2, and says turbo: bounded by kimi-2",
    )
    assert _bound("kimi-2-prod", *entries) == ("1", "its name contains kimi-2: bounded by kimi-2")
    said = naming("", used("openai", "kimi-2-turbo", ONE).data, PriceBook(entries))
    assert said[-1].endswith(
        "its name contains kimi-2, and says turbo: bounded by no less than kimi-2 of openai"
    )


def test_a_successor_is_bounded_by_the_sibling_of_the_nearest_version() -> None:
    old, new = _sold("gpt-5.1-mini", "9"), _sold("gpt-5.4-mini", "2")
    elsewhere = [_sold("gpt-5.5-mini", "70", by="azure"), _sold("gpt-6", "30")]
    assert _bound("gpt-5.6-mini", old, new, *elsewhere) == (
        "3",
        "1.5 times the nearest of the family gpt-mini (gpt-5.4-mini)",
    )
    assert _bound("gpt-5.4-mini-2027-01-01", old, new)[0] == "2"  # of the same version: its price
    assert _bound("gpt-5.1-preview-mini", old, new)[0] == "9"


def test_of_an_earlier_generation_the_last_version_is_the_nearest_and_of_a_later_one_the_first() -> None:
    five = [_sold("gpt-5-mini", "1"), _sold("gpt-5.4-mini", "2")]
    assert _bound("gpt-6-mini", *five) == ("3", "1.5 times the nearest of the family gpt-mini (gpt-5.4-mini)")
    assert _bound("gpt-4.4-mini", *five)[0] == "1.5"
    assert _bound("gpt-6.1-mini", *five, _sold("gpt-6-mini", "9"))[0] == "13.5"  # of its own first
    # grok-4.20 came before grok-4.3, by its number after it: both count.
    assert _bound("glow-6", *(_sold(f"glow-{n}", str(n)) for n in ("4.1", "4.20", "4.3")))[0] == "6.45"
    # As far from the one as from the other: the dearer of the two that are next to it.
    assert _bound("gpt-6-mini", *five, _sold("gpt-7-mini", "4"), _sold("gpt-7.1-mini", "9"))[0] == "6"


def test_of_a_word_that_no_family_has_the_nearest_of_all_with_the_words_before_it_bounds() -> None:
    entries = [_sold("gemini-3-pro", "9"), _sold("gemini-4-argon", "2"), _sold("gemini-4-lite", "1")]
    assert _bound("gemini-4-neon", *entries, _sold("flagship", "99")) == (
        "2",
        "the nearest of the family gemini-* (gemini-4-argon)",
    )


def test_a_single_model_of_somebody_elses_bounds_beside_the_sellers_own_that_are_next_to_it() -> None:
    own = [_sold("gemini-2-pro", "9"), _sold("flagship", "99")]
    cheap, dear = (_sold("gemini-2-lite", amount, by="reseller") for amount in ("1", "12"))
    assert _bound("gemini-2-lite-001", *own, cheap)[0] == "9"
    assert _bound("gemini-2-lite-001", *own, dear)[0] == "12"


def test_a_version_that_goes_on_is_another_models() -> None:
    entries = [_sold("glm-5", "10"), _sold("glm-5.3-flash", "2")]
    assert _bound("glm-5.4-flash", *entries)[0] == "3"  # and not glm-5's


def test_spellings_of_one_open_model_are_one_model() -> None:
    spelled = ["meta-llama-3.1-405b-instruct", "llama-v3p1-405b-instruct", "meta.llama3-1-405b-instruct-v1:0"]
    sellers = [_sold(name, str(n), by=f"seller-{n}") for n, name in enumerate(spelled, 2)]
    for name in (*spelled, "llama-3.1-405b-instruct"):
        amount, reason = _bound(f"my/{name}", *sellers)
        assert (amount, reason.rpartition(" of ")[2]) == ("4", "seller-4")


def test_what_a_makers_alias_means_today_bounds_no_open_model_alone() -> None:
    """DeepSeek serves its old name with a new, cheap model; who else sells it sells the old one."""
    today = identified(Alias(provider="deepseek", name="deepseek-r1", sku="deepseek-v4", **SAID))
    sold = [_sold("deepseek-v4", "0.2", by="deepseek"), _sold("deepseek/deepseek-r1", "4", by="novita")]
    assert _bound("deepseek/deepseek-r1", today, *sold)[0] == "4"


def test_a_list_of_what_text_costs_bounds_no_sound() -> None:
    """Whoever else sells the model and says what sound costs; else what sound costs at this seller."""
    text, sound = _sold("gemini-7x", "1"), price("gemini-7x", "input_audio_tokens", "5", provider="google")
    usage = {"input_audio_tokens": 1_000_000}
    book = [text, sound, price("other", "input_audio_tokens", "40")]
    assert rate(used("openai", "my-gemini-7x", usage), PriceBook(book)).list == 5
    assert rate(used("openai", "my-gemini-7x", usage), PriceBook([text, book[-1]])).list == 40
    assert rate(used("openai", "my-gemini-7x", usage), PriceBook([text])).list == 1


def test_what_another_gives_away_bounds_no_sound() -> None:
    unit = "input_audio_tokens"
    lists = [
        _sold("glow-2", "4"),
        price("glow-2", unit, "0", provider="gate"),
        model("glow-2", provider="gate"),
    ]
    rating = rate(used("openai", "glow-2-live", {unit: 1_000_000}), PriceBook(lists))
    assert (rating.status, rating.list >= 4) == ("provisional", True)


def test_another_tenants_private_price_changes_no_bound() -> None:
    public = [model("glow-2"), price("glow-2", "input_tokens", "5", provider="gate")]
    private = price("glow-2", "input_tokens", "1", tenant="acme", layer="local")
    asked = used("openai", "my-glow-2-x", {"input_tokens": 1_000_000}, tenant="other")
    before, after = (rate(asked, PriceBook(lists)) for lists in (public, [*public, private]))
    assert before.list == after.list == 5


def test_a_model_that_its_seller_names_without_a_price_is_bounded_by_its_name() -> None:
    named = model("gpt-7x", provider="github")
    event, book = used("github", "gpt-7x", ONE), PriceBook([named, _sold("gpt-7x", "2"), _sold("other", "9")])
    rating = rate(event, book)
    assert (rating.status, rating.list) == ("provisional", 2)
    assert naming("", event.data, book)[-1].startswith(
        "model 'gpt-7x' has no price at github: its name contains"
    )


def test_whoever_is_unknown_may_have_the_models_on_its_own_machines() -> None:
    """A model that is named counts there, too; a sibling does not."""
    book = PriceBook([_sold("gpt-7x", "2"), _sold("lama-3-8b", "1")])
    assert rate(used("my-gpu", "gpt-7x", ONE), book).list == 2
    assert rate(used("my-gpu", "lama-9-8b", ONE), book).status == "unpriced"


def test_an_effort_is_left_out_before_the_family_is_sought() -> None:
    effort = NameRule(
        name="effort", match=("{name}-high",), becomes="{name}", costs="same", says="an effort", **SAID
    )
    entries = [_sold("gpt-5", "2"), _sold("gpt-6", "3"), _sold("flagship", "99"), identified(effort)]
    assert _bound("gpt-9-high", *entries) == _bound("gpt-9", *entries)
    assert _bound("gpt-9-high", *entries) == (
        "4.5",
        "1.5 times the nearest of the family gpt (gpt-6)",
    )


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
