"""LiteLLM's price file: every field of the whole installed file is taken over, is no money, or is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import files
from typing import Any

import pytest

from spendmeter.contracts.catalog import Adjustment, CalendarEntry, Model, Price
from spendmeter.pricing.catalog import litellm
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, used

NO_MONEY = {
    "max_input_tokens", "max_output_tokens", "output_vector_size", "prompt_cache_min_tokens", "rpm", "tpm",
    "token_count_framing", "token_count_responses_framing", "token_count_responses_tool_framing",
    "token_count_tool_framing", "provider_specific_entry.realtime_ga_only",
    "provider_specific_entry.transcription_json_or_text_only",
    "provider_specific_entry.transcription_usage_duration",
}  # fmt: skip
"""Numbers of the installed file that a person has looked at: none of them is an amount of money."""


@pytest.fixture(scope="module")
def installed() -> dict[str, dict[str, Any]]:
    (path,) = [
        path for path in files("litellm") or () if path.name == "model_prices_and_context_window_backup.json"
    ]
    return litellm.decoded(path.read_text("utf-8"))


def numbers(value: Any, name: str = "") -> Iterator[tuple[str, Decimal]]:
    """Every number of a field, by dotted name without places in lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, name)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield name, Decimal(value)


def with_number(value: Any, field: str, number: Decimal, name: str = "") -> Any:
    """The same with another number in a field."""
    if isinstance(value, dict):
        return {
            key: with_number(inner, field, number, f"{name}.{key}" if name else key)
            for key, inner in value.items()
        }
    return number if name == field else value


def said(
    names: list[str], file: dict[str, dict[str, Any]]
) -> tuple[set[Decimal], dict[str, tuple[str, ...]], Any]:
    """Every amount, length and weekday that is taken over of some models; what is named as not; all of it."""
    left_out: dict[str, tuple[str, ...]] = {}
    found = list(litellm.tables({name: file[name] for name in names}, left_out))
    amounts = {Decimal(table["factor"]) for _, kind, table in found if kind == "adjustment"}
    rates = [rates for _, kind, table in found if kind == "model" for rates in table["rates"]]
    for each in rates:
        amounts |= {Decimal(price) / 1_000_000 for price in each["prices"].values()}
        amounts |= {
            Decimal(length)
            for length in (each["when"].get("context_min"), each["when"].get("context_max"))
            if length
        }
        amounts |= {Decimal(day) for window in each["when"].get("windows", ()) for day in window["days"]}
    return amounts, left_out, found


def test_every_number_of_the_installed_file_is_taken_over_or_is_no_money_or_is_named(
    installed: dict[str, dict[str, Any]],
) -> None:
    vanished = set()
    for name, model in installed.items():
        if name in {"sample_spec", "fallback_generalizations"}:
            continue
        amounts, left_out, _ = said([name], installed)
        named = left_out.get(name, ())
        zeros = any("of 0" in each for each in named)
        # The first tier begins at nothing, and beyond the last one its price goes on, as LiteLLM charges.
        edges = {
            0,
            max(
                (end for tier in model.get("tiered_pricing", ()) for end in tier.get("range", ())), default=0
            ),
        }
        for field, number in numbers(model):
            taken = number in amounts or field in named or (number == 0 and zeros)
            if not (taken or field in NO_MONEY or (field == "tiered_pricing.range" and number in edges)):
                vanished.add(field)
    assert vanished == set()
    assert len(installed) > 4_800


def test_no_number_of_the_installed_file_can_change_without_a_change_of_what_is_said(
    installed: dict[str, dict[str, Any]],
) -> None:
    tried: set[tuple[str, Any, Any]] = set()
    for name, model in installed.items():
        for field, number in numbers(
            {key: value for key, value in model.items() if not isinstance(value, list)}
        ):
            key = (field, model.get("mode"), model.get("litellm_provider"))
            changed = with_number(model, field, number * 7)
            inside_a_list = changed == model
            if field in NO_MONEY or name == "sample_spec" or key in tried or inside_a_list:
                continue
            tried.add(key)
            _, left_out, found = said([name], {name: changed})
            _, _, before = said([name], installed)
            assert found != before or field in left_out.get(name, ()), (name, field)
    assert len(tried) > 1_000


def one(fields: str, name: str = "m", provider: str = "p") -> tuple[list[Any], tuple[str, ...]]:
    """The entries of a file with one model, and what of it is not taken over."""
    left_out: dict[str, tuple[str, ...]] = {}
    text = f'{{"{name}": {{"litellm_provider": "{provider}", {fields}}}}}'
    entries = read_prices("l.json", text.encode(), recorded_at=RECORDED, not_taken=left_out)
    return list(entries), left_out.get(name, ())


