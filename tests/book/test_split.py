"""The split of a change: each thing alone shows alone, worked out by hand, and the parts sum to the change."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.book.split import ChangeSplit, SkuUse, split_change
from spendmeter.contracts.money import EXACT, ZERO, total

PARTS = ("volume", "mix", "tokens_per_call", "cache", "price", "unsplit")


def use(calls: int, **of_unit: tuple[int, str]) -> SkuUse:
    """Units by name, each with its quantity and its price."""
    return SkuUse(
        calls=Decimal(calls),
        quantities={unit: Decimal(quantity) for unit, (quantity, _) in of_unit.items()},
        amounts={unit: Decimal(quantity) * Decimal(price) for unit, (quantity, price) in of_unit.items()},
    )


def parts(split: ChangeSplit) -> dict[str, str]:
    """Those that are not 0."""
    return {name: f"{value.normalize():f}" for name in PARTS if (value := getattr(split, name))}


# 100 calls of 1,000 input tokens, of which 900 read from the cache, and of 200 output tokens:
# 10,000 x 0.003 + 90,000 x 0.0003 + 20,000 x 0.015 = 30 + 27 + 300 = 357.
USUAL = use(
    100, input_tokens=(10_000, "0.003"), cache_read_tokens=(90_000, "0.0003"), output_tokens=(20_000, "0.015")
)


def test_twice_the_calls_are_volume_alone() -> None:
    twice = use(
        200,
        input_tokens=(20_000, "0.003"),
        cache_read_tokens=(180_000, "0.0003"),
        output_tokens=(40_000, "0.015"),
    )
    assert parts(split_change({"a": USUAL}, {"a": twice})) == {"volume": "357"}


def test_another_price_is_price_alone() -> None:
    # 20,000 output tokens at 0.020 instead of 0.015.
    dearer = use(
        100,
        input_tokens=(10_000, "0.003"),
        cache_read_tokens=(90_000, "0.0003"),
        output_tokens=(20_000, "0.020"),
    )
    assert parts(split_change({"a": USUAL}, {"a": dearer})) == {"price": "100"}


def test_a_cache_that_collapses_is_cache_alone() -> None:
    # The 90,000 tokens cost 0.003 instead of 0.0003 each: 270 - 27.
    uncached = use(100, input_tokens=(100_000, "0.003"), output_tokens=(20_000, "0.015"))
    assert parts(split_change({"a": USUAL}, {"a": uncached})) == {"cache": "243"}


def test_larger_calls_are_tokens_per_call_alone() -> None:
    # Half as much again of all input, cached in the same share, and of output: 357 / 2.
    larger = use(
        100,
        input_tokens=(15_000, "0.003"),
        cache_read_tokens=(135_000, "0.0003"),
        output_tokens=(30_000, "0.015"),
    )
    assert parts(split_change({"a": USUAL}, {"a": larger})) == {"tokens_per_call": "178.5"}


def test_calls_that_go_to_a_dearer_sku_are_mix_alone() -> None:
    # 50 of 100 calls at 1.00 now cost 4.00: 50 x 3.
    before = {"small": use(100, requests=(100, "1")), "large": use(10, requests=(10, "4"))}
    now = {"small": use(50, requests=(50, "1")), "large": use(60, requests=(60, "4"))}
    assert parts(split_change(before, now)) == {"mix": "150"}


def test_a_new_sku_is_mix_and_says_how_much_of_it() -> None:
    # 110 calls instead of 100 at 1.00: volume 10. The ten new ones cost 4.00 instead of 1.00: mix 30.
    before = {"small": use(100, requests=(100, "1"))}
    split = split_change(before, before | {"large": use(10, requests=(10, "4"))})
    assert parts(split) == {"volume": "10", "mix": "30"}
    assert (split.of_mix_new, split.of_mix_gone) == (40, 0)


def test_a_sku_that_is_gone_is_mix_too() -> None:
    # Half of the calls: 140 becomes 70, volume -70; of the rest "large" would have cost 20, "small" costs 100, not 50.
    before = {"small": use(100, requests=(100, "1")), "large": use(100, requests=(100, "0.4"))}
    split = split_change(before, {"small": use(100, requests=(100, "1"))})
    assert parts(split) == {"volume": "-70", "mix": "30"}
    assert (split.of_mix_new, split.of_mix_gone) == (0, -20)


def test_where_nothing_was_all_is_volume() -> None:
    assert parts(split_change({}, {"a": USUAL})) == {"volume": "357"}


def test_where_nothing_is_left_all_was_volume() -> None:
    assert parts(split_change({"a": USUAL}, {})) == {"volume": "-357"}


def test_a_price_that_is_not_settled_is_told_apart() -> None:
    # An unknown model that was not there before: what it is bounded by is no mix, and its calls are no volume.
    bound = SkuUse(calls=Decimal(50), amounts={"output_tokens": Decimal(80)}, unsettled=True)
    assert parts(split_change({"a": USUAL}, {"a": USUAL, "unknown": bound})) == {"unsplit": "80"}


def test_two_things_at_once_count_for_the_later_one() -> None:
    # Twice the calls, each at 3 instead of 2: 10 x 2 = 20 is volume, 20 x 1 = 20 is price.
    split = split_change({"a": use(10, requests=(10, "2"))}, {"a": use(20, requests=(20, "3"))})
    assert parts(split) == {"volume": "20", "price": "20"}


def test_a_unit_that_was_not_used_before_has_no_other_price() -> None:
    # Searches came in: 5 x 0.01, more use in each call.
    now = use(1, requests=(1, "2"), searches=(5, "0.01"))
    assert parts(split_change({"a": use(1, requests=(1, "2"))}, {"a": now})) == {"tokens_per_call": "0.05"}


AMOUNTS = st.decimals(0, 10**6, places=12)
COUNTS = st.integers(0, 10**6).map(Decimal)
UNITS = st.sampled_from(
    ["input_tokens", "cache_read_tokens", "cache_write_1h_tokens", "output_tokens", "requests", ""]
)
USES = st.builds(
    SkuUse,
    calls=COUNTS,
    quantities=st.dictionaries(UNITS, COUNTS),
    amounts=st.dictionaries(UNITS, AMOUNTS),
    unsettled=st.sampled_from([False, False, False, True]),
)
SIDES = st.dictionaries(st.sampled_from("abcd"), USES)


@given(SIDES, SIDES)
def test_the_parts_sum_to_the_change_whatever_was_used(
    before: dict[str, SkuUse], now: dict[str, SkuUse]
) -> None:
    change = EXACT.subtract(
        total(each.amount for each in now.values()), total(each.amount for each in before.values())
    )
    assert split_change(before, now).change == change


@given(SIDES)
def test_nothing_that_changed_is_no_part(side: dict[str, SkuUse]) -> None:
    assert parts(split_change(side, side)) == {}


@given(SIDES, st.integers(2, 50))
def test_more_of_the_same_is_volume_alone(side: dict[str, SkuUse], factor: int) -> None:
    settled = {sku: each for sku, each in side.items() if not each.unsettled and each.calls}
    more = {
        sku: SkuUse(
            calls=each.calls * factor,
            quantities={unit: value * factor for unit, value in each.quantities.items()},
            amounts={unit: EXACT.multiply(value, Decimal(factor)) for unit, value in each.amounts.items()},
        )
        for sku, each in settled.items()
    }
    gained = EXACT.multiply(total(each.amount for each in settled.values()), Decimal(factor - 1))
    split = split_change(settled, more)
    assert split.volume == gained
    assert {getattr(split, name) for name in PARTS[1:]} == {ZERO}


@given(SIDES, st.decimals("0.01", 9, places=2))
def test_other_prices_are_price_alone(side: dict[str, SkuUse], factor: Decimal) -> None:
    settled = {sku: each for sku, each in side.items() if not each.unsettled and each.calls}
    dearer = {
        sku: SkuUse(
            calls=each.calls,
            quantities=each.quantities,
            amounts={unit: EXACT.multiply(value, factor) for unit, value in each.amounts.items()},
        )
        for sku, each in settled.items()
    }
    split = split_change(settled, dearer)
    assert {getattr(split, name) for name in PARTS if name != "price"} == {ZERO}


@pytest.mark.parametrize("calls", ["0", "-3"])
def test_more_calls_taken_back_than_there_were_are_none(calls: str) -> None:
    corrected = SkuUse(calls=Decimal(calls), amounts={"requests": Decimal("-1")})
    assert split_change({"a": USUAL}, {"a": corrected}).change == -358
