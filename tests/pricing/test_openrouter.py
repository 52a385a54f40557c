"""OpenRouter's list of models: what is taken over, what is named, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendmeter.contracts.catalog import CatalogEntry, Model, Price
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, used

USUAL = {
    "canonical_slug": "acme/one-20261101", "name": "Acme: One", "created": 1690502400, "description": "x",
    "context_length": 200_000, "architecture": {"modality": "text->text"}, "top_provider": {"is_moderated": False},
    "per_request_limits": None, "supported_parameters": ["tools"], "links": {}, "hugging_face_id": "",
}  # fmt: skip


def file(*models: dict[str, Any]) -> bytes:
    return json.dumps({"data": list(models)}).encode()


def model(pricing: dict[str, Any], id: str = "acme/one", **fields: Any) -> dict[str, Any]:
    return {
        "id": id,
        **USUAL,
        **fields,
        "pricing": {"prompt": "0.000002", "completion": "0.000008"} | pricing,
    }


def read(*models: dict[str, Any]) -> tuple[list[CatalogEntry], dict[str, tuple[str, ...]]]:
    left_out: dict[str, tuple[str, ...]] = {}
    return read_prices("m.json", file(*models), recorded_at=RECORDED, not_taken=left_out), left_out


def prices(entries: list[CatalogEntry]) -> dict[str, Decimal]:
    return {e.unit: Decimal(e.price) / e.per for e in entries if isinstance(e, Price)}


def test_every_price_is_for_one_and_goes_to_its_unit() -> None:
    entries, left_out = read(
        model(
            {
                "request": "0.01", "image": "0", "web_search": "0.005", "internal_reasoning": "0.000009",
                "input_cache_read": "2e-7", "input_cache_write": "0.0000025", "input_cache_write_1h": "0.000004",
                "audio": "0.00001", "audio_output": "0.00002", "input_audio_cache": "0.000001", "image_token": "0.000003",
                "discount": 0,
            }
        )
    )  # fmt: skip
    assert left_out == {}
    assert prices(entries) == {
        "input_tokens": Decimal("0.000002"), "output_tokens": Decimal("0.000008"), "requests": Decimal("0.01"),
        "searches": Decimal("0.005"), "reasoning_tokens": Decimal("0.000009"), "cache_read_tokens": Decimal("0.0000002"),
        "cache_write_5m_tokens": Decimal("0.0000025"), "cache_write_1h_tokens": Decimal("0.000004"),
        "input_audio_tokens": Decimal("0.00001"), "output_audio_tokens": Decimal("0.00002"),
        "cache_read_audio_tokens": Decimal("0.000001"), "input_image_tokens": Decimal("0.000003"),
    }  # fmt: skip
    # 1,000 x 0.000002 + 100 x 0.000008 + 0.01 for the call
    book = PriceBook(entries)
    assert rate(
        used("openrouter", "acme/one", {"input_tokens": 1000, "output_tokens": 100}), book
    ).list == Decimal("0.0128")
    assert rate(used("openrouter", "acme/one-20261101", {"input_tokens": 500_000}), book).list == Decimal(
        "1.01"
    )


def test_a_second_price_of_0_says_that_nothing_is_charged_apart() -> None:
    entries, left_out = read(model({"internal_reasoning": "0", "input_cache_read": "0", "request": "0"}))
    assert left_out == {}
    book = PriceBook(entries)
    assert rate(used("openrouter", "acme/one", {"reasoning_tokens": 1_000_000}), book).list == 8
    assert rate(used("openrouter", "acme/one", {"cache_read_tokens": 1_000_000}), book).list == 2


@pytest.mark.parametrize(("id", "free"), [("acme/one:free", True), ("acme/one", False)])
def test_a_model_that_costs_0_is_free_where_its_name_says_so(id: str, free: bool) -> None:
    entries, left_out = read(model({"prompt": "0", "completion": "0"}, id))
    assert prices(entries) == ({"input_tokens": 0, "output_tokens": 0} if free else {})
    assert left_out == ({} if free else {id: ("prices of 0, which mean free or unknown",)})


def test_a_price_that_varies_is_named_and_none() -> None:
    entries, left_out = read(model({"prompt": "-1", "completion": "-1"}, "openrouter/auto"))
    assert prices(entries) == {}
    assert left_out == {
        "openrouter/auto": ("pricing.completion, which varies", "pricing.prompt, which varies")
    }


@pytest.mark.parametrize(
    ("pricing", "fields", "named"),
    [
        ({"image": "0.001"}, {}, {"pricing.image"}),
        ({"image_output": "0.03"}, {}, {"pricing.image_output"}),
        ({"moon_phase": "2"}, {}, {"pricing.moon_phase"}),
        ({}, {"surcharge": {"weekend": 2}}, {"surcharge"}),
        ({}, {"surcharge": None}, set()),
        ({"discount": 0.5}, {}, {"pricing.discount", "pricing.prompt", "pricing.completion"}),
        ({"overrides": [{"on_sundays": True, "prompt": "0.1"}]}, {}, {"pricing.prompt", "pricing.overrides.prompt", "pricing.overrides.on_sundays"}),
        ({"overrides": [{"utc_start": 100, "prompt": "0.1"}]}, {}, {"pricing.prompt", "pricing.overrides.prompt", "pricing.overrides.utc_start"}),
        ({"overrides": [{"min_prompt_tokens": 9, "prompt": "-1"}]}, {}, {"pricing.overrides.prompt, which varies"}),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_named(
    pricing: dict[str, Any], fields: dict[str, Any], named: set[str]
) -> None:
    entries, left_out = read(model(pricing, **fields))
    assert set(left_out.get("acme/one", ())) == named
    (found,) = [entry for entry in entries if isinstance(entry, Model)]
    assert found.note == (f"not taken over: {', '.join(sorted(named))}" if named else "")
    for price in ("prompt", "completion"):
        unit = {"prompt": "input_tokens", "completion": "output_tokens"}[price]
        assert (unit in prices(entries)) == (f"pricing.{price}" not in named)


def test_of_the_overrides_that_hold_the_last_one_wins_in_every_hour_and_at_every_length() -> None:
    overrides = [
        {"min_prompt_tokens": 1000, "prompt": "0.000004"},
        {"min_prompt_tokens": 5000, "prompt": "0.000006", "completion": "0.00001"},
        {"utc_start": 2230, "utc_end": 130, "utc_days": ["friday", "saturday"], "prompt": "0.000001"},
        {"utc_days": ["sunday"], "min_prompt_tokens": 5000, "prompt": "0.000003"},
    ]
    book = PriceBook(read(model({"overrides": overrides}))[0])
    for half_hour in range(336):
        at = datetime(2026, 11, 2, 0, 15, tzinfo=UTC) + timedelta(minutes=30 * half_hour)
        minute = at.hour * 60 + at.minute
        for tokens in (1000, 1001, 5000, 5001):
            each = Decimal("0.000002")
            each = Decimal("0.000004") if tokens > 1000 else each
            each = Decimal("0.000006") if tokens > 5000 else each
            # the weekday is that of the instant, so Saturday's first hours are the window's and Sunday's not
            if at.isoweekday() in (5, 6) and (minute >= 22 * 60 + 30 or minute < 90):
                each = Decimal("0.000001")
            if at.isoweekday() == 7 and tokens > 5000:
                each = Decimal("0.000003")
            rating = rate(
                used("openrouter", "acme/one", {"input_tokens": tokens, "output_tokens": 10}, at=at), book
            )
            out = Decimal("0.00001") if tokens > 5000 else Decimal("0.000008")
            assert rating.list == tokens * each + 10 * out, (at, tokens)


def test_a_slug_that_several_models_share_is_the_name_of_none() -> None:
    entries, _ = read(model({}), model({}, "acme/one:thinking"))
    assert [entry.aliases for entry in entries if isinstance(entry, Model)] == [(), ()]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (file(model({"prompt": "-2"})), "acme/one: pricing.prompt: -2 is less than 0"),
        (file(model({"prompt": "NaN"})), "acme/one: NaN is not an amount"),
        (file(model({"prompt": "1e5"})), "acme/one: 1e5 is not an amount"),
        (file(model({"prompt": True})), "acme/one: True is not an amount"),
        (file(model({"overrides": [{"min_prompt_tokens": n, "prompt": "1"} for n in range(101)]})), "acme/one: has more than 100 overrides"),
        (file(model({}), model({})), "acme/one: says again"),
        (b'{"data": [{"id": "x"}]}', "is JSON of no known price list; known are genai-prices'"),
        (b'{"data": [1]}', "is JSON of no known price list"),
        (b'{"data": {}, "error": "rate limited"}', "is JSON of no known price list"),
        (b'{"error": "rate limited"}', "is JSON of no known price list"),
        (b'{"data": [{"id": 1, "pricing": {}}]}', "Expected `str`, got `int`"),
        (b'"x"', "Expected `object`"),
        (file(model({}))[:-20], "m.json: "),
    ],
)  # fmt: skip
def test_a_list_that_is_none_is_refused_as_a_whole(text: bytes, reason: str) -> None:
    with pytest.raises(CatalogError) as refused:
        read_prices("m.json", text, recorded_at=RECORDED)
    assert reason in str(refused.value)