@pytest.mark.parametrize("value", ["0.5", '"1.5x"', "[1, 2]"])
@pytest.mark.parametrize(
    "field", ["supports_premium_speed", "use_of_cache", "max_fee", "uses_gpu", "bedrock_fee", "gemini_x"]
)
def test_a_field_that_is_called_like_a_flag_and_is_none_is_named(field: str, value: str) -> None:
    assert one(f'"output_cost_per_token": 1, "{field}": {value}')[1] == (field,)


def test_a_flag_that_is_one_says_no_price() -> None:
    assert one('"output_cost_per_token": 1, "supports_fee": true, "use_x": false, "max_tokens": 9')[1] == ()


def test_every_way_of_serving_has_its_price() -> None:
    book = PriceBook(
        one(
            '"input_cost_per_token": 1, "input_cost_per_token_ultrafast": 7, "input_cost_per_token_balanced": 2,'
            '"input_cost_per_token_decisions": 3, "input_cost_per_token_flex": 0.5, "input_cost_per_token_batches": 0.25'
        )[0]
    )
    for tier, cost in {
        "": 1,
        "ultrafast": 7,
        "balanced": 2,
        "decisions": 3,
        "flex": "0.5",
        "batch": "0.25",
    }.items():
        assert rate(used("p", "m", {"input_tokens": 10}, service_tier=tier), book).list == 10 * Decimal(cost)


def test_writes_that_live_twelve_hours_have_a_unit_of_their_own() -> None:
    entries, left_out = one(
        '"cache_creation_input_token_cost": 1.25, "cache_creation_input_token_cost_above_12hr": 2.5,'
        '"cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority": 10'
    )
    book = PriceBook(entries)
    assert left_out == ()
    assert rate(used("p", "m", {"cache_write_12h_tokens": 100}), book).list == 250
    assert (
        rate(used("p", "m", {"cache_write_12h_tokens": 272_001}, service_tier="priority"), book).list
        == 2_720_010
    )


def test_factors_are_adjustments_with_their_conditions() -> None:
    entries, left_out = one(
        '"input_cost_per_token": 1, "provider_specific_entry": {"fast": 2.0, "us": 1.1},'
        '"fedramp_uplift_multiplier": 1.2, "regional_endpoint_uplift_multiplier": 1.3, "regional_processing_uplift_multiplier_eu": 1.4'
    )
    assert left_out == ()
    stated = {(e.name, e.factor, e.when.tiers, e.when.regions) for e in entries if isinstance(e, Adjustment)}
    assert stated == {
        ("fast", "2", ("fast",), ()),
        ("residency", "1.1", (), ("us",)),
        ("residency", "1.2", (), ("fedramp",)),
        ("residency", "1.3", (), ("regional",)),
        ("residency", "1.4", (), ("eu",)),
    }
    assert all(e.unless_stated and e.skus == ("m",) for e in entries if isinstance(e, Adjustment))


def test_a_factor_that_nobody_knows_is_named() -> None:
    _, left_out = one(
        '"input_cost_per_token": 1, "provider_specific_entry": {"moon": 3, "fast": 2}, "weekend_multiplier": 2'
    )
    assert left_out == ("provider_specific_entry.moon", "weekend_multiplier")


OFF_PEAK = """"input_cost_per_token": 2, "off_peak_pricing": {"input_cost_per_token": 1, "weekday_timezone": "Asia/Shanghai",
  "windows": [{"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]}, {"hours_utc": "00:00-00:00", "weekdays": ["Sat", 7]}]}"""


