"""Amounts that are far from all that the catalog knows of their kind."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from spendmeter.contracts.catalog import CatalogEntry, FxRate, PeriodTerm, Step, UnitEntry
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.review.lint import lint
from tests.pricing.entries import RECORDED, model, price, terms

SHIPPED = load_snapshot()
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def said(*new: CatalogEntry, before: list[CatalogEntry] | None = None) -> list[str]:
    """What lint asks to confirm of amounts far off."""
    stood = SHIPPED if before is None else before
    found = [finding for finding in lint(stood, [*stood, *new]) if finding.rule == "far"]
    assert all(finding.severity == "confirm" for finding in found)
    return [finding.message for finding in found]


def fx(rate: str, since: datetime = NOVEMBER, base: str = "EUR", quote: str = "USD") -> FxRate:
    return identified(
        FxRate(base=base, quote=quote, rate=rate, effective_from=since, source="test", recorded_at=RECORDED)
    )


def test_the_price_of_a_million_stated_for_one_token_asks_whether_a_million_was_meant() -> None:
    (message,) = said(price("zephyr-9", "input_tokens", "2.5", provider="newcomer", per=1))
    assert message == (
        "2.5 USD per 1 input_tokens of newcomer/zephyr-9 is 16,667 times the dearest price of input_tokens "
        "(150 USD per 1,000,000, openai/o1-pro): did you mean per 1,000,000?"
    )


def test_a_price_in_line_with_the_others_says_nothing() -> None:
    assert said(price("zephyr-9", "input_tokens", "2.5", provider="newcomer")) == []
    assert said(price("zephyr-9", "input_tokens", "0", provider="newcomer")) == [], "free is not far"


def test_a_model_is_compared_with_its_family_first() -> None:
    dear = price("gpt-9-mini", "input_tokens", "0.25", per=1000)  # 250 a million, as nothing of gpt-mini is
    (message,) = said(dear)
    assert "times the dearest input_tokens of the family gpt-mini" in message
    assert message.endswith("did you mean per 1,000,000?")


def test_the_price_of_one_stated_for_a_million_is_far_below() -> None:
    (message,) = said(price("zephyr-9", "output_tokens", "0.0000025", provider="newcomer"))
    assert "times less than the cheapest price of output_tokens" in message
    assert message.endswith("did you mean per 1?")


@pytest.mark.parametrize(
    ("unit", "amount", "per", "of"),
    [
        ("searches", "10", 1, "the dearest price of searches"),
        ("gpu_hours", "2500", 1, "the dearest price of gpu_hours"),
        ("seat_months", "0.019", 1, "the cheapest price of seat_months"),
        ("gb_months", "23", 1, "the dearest price of gb_months"),
        ("read_units", "16", 1, "the dearest price of read_units"),
        ("audio_seconds", "0.36", 1, "the dearest price of audio_seconds"),
    ],
)
def test_units_of_every_cost_class_are_compared(unit: str, amount: str, per: int, of: str) -> None:
    (message,) = said(price("thing", unit, amount, provider="newcomer", per=per))
    assert of in message


def test_an_hours_price_stated_for_a_second_asks_for_the_hour() -> None:
    (message,) = said(price("scribe", "audio_seconds", "0.36", provider="newcomer", per=1))
    assert message.endswith(("did you mean per 1,000?", "did you mean per 3,600?"))


def test_a_unit_that_nobody_prices_is_compared_with_its_parent_or_its_kind() -> None:
    spark = identified(
        UnitEntry(
            unit="spark_tokens", about="sparks", parent="input_tokens", source="t", recorded_at=RECORDED
        )
    )
    (message,) = said(spark, price("m9", "spark_tokens", "3", provider="newcomer", per=1))
    assert "the dearest price of input_tokens" in message
    assert said(price("person", "labour_hours", "95", provider="newcomer", per=1)) == [], "dearer than a GPU"
    (message,) = said(price("person", "labour_hours", "95000000", provider="newcomer", per=1))
    assert "the dearest price of any hours" in message


def test_amounts_of_terms_and_steps_are_compared_too() -> None:
    (message,) = said(terms("newcomer", fallback={"input_tokens": "2.5"}))
    assert message.startswith("2.5 USD per 1 input_tokens of what is unknown, for newcomer, is 16,667 times")
    step = Step(price="2.5")
    term = identified(
        PeriodTerm(effect="volume", provider="openai", units=("input_tokens",), steps=(step,), source="t", recorded_at=RECORDED)
    )  # fmt: skip
    (message,) = said(term)
    assert message.startswith("2.5 USD per 1 input_tokens of a volume term of openai is 16,667 times")


def test_another_currency_is_compared_by_its_rate_and_without_one_with_itself_alone() -> None:
    yen = price("zephyr-9", "input_tokens", "20000", provider="newcomer", currency="JPY")
    assert said(yen, fx("0.0066", base="JPY")) == [], "132 dollars a million"
    (message,) = said(
        price("zephyr-9", "input_tokens", "2.5", provider="newcomer", per=1, currency="EUR"), fx("1.1")
    )
    assert "is 18,333 times the dearest price of input_tokens" in message
    assert said(yen, fx("0.0066", base="JPY", quote="CHF")) == [], "nothing else is in yen"


def test_the_rate_that_a_book_in_another_currency_needs_is_enough_to_compare_with_prices_in_dollars() -> None:
    euros = price("zephyr-9", "input_tokens", "2.5", provider="newcomer", per=1, currency="EUR")
    before = [*SHIPPED, terms("newco", currency="EUR"), fx("0.8", base="USD", quote="EUR")]
    (message,) = said(euros, before=before)  # 3.125 dollars, beside 0.00015
    assert "is 20,833 times the dearest price of input_tokens" in message


def test_what_comes_in_one_file_is_not_compared_with_itself() -> None:
    wrong = [price(f"zephyr-{n}", "input_tokens", "2.5", provider="newcomer", per=1) for n in range(3)]
    assert len(said(*wrong)) == 3


def test_a_rate_far_from_its_neighbour_is_doubted() -> None:
    before = [*SHIPPED, fx("1.1")]
    assert said(fx("1.2", RECORDED), before=before) == []
    assert said(fx("110", RECORDED), before=before) == ["EUR → USD at 110 is 100 times the 1.1 of 2026-11-01"]
    early = datetime(2026, 10, 1, tzinfo=UTC)
    assert said(fx("0.011", early), before=before) == [
        "EUR → USD at 0.011 is 0.01 times the 1.1 of 2026-11-01"
    ]


def test_a_first_rate_that_is_the_opposite_of_the_one_that_is_meant_is_doubted() -> None:
    before = [*SHIPPED, fx("0.0066", base="JPY")]
    assert said(fx("150", base="USD", quote="JPY"), before=before) == []
    assert said(fx("0.0066", base="USD", quote="JPY"), before=before) == [
        "USD → JPY at 0.0066 is 4.356e-05 times what JPY → USD at 0.0066 makes: is it the other way round?"
    ]


def test_nothing_is_far_where_there_is_nothing_to_compare_with() -> None:
    assert said(price("m", "input_tokens", "2.5", per=1), model("m", "m-1"), before=[]) == []


def test_of_a_whole_price_list_little_is_far_and_it_takes_seconds() -> None:
    """LiteLLM's own, of which the largest sellers stand and all others come new."""
    spec = find_spec("litellm")
    assert spec and spec.origin
    path = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
    theirs = read_prices("litellm.json", path.read_bytes(), recorded_at=RECORDED)
    stand = [
        each
        for each in theirs
        if getattr(each, "provider", "") in ("openai", "anthropic", "bedrock", "azure")
    ]
    started = time.process_time()
    fresh = [each for each in theirs if each not in stand]
    far = said(*fresh, before=stand)
    print(f"{len(fresh):,} new entries, {len(far)} far, {time.process_time() - started:.1f} s of CPU")
    assert len(stand) > 1000 and len(fresh) > 1000
    assert len(far) < len(fresh) / 20
