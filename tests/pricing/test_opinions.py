"""Never only one source: each price beside genai-prices' and LiteLLM's, and whose word holds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from spendmeter.contracts.catalog import ANY, CatalogEntry, Conditions, NameRule, Price
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.catalog.corrections import read_corrections
from spendmeter.pricing.catalog.files import Header, write_jsonl
from spendmeter.pricing.catalog.overlay import lay_over
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
from tests.pricing.test_corrected import BATCH_HALF


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
    write_jsonl(path, header, derive(installed()))
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


def test_a_name_that_rules_read_as_the_models_own_speaks_before_its_aliases() -> None:
    again = NameRule(
        name="again", match=("{provider}/{name}",), becomes="{name}", costs="same",
        source="test", recorded_at=RECORDED, says="the provider, said again",
    )  # fmt: skip
    known = [identified(again), model("m", "m-x"), price("m", "input_tokens", "1")]
    theirs = [price("m-x", "input_tokens", "2"), price("openai/m", "input_tokens", "3")]
    (found,) = nearest(PriceBook(known), theirs).values()
    assert [each.price for each in found] == ["3"]


def test_models_that_corrections_add_have_a_second_opinion() -> None:
    said = second_opinions()
    assert ("aws", "deepseek.v3.2") in said and ("aws", "qwen.qwen3-coder-next") in said


def states(
    ours: str | None, theirs: str, monkeypatch: pytest.MonkeyPatch, unit: str = "input_tokens"
) -> list[str]:
    known = [model("m"), price("m", "output_tokens", "9")]
    known += [price("m", "input_tokens", ours)] if ours else []
    listed = {("openai", "m"): [price("m", unit, theirs)]}
    monkeypatch.setattr(review, "_lists", lambda: {"litellm": listed})
    return [f"{each.state} {each.apart_percent}".strip() for each in opinions(PriceBook(known))]


HALF = Conditions(batch=True)
LONDON = Conditions(regions=("eu-west-2",))
BATCH_IN_LONDON = Conditions(batch=True, regions=("eu-west-2",))
LONG = Conditions(context_min=200_000)
COSTS_FOUR = """
[[correction.price]]
sku = "m"
per = 1000000
prices = { input_tokens = "4" }
"""
CHECK = """
[[correction.check]]
price = "openai/m input_tokens=1"
want = "1"
working = "1 x 1"
"""


def decided(monkeypatch: pytest.MonkeyPatch, tables: str, theirs: list[Price]) -> dict[Conditions, str]:
    """Whose word holds, by what a list's price is for; one correction makes `tables`, and the public catalog
    has the model m, whose input costs 2."""
    head = 'vendor = "openai"\nrecorded_at = 2026-11-26T00:00:00Z\n[[correction]]\nname = "it"\n'
    head += 'rule = "So it is."\nsource = "https://example.com"\nread = 2026-11-26\n'
    (rule,) = read_corrections("openai.toml", (head + tables + CHECK).encode())
    public: list[CatalogEntry] = [model("m"), price("m", "input_tokens", "2")]
    monkeypatch.setattr(review, "_lists", lambda: {"litellm": {("openai", "m"): theirs}})
    monkeypatch.setattr(review, "shipped_corrections", lambda: [rule])
    review._corrections.cache_clear()
    try:
        found = opinions(PriceBook(lay_over(public, [rule])))
    finally:
        review._corrections.cache_clear()
    assert all(each.rule == "openai/it: So it is." for each in found if each.state == "corrected")
    return {each.difference.when: each.state for each in found}


def says(amount: str, when: Conditions = ANY, unit: str = "input_tokens") -> Price:
    return price("m", unit, amount, when=when)


def test_a_factor_decides_where_the_list_agrees_but_for_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Input costs 2 in both; a batch costs 2 x 0.5 = 1 here and 1.5 there."""
    assert decided(monkeypatch, BATCH_HALF, [says("2"), says("1.5", HALF)]) == {HALF: "corrected"}


def test_a_factor_beside_what_differs_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half is agreed, a region's fifth more is not; nor is a base price of 3, of which a batch is half."""
    theirs = [says("2"), says("1", HALF), says("2.4", LONDON), says("1.2", BATCH_IN_LONDON)]
    assert decided(monkeypatch, BATCH_HALF, theirs) == {LONDON: "open", BATCH_IN_LONDON: "open"}
    assert decided(monkeypatch, BATCH_HALF, [says("3"), says("1.5", HALF)]) == {
        ANY: "open",
        HALF: "open",
    }
    assert decided(monkeypatch, BATCH_HALF, [says("1.5", HALF)]) == {HALF: "open"}, "of input nothing is said"


def test_a_corrections_price_decides_what_it_says_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says 4 of input; nothing of regions, of long requests, or of what is read from a cache."""
    assert decided(monkeypatch, COSTS_FOUR, [says("3")]) == {ANY: "corrected"}
    theirs = [says("4"), says("5", LONDON), says("8", LONG), says("0.4", HALF, "cache_read_tokens")]
    assert decided(monkeypatch, COSTS_FOUR, theirs) == {LONDON: "open", LONG: "open", HALF: "open"}


def test_a_corrections_price_and_its_factor_decide_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 x 0.5 = 2 in a batch, and 3 x 0.5 there; in London nothing was said."""
    theirs = [says("3"), says("1.5", HALF), says("1.8", BATCH_IN_LONDON)]
    assert decided(monkeypatch, COSTS_FOUR + BATCH_HALF, theirs) == {
        ANY: "corrected",
        HALF: "corrected",
        BATCH_IN_LONDON: "open",
    }


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
