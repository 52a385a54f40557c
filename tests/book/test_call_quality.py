"""Buckets of latency and marks of context length: no figure is further off than is said."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from spendmeter.book.call_quality import (
    CONTEXT_MARKS,
    LATENCY_ERROR_MAX,
    NO_LATENCY,
    after_mark,
    bucket_middle_ms,
    context_mark,
    latency_bucket,
    mean_ms,
    percentile_ms,
)

LATENCIES = st.integers(0, 10_000_000) | st.integers(0, 2**63 - 1)


def test_below_64_ms_every_millisecond_is_its_own_bucket() -> None:
    assert [bucket_middle_ms(latency_bucket(ms)) for ms in range(64)] == list(range(64))


@given(LATENCIES)
def test_the_middle_of_a_bucket_is_at_most_a_64th_away(ms: int) -> None:
    assert abs(bucket_middle_ms(latency_bucket(ms)) - ms) <= ms * LATENCY_ERROR_MAX


@given(LATENCIES, LATENCIES)
def test_who_took_longer_is_in_no_earlier_bucket(one: int, other: int) -> None:
    first, second = sorted([one, other])
    assert latency_bucket(first) <= latency_bucket(second)


@given(st.lists(LATENCIES, min_size=1), st.integers(1, 100))
def test_a_percentile_of_counts_is_that_of_the_calls(latencies: list[int], percent: int) -> None:
    true = sorted(latencies)[-(-len(latencies) * percent // 100) - 1]
    found = percentile_ms(Counter(map(latency_bucket, latencies)), percent)
    assert found is not None
    assert abs(found - true) <= true * LATENCY_ERROR_MAX


@given(st.lists(LATENCIES, min_size=1))
def test_a_mean_of_counts_is_that_of_the_calls(latencies: list[int]) -> None:
    true = Decimal(mean(map(Decimal, latencies)))
    found = mean_ms(Counter(map(latency_bucket, latencies)))
    assert found is not None
    assert abs(found - true) <= true * LATENCY_ERROR_MAX + Decimal("1E-9") * (true + 1)


def test_calls_that_state_no_latency_and_those_that_were_taken_back_are_in_no_figure() -> None:
    assert percentile_ms({NO_LATENCY: 7}, 95) is None
    assert mean_ms({NO_LATENCY: 7, 40: 0}) is None
    assert percentile_ms({NO_LATENCY: 7, 40: 1, 50: 0}, 95) == 40


def test_the_95th_of_twenty_calls_is_the_second_longest() -> None:
    assert percentile_ms({10: 18, 20: 1, 30: 1}, 95) == 20


def test_a_mark_is_passed_by_one_token_more() -> None:
    assert [context_mark(tokens) for tokens in (0, 32_000, 32_001, 200_000, 200_001, 9_999_999)] == [
        0, 0, 32_000, 128_000, 200_000, 1_000_000
    ]  # fmt: skip
    assert [after_mark(mark) for mark in (0, *CONTEXT_MARKS)] == [*CONTEXT_MARKS, None]