def test_off_peak_hours_hold_in_every_hour_of_a_week_as_litellm_reads_them() -> None:
    entries, left_out = one(OFF_PEAK)
    assert left_out == ()
    assert [e.time_zone for e in entries if isinstance(e, CalendarEntry)] == ["Asia/Shanghai"]
    book = PriceBook(entries)
    for hour in range(168):
        at = datetime(2026, 11, 2, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
        weekday = (at + timedelta(hours=8)).isoweekday()  # Shanghai: eight hours ahead, all year
        cheap = weekday >= 6 or at.hour == 0 or at.hour >= 10
        assert rate(used("p", "m", {"input_tokens": 1}, at=at), book).list == (1 if cheap else 2), at


@pytest.mark.parametrize(
    "change",
    [
        ("Asia/Shanghai", "Europe/Berlin"),
        ("Asia/Shanghai", "Mars/Olympus"),
        ("10:00-00:00", "10-24"),
        ('"weekdays": [1,', '"weekdays": [0,'),
        ('"windows": [', '"holidays": true, "windows": ['),
        (
            '"input_cost_per_token": 2,',
            '"input_cost_per_token": 2, "input_cost_per_token_above_200k_tokens": 3,',
        ),
    ],
)
def test_hours_that_no_window_says_are_named_and_the_price_of_the_other_hours_stays(
    change: tuple[str, str],
) -> None:
    assert change[0] in OFF_PEAK
    entries, left_out = one(OFF_PEAK.replace(*change))
    assert "off_peak_pricing.input_cost_per_token" in left_out
    assert not any(entry.when.windows for entry in entries if isinstance(entry, Price))
    assert rate(used("p", "m", {"input_tokens": 1}), PriceBook(entries)).list == 2


@pytest.mark.parametrize(
    ("provider", "says", "cost"),
    [
        ("p", "", "0.105"),
        ("p", '"web_search_billing_unit": "per_prompt",', "0.035"),
        ("gemini", "", "0.035"),
        ("vertex_ai-language-models", "", "0.035"),
        ("gemini", '"web_search_billing_unit": "per_query",', "0.105"),
    ],
)
def test_three_searches_of_one_prompt_are_one_fee_where_the_prompt_is_billed(
    provider: str, says: str, cost: str
) -> None:
    sizes = ", ".join(f'"search_context_size_{size}": 0.035' for size in ("low", "medium", "high"))
    entries, left_out = one(f'{says} "search_context_cost_per_query": {{{sizes}}}', provider=provider)
    assert left_out == ()
    book = PriceBook(entries)
    three = rate(used(provider.split("-")[0], "m", {"searches": 3}), book)
    assert (three.list, three.status) == (Decimal(cost), "priced")
    prompt = rate(used(provider.split("-")[0], "m", {"grounded_prompts": 1}), book)
    assert prompt.status == ("priced" if cost == "0.035" else "unpriced")


def test_searches_that_are_billed_in_a_way_that_nobody_knows_are_named() -> None:
    assert one('"output_cost_per_token": 1, "web_search_billing_unit": "per_moon"')[1] == (
        "web_search_billing_unit",
    )


def test_two_fields_that_price_one_unit_differently_are_both_named() -> None:
    entries, left_out = one(
        '"input_cost_per_token": 1, "cache_read_input_token_cost": 2, "input_cost_per_token_cache_hit": 3'
    )
    assert left_out == ("cache_read_input_token_cost", "input_cost_per_token_cache_hit")
    assert [entry.unit for entry in entries if isinstance(entry, Price)] == ["input_tokens"]


def test_a_tier_with_a_condition_that_nobody_reads_is_no_price() -> None:
    entries, left_out = one(
        '"tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1, "on_sundays": true}]'
    )
    assert left_out == ("tiered_pricing.input_cost_per_token", "tiered_pricing.on_sundays")
    assert not any(isinstance(entry, Price) for entry in entries)


def test_a_price_of_a_region_that_the_name_says_is_for_that_region_alone() -> None:
    file = """{"nova": {"litellm_provider": "bedrock", "input_cost_per_token": 2},
      "bedrock/eu-west-1/nova": {"litellm_provider": "bedrock", "input_cost_per_token": 3, "fedramp_uplift_multiplier": 1.1},
      "azure/eu/m": {"litellm_provider": "azure", "input_cost_per_token": 5}}"""
    left_out: dict[str, tuple[str, ...]] = {}
    entries = read_prices("l.json", file.encode(), recorded_at=RECORDED, not_taken=left_out)
    stated = {(e.provider, e.sku, e.price, e.when.regions) for e in entries if isinstance(e, Price)}
    assert stated == {
        ("bedrock", "nova", "2000000", ()),
        ("bedrock", "nova", "3000000", ("eu-west-1",)),
        ("azure", "m", "5000000", ("eu",)),
    }
    assert left_out == {"bedrock/eu-west-1/nova": ("fedramp_uplift_multiplier",)}
    book = PriceBook(entries)
    for region, cost in (("", 2), ("us-east-1", 2), ("eu-west-1", 3)):
        assert rate(used("bedrock", "nova", {"input_tokens": 1}, region=region), book).list == cost


def test_what_the_file_says_in_words_stands_in_the_note() -> None:
    (found,) = [
        e
        for e in one('"output_cost_per_token": 1, "comment": "50% off until 2026-12-31", "x_cost": 1')[0]
        if isinstance(e, Model)
    ]
    assert found.note == "not taken over: x_cost; comment: 50% off until 2026-12-31"


def test_a_name_that_means_another_model_now_is_named_with_that_model() -> None:
    left_out: dict[str, tuple[str, ...]] = {}
    text = (
        '{"p/new": {"litellm_provider": "p", "output_cost_per_token": 1}, "p/latest": {"alias_of": "p/new"}}'
    )
    entries = read_prices("l.json", text.encode(), recorded_at=RECORDED, not_taken=left_out)
    (found,) = [entry for entry in entries if isinstance(entry, Model)]
    assert (found.sku, found.aliases) == ("new", ())
    assert found.note == "also called p/latest, since a day that is not stated: not taken over"
    assert left_out == {"p/latest": ("alias_of",)}
    with_price = text.replace('"alias_of": "p/new"', '"alias_of": "p/new", "output_cost_per_token": 2')
    with pytest.raises(ValueError, match="p/latest: no litellm_provider"):
        read_prices("l.json", with_price.encode(), recorded_at=RECORDED)
