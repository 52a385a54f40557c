"""Names that are no unit, and the unit that was probably meant."""

from __future__ import annotations

import pytest

from spendmeter.contracts.units import UNITS, nearest_unit


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("input_token", "input_tokens"),
        ("Input_Tokens", "input_tokens"),
        ("inputTokens", "input_tokens"),
        ("input-tokens", "input_tokens"),
        ("tokens_input", "input_tokens"),
        ("output_toknes", "output_tokens"),
        ("cached_tokens", "cache_read_tokens"),
        ("cache_write_tokens", "cache_write_5m_tokens"),
        ("web_searches", "searches"),
        ("labor_hours", "labour_hours"),
    ],
)
def test_a_typo_is_near_the_unit_that_was_meant(name: str, meant: str) -> None:
    assert nearest_unit(name, UNITS) == meant


@pytest.mark.parametrize(
    "name", ["sparks", "prompt_tokens", "completion_tokens", "total_tokens", "tokens", ""]
)
def test_a_name_that_is_near_nothing_or_could_be_anything_has_no_suggestion(name: str) -> None:
    assert nearest_unit(name, UNITS) is None


def test_a_unit_that_only_the_catalog_knows_is_near_too() -> None:
    assert nearest_unit("wishs", UNITS) is None
    assert nearest_unit("wishs", {*UNITS, "wishes"}) == "wishes"
