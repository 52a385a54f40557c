"""What people complained of in public trackers, each kind with the vendor's rule, to the last digit."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendmeter.pricing.price_book import PriceBook
from tests.pricing.asked import ask

OURS = Path(__file__).with_name("cases.toml")
SHARED = Path(__file__).parents[3] / "shared" / "cases" / "pricing.jsonl"
"""Others of the same kinds, where they lie beside the repository."""
CASES: list[dict[str, Any]] = tomllib.loads(OURS.read_text("utf-8"))["case"]
BESIDE = [json.loads(line) for line in SHARED.read_text("utf-8").splitlines()] if SHARED.exists() else []


@pytest.mark.parametrize("case", CASES, ids=[f"{case['kind']}: {case['price']}" for case in CASES])
def test_what_people_complain_of_costs_what_the_vendor_says(case: dict[str, Any], book: PriceBook) -> None:
    assert ask(case["price"], book) == (Decimal(case["want"]), case.get("status", "priced")), case["working"]


@pytest.mark.parametrize("case", BESIDE, ids=[case["price"] for case in BESIDE])
def test_the_cases_that_lie_beside_cost_what_they_say(case: dict[str, Any], book: PriceBook) -> None:
    assert ask(case["price"], book).total == Decimal(case["want"]), case["why"]


def test_no_case_stands_twice_and_every_kind_has_some() -> None:
    asked = [case["price"] for case in CASES]
    assert len(asked) == len(set(asked))
    assert {case["kind"] for case in CASES} == set(
        "region fine-tuned name tier calendar dated fee combined".split()
    )
