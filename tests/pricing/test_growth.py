"""How many tokens a text is elsewhere: an interval that says where it comes from."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendmeter.pricing.choice.growth import GROWING, TokenGrowth, _read, growth_between, tokenizer_of


@pytest.mark.parametrize(
    ("sku", "tokenizer"),
    [
        ("gpt-4o-mini", "o200k"),
        ("gpt-4", "cl100k"),
        ("gpt-4-turbo", "cl100k"),
        ("gpt-4.1-nano", "o200k"),
        ("openai/gpt-5", "o200k"),
        ("claude-sonnet-4-5", "claude-2024"),
        ("anthropic.claude-opus-4-7-v1:0", "claude-2026"),
        ("claude-opus-4-6", "claude-2024"),
        ("claude-sonnet-5", "claude-2026"),
        ("gpt-6-sol", ""),
        ("gemini-3-pro", ""),
    ],
)
def test_a_name_says_its_tokenizer_or_it_is_not_known(sku: str, tokenizer: str) -> None:
    assert tokenizer_of(sku) == tokenizer


def test_of_one_tokenizer_or_one_name_the_tokens_are_the_same() -> None:
    assert growth_between("gpt-4o", "gpt-5").basis == "same"
    assert growth_between("some-model", "Some-Model").high == 1


def test_a_newer_tokenizer_takes_more_and_the_way_back_less() -> None:
    there, back = (growth_between(*pair) for pair in (
        ("claude-opus-4-6", "claude-sonnet-5"), ("claude-sonnet-5", "claude-opus-4-6")))  # fmt: skip
    assert (there.low, there.high, there.basis) == (1, Decimal("1.5"), "vendor")
    assert (back.low, back.high) == (Decimal("0.666666666667"), 1)


def test_what_nobody_measured_is_assumed_widely_and_says_so() -> None:
    found = growth_between("gpt-5", "gemini-3-pro")
    assert found.basis == "assumed"
    assert found.low < 1 < found.high
    assert found.source.startswith("assumed")


def test_what_the_tenant_says_goes_before_all_but_the_same_model() -> None:
    stated = TokenGrowth(low=Decimal("1.1"), high=Decimal("1.2"), basis="tenant", source="counted")
    assert growth_between("claude-3-opus", "gpt-5", stated) == stated
    assert growth_between("gpt-4o", "gpt-5", stated) == stated
    assert growth_between("gpt-5", "gpt-5", stated).basis == "same"


def test_every_interval_is_one_and_names_its_source() -> None:
    for pair in _read().pairs:
        assert 0 < pair.low <= pair.high
        assert pair.source
        assert {pair.start, pair.to} <= _read().tokenizers.keys()


def test_every_unit_of_text_grows_with_its_tokenizer_and_no_other() -> None:
    written = {"cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens"}
    assert written | {"cache_read_tokens", "citation_tokens", "cache_storage_token_hours"} <= GROWING
    assert GROWING.isdisjoint(
        {"input_audio_tokens", "cache_read_image_tokens", "output_video_tokens", "requests"}
    )
