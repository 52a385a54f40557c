"""Never only one source: each price beside genai-prices' and LiteLLM's, and whose word holds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from spendmeter.contracts.catalog import Conditions
from spendmeter.pricing.catalog import load_public, load_snapshot
from spendmeter.pricing.catalog.files import Header, write_jsonl
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review import opinions as review
from spendmeter.pricing.review.opinions import REVIEWED, PriceOpinion, opinions
from spendmeter.pricing.review.second_opinions import (
    OPINIONS,
    RECORDED_AT,
    derive,
    installed,
    nearest,
    second_opinions,
)
from tests.pricing.entries import RECORDED, model, price


@pytest.fixture(scope="module")
def shipped() -> list[PriceOpinion]:
    return opinions(PriceBook(load_snapshot()))


def test_every_difference_above_one_percent_is_decided_or_counted_as_open(
    shipped: list[PriceOpinion],
) -> None:
    states = Counter(each.state for each in shipped)
    assert states["open"] <= REVIEWED.open_max, "look at what is new, or correct it; the bound only falls"
    assert states["missing"] <= REVIEWED.missing_max
    assert states["open"] + states["missing"] < len(shipped)
    for each in shipped:
        assert (each.rule != "" and each.source != "" and each.right != "") is (
            each.state in ("corrected", "reviewed")
        )


def test_the_lists_differ_nowhere_else(shipped: list[PriceOpinion]) -> None:
    """A difference of one percent or less is none: 0.037 beside 0.0375 is 1.3 % and is told."""
    told = {(each.difference.sku, each.difference.unit) for each in shipped}
    assert ("openai/gpt-oss-safeguard-20b", "cache_read_tokens") in told
    assert ("gpt-4o", "input_tokens") not in told


def test_each_review_decides_something_and_says_where_its_rule_stands(shipped: list[PriceOpinion]) -> None:
    decided = Counter(each.rule for each in shipped)
    for each in REVIEWED.difference:
        assert decided[each.rule], f"{each.provider} {each.sku}: decides nothing; take it out"
        assert each.read <= RECORDED_AT.date() + timedelta(days=1)
    assert not [each for each in REVIEWED.difference if each.right == "theirs"], "then a correction is due"


def test_what_a_correction_made_it_decides(shipped: list[PriceOpinion]) -> None:
    (found, *_) = [each for each in shipped if each.state == "corrected"]
    name, _, _ = found.rule.partition(": ")
    assert "/" in name and found.right == "ours" and "(read 20" in found.source


def test_the_shipped_opinions_are_what_the_installed_package_says(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "litellm.jsonl"  # type: ignore[operator]
    first = OPINIONS.read_text("utf-8").partition("\n")[0]
    header = Header(source=first.split('"')[3], recorded_at=RECORDED_AT, by="second opinion")
    write_jsonl(path, header, derive(installed(), PriceBook(load_public())))
    assert path.read_bytes() == OPINIONS.read_bytes(), "python -m spendmeter.pricing.review.second_opinions"


def test_nothing_of_litellm_is_imported_to_say_what_it_says() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from spendmeter.pricing.review.second_opinions import second_opinions;"
        "assert second_opinions(); sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_of_several_names_the_nearest_speaks_and_a_reseller_does_not() -> None:
    known = [model("m", "m-2026-01-01", "m-latest"), price("m", "input_tokens", "1")]
    theirs = [
        price("m-2026-01-01", "input_tokens", "2"),
        price("m", "input_tokens", "3"),
        price("m", "input_tokens", "4", provider="azure"),
    ]
    found = nearest(PriceBook(known), theirs)
    assert {sku: [each.price for each in prices] for sku, prices in found.items()} == {("openai", "m"): ["3"]}


def states(
    ours: str | None, theirs: str, monkeypatch: pytest.MonkeyPatch, unit: str = "input_tokens"
) -> list[str]:
    known = [model("m"), price("m", "output_tokens", "9")]
    known += [price("m", "input_tokens", ours)] if ours else []
    listed = {("openai", "m"): [price("m", unit, theirs)]}
    monkeypatch.setattr(review, "_lists", lambda: {"litellm": listed})
    return [f"{each.state} {each.apart_percent}".strip() for each in opinions(PriceBook(known))]


def test_one_percent_is_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states("100", "101", monkeypatch) == []
    assert states("100", "99", monkeypatch) == []
    assert states("100", "101.1", monkeypatch) == ["open +1.1"]
    assert states("100", "98.9", monkeypatch) == ["open -1.1"]


def test_what_we_lack_is_held_against_the_parent_that_we_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states("2", "0.2", monkeypatch, "cache_read_tokens") == ["open -90"]
    assert states("2", "2", monkeypatch, "cache_read_tokens") == []
    assert states(None, "2", monkeypatch) == ["missing"]


def test_a_zero_of_ours_is_told_without_a_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states("0", "2", monkeypatch) == ["open"]


def test_a_price_of_one_way_of_serving_is_compared_with_what_that_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = [
        model("m"),
        price("m", "input_tokens", "2"),
        price("m", "input_tokens", "1", when=Conditions(batch=True)),
    ]
    listed = {("openai", "m"): [price("m", "input_tokens", "1", when=Conditions(batch=True))]}
    monkeypatch.setattr(review, "_lists", lambda: {"litellm": listed})
    assert opinions(PriceBook(known)) == []


def test_the_lines_are_a_price_file_like_any_other() -> None:
    entries = read_prices(OPINIONS.name, OPINIONS.read_bytes(), recorded_at=RECORDED)
    assert len(entries) == sum(map(len, second_opinions().values())) > 3_000
