"""What a person is shown before a price is put in force."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendmeter.contracts.catalog import (
    CalendarEntry,
    CatalogEntry,
    Conditions,
    FxRate,
    HoursWindow,
    PeriodTerm,
    Step,
    Withdrawal,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review.changes import changes
from spendmeter.pricing.review.consensus import consensus
from spendmeter.pricing.review.finding import LintFinding
from spendmeter.pricing.review.lint import lint
from spendmeter.pricing.review.vendor_rules import VENDOR_RULES
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, spelling, terms

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
BATCH = Conditions(batch=True)


def withdrawn(*entries: CatalogEntry) -> CatalogEntry:
    ids = tuple(entry.id for entry in entries)
    return identified(Withdrawal(entries=ids, source="test", recorded_at=RECORDED))


def test_a_new_rate_from_a_date_is_one_change_with_both_prices_and_their_ratio() -> None:
    old = price("m", "input_tokens", "2")
    until = price("m", "input_tokens", "2", when=Conditions(effective_to=MAY))
    since = price("m", "input_tokens", "0.5", when=Conditions(effective_from=MAY))
    (change,) = changes([old], [old, withdrawn(old), until, since])
    assert (change.change, change.provider, change.sku, change.unit) == (
        "changed", "openai", "m", "input_tokens",
    )  # fmt: skip
    assert change.when == Conditions(effective_from=MAY)
    assert (change.before, change.after, change.ratio) == (old, since, Decimal("0.25"))


def test_the_ratio_is_of_one_unit_however_many_a_price_is_stated_for() -> None:
    old = price("m", "input_tokens", "3", per=1000)
    new = price("m", "input_tokens", "6000", per=1_000_000)
    assert changes([old], [new])[0].ratio == 2
    assert changes([old], [price("m", "input_tokens", "3000", per=1_000_000)]) == []


def test_what_is_new_and_what_is_withdrawn_have_no_other_side() -> None:
    old, new = price("m", "input_tokens", "1"), price("m", "input_tokens", "1", when=BATCH)
    first, second = changes([old], [old, withdrawn(old), new])
    assert {(first.change, first.before, first.after), (second.change, second.before, second.after)} == {
        ("withdrawn", old, None), ("new", None, new),
    }  # fmt: skip
    assert first.ratio is None


def test_a_price_for_a_time_in_between_changes_that_time_alone() -> None:
    old = price("m", "input_tokens", "2")
    sale = price("m", "input_tokens", "1", when=Conditions(effective_from=MAY, effective_to=JUNE))
    rest = [
        price("m", "input_tokens", "2", when=Conditions(effective_to=MAY)),
        price("m", "input_tokens", "2", when=Conditions(effective_from=JUNE)),
    ]
    (change,) = changes([old], [sale, *rest])
    assert (change.when.effective_from, change.when.effective_to) == (MAY, JUNE)


def test_free_and_another_currency_have_no_ratio() -> None:
    old = price("m", "input_tokens", "2")
    for new in (price("m", "input_tokens", "0"), price("m", "input_tokens", "2", currency="EUR")):
        (change,) = changes([old], [new])
        assert (change.change, change.ratio) == ("changed", None)


def test_a_discount_that_changes_is_a_change_too() -> None:
    (change,) = changes([adjustment("off", "0.9")], [adjustment("off", "0.8")])
    assert (change.sku, change.unit, change.ratio) == ("*", "*", Decimal("0.888888888889"))


def rules(findings: list[LintFinding]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity) for finding in findings]


CLAUDE = {"provider": "anthropic"}
LINT: list[tuple[list[CatalogEntry], list[tuple[str, str]]]] = [
    ([price("claude-x", "input_tokens", "3", **CLAUDE), price("claude-x", "cache_write_1h_tokens", "6", **CLAUDE)], []),
    ([price("claude-x", "input_tokens", "3", **CLAUDE), price("claude-x", "cache_write_1h_tokens", "3.75", **CLAUDE)], [("cache-write-1h", "confirm")]),
    ([price("m", "input_tokens", "2"), price("m", "input_tokens", "1", when=BATCH)], []),
    ([price("m", "input_tokens", "2"), price("m", "input_tokens", "1.5", when=BATCH)], [("batch", "warning")]),
    ([price("m", "searches", "10", per=1000), price("m", "searches", "10", per=1000, when=BATCH)], []),
    ([price("m", "input_tokens", "2"), price("m", "cache_read_tokens", "2")], []),
    ([price("m", "input_tokens", "2"), price("m", "cache_read_tokens", "2.1")], [("cache-read", "confirm")]),
    ([price("m", "input_audio_tokens", "9"), price("m", "cache_read_audio_tokens", "10")], [("cache-read", "confirm")]),
    ([price("m", "input_tokens", "2"), price("m-2026-05-01", "input_tokens", "2")], []),
    ([price("m", "input_tokens", "2"), price("m-2026-05-01", "input_tokens", "1"), price("m-2025-05-01", "input_tokens", "9")], [("snapshot", "warning")]),
    ([price("m", "input_tokens", "2"), price("m-2026-05-01", "input_tokens", "1"), model("m", "m-20260601")], []),
    ([price("m", "input_tokens", "2", currency="DBU")], [("currency", "error")]),
    ([price("m", "input_tokens", "2", currency="EUR"), terms("acme", currency="EUR")], []),
    ([price("m", "input_tokens", "2", currency="CNY"), identified(FxRate(base="CNY", quote="USD", rate="0.14", effective_from=NOON, source="t", recorded_at=RECORDED))], []),
    ([price("m", "input_tokens", "2"), price("m", "input_tokens", "2", per=1, layer="organisation")], [("jump", "confirm")]),
    ([price("m", "input_tokens", "2"), price("m", "input_tokens", "1.8", kind="contracted", layer="contract", contract="deal")], []),
    ([price("m", "input_tokens", "2"), price("m", "input_tokens", "12", when=Conditions(tiers=("fast",)))], [("jump", "confirm")]),
    ([adjustment("off", "0.88", kind="contracted")], []),
    ([adjustment("off", "12", kind="contracted")], [("jump", "confirm")]),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "expected"), LINT)
def test_each_rule_finds_what_it_is_about_and_nothing_else(
    entries: list[CatalogEntry], expected: list[tuple[str, str]]
) -> None:
    assert rules(lint([], entries)) == expected


def test_a_finding_names_both_prices_and_both_entries() -> None:
    entries = [price("m", "input_tokens", "2"), price("m", "cache_read_tokens", "3")]
    (finding,) = lint([], entries)
    assert finding.message == (
        "3 USD per 1,000,000 cache_read_tokens of openai/m is more than "
        "2 USD per 1,000,000 input_tokens of openai/m"
    )
    assert set(finding.entries) == {entry.id for entry in entries}


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("6", []), ("6.01", [("jump", "confirm")]), ("0.66", [("jump", "confirm")]), ("0.67", []), ("0", [("jump", "confirm")])],
)  # fmt: skip
def test_more_than_three_times_the_old_price_asks_for_confirmation(
    amount: str, expected: list[tuple[str, str]]
) -> None:
    old = price("m", "input_tokens", "2")
    assert rules(lint([old], [old, withdrawn(old), price("m", "input_tokens", amount)])) == expected


def test_what_was_wrong_before_is_not_said_again_of_a_change_elsewhere() -> None:
    odd = [price("m", "input_tokens", "2"), price("m", "cache_read_tokens", "3")]
    assert lint(odd, [*odd, price("n", "input_tokens", "1")]) == []
    assert rules(lint(odd, [*odd, price("m", "output_tokens", "1")])) == [("cache-read", "confirm")]


@pytest.mark.parametrize(
    "pair",
    [
        (price("m", "input_tokens", "1"), price("m", "input_tokens", "2", when=Conditions(effective_from=NOON))),
        (model("m", "n"), model("n", "m")),
        (model("m", "x"), model("n", "x")),
        (adjustment("off", "0.9"), adjustment("off", "0.8")),
    ],
    ids=["overlap", "alias-cycle", "alias-claim", "adjustments"],
)  # fmt: skip
def test_what_cannot_be_in_force_is_an_error_that_names_both(pair: tuple[CatalogEntry, CatalogEntry]) -> None:
    (finding,) = lint([], pair)
    assert (finding.rule, finding.severity) == ("book", "error")
    assert set(finding.entries) == {entry.id for entry in pair}


def test_the_shipped_catalog_has_no_errors_and_its_oddities_are_few() -> None:
    findings = lint([], load_snapshot())
    assert {finding.severity for finding in findings} <= {"confirm", "warning"}
    assert len(findings) < 80  # half of them: cached input of batches, which OpenAI and Groq do not discount


def test_catalogs_agree_where_one_unit_costs_the_same_and_disagree_by_name() -> None:
    ours = [model("m", "m-latest"), price("m", "input_tokens", "2"), price("m", "output_tokens", "8")]
    other = {"per": 1, "source": "other"}
    theirs = [
        price("M-Latest", "input_tokens", "0.000002", **other),
        price("m", "output_tokens", "0.000009", **other),
        price("m", "searches", "0.01", **other),
        price("m", "images", "0", **other),
        price("unknown", "input_tokens", "1", **other),
    ]
    found = consensus(PriceBook(ours), {"other": theirs})
    assert [(each.catalog, each.sku, each.unit, each.ours, each.theirs) for each in found] == [
        ("other", "m", "output_tokens", "0.000008", "0.000009"),
        ("other", "m", "searches", None, "0.01"),
    ]
    assert (found[0].our_entry, found[0].their_entry, found[0].name) == (ours[2].id, theirs[1].id, "")
    (other_name,) = consensus(PriceBook(ours), {"other": [price("M-Latest", "input_tokens", "3")]})
    assert (other_name.sku, other_name.name) == ("m", "M-Latest")


def test_a_cliff_is_compared_beyond_it() -> None:
    over = Conditions(context_min=200_000)
    ours = [
        price("m", "input_tokens", "2", when=Conditions(context_max=200_000)),
        price("m", "input_tokens", "4", when=over),
    ]
    assert consensus(PriceBook(ours), {"same": [price("m", "input_tokens", "4", when=over)]}) == []
    (found,) = consensus(PriceBook(ours), {"flat": [price("m", "input_tokens", "2", when=over)]})
    assert (found.ours, found.theirs) == ("4", "2")
    by_hour = Conditions(calendar="utc", windows=(HoursWindow(start="00:00", end="24:00"),))
    night = price("m", "input_tokens", "1", when=by_hour)
    utc = identified(CalendarEntry(name="utc", time_zone="UTC", source="t", recorded_at=RECORDED))
    flat = price("m", "input_tokens", "2")
    assert consensus(PriceBook([night, flat, utc]), {"same": [flat]}) == []


@pytest.fixture(scope="module")
def litellm_entries() -> list[CatalogEntry]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    path = Path(litellm.__file__).with_name("model_prices_and_context_window_backup.json")
    return read_prices(path.name, path.read_bytes(), recorded_at=RECORDED)


def test_litellm_and_the_shipped_catalog_agree_but_for_what_is_told(
    litellm_entries: list[CatalogEntry],
) -> None:
    found = consensus(PriceBook(load_snapshot()), {"litellm": litellm_entries})
    plain = [each for each in found if not (each.when.batch or each.when.regions or each.when.tiers)]
    said = {(each.provider, each.sku, each.unit, each.theirs): each.ours for each in plain}
    # pricing.md's allow-list: the bare id on Bedrock is a region's price to us, the global one to LiteLLM.
    regional = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert said["aws", regional, "input_tokens", "3"] == "3.3"
    assert not [key for key in said if key[:3] == ("openai", "gpt-4o", "input_tokens")]


def test_litellms_file_lints_like_any_other(litellm_entries: list[CatalogEntry]) -> None:
    messages = " ".join(finding.message for finding in lint([], litellm_entries))
    assert (
        "0.025 USD per 1,000,000 cache_read_tokens of gemini/gemini-3.8-flash-lite-tts is 0.2000 times"
        in messages
    )


def test_what_terms_no_longer_say_is_confirmed() -> None:
    before = terms("acme", fallback={"input_tokens": "0.00001"}, contracts=("old",))
    gone = identified(Withdrawal(entries=(before.id,), source="t", recorded_at=RECORDED))
    after = [before, gone, terms("acme", contracts=("old", "new"))]
    (found,) = lint([before], after)
    assert (found.rule, found.severity) == ("terms", "confirm")
    assert found.message == (
        "terms of acme: contracts ('old',) becomes ('old', 'new'); fallback {'input_tokens': '0.00001'} becomes {}"
    )
    assert lint([before], [before]) == []
    assert lint([], [before]) == []


MIDNIGHT = Conditions(effective_from=RECORDED)


def period_term(**said: Any) -> PeriodTerm:
    said = {"effect": "allowance", "quantity": "1000", "provider": "openai", "units": ("searches",)} | said
    return identified(PeriodTerm(source="test", recorded_at=RECORDED, **said))


def test_a_period_term_that_true_ups_can_book_is_nothing_to_remark() -> None:
    assert lint([], [period_term()]) == []


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"when": Conditions(effective_from=NOON)}, "its dates are midnights of UTC"),
        ({"when": Conditions(calendar="baghdad")}, "its periods are of UTC days"),
        ({"effect": "commitment"}, "it says from when on it is paid for"),
        ({"effect": "spend_commitment", "when": MIDNIGHT}, "it is of a contract or of one tenant"),
        ({"units": ()}, "it says of which units"),
    ],
)
def test_a_period_term_that_true_ups_cannot_book_is_refused_with_its_rule(
    said: dict[str, Any], rule: str
) -> None:
    (finding,) = lint([], [period_term(**said)])
    assert finding.severity == "error"
    assert rule in finding.message


@pytest.mark.parametrize("effect", ["graduated", "volume"])
def test_steps_that_do_not_say_of_which_calls_take_what_batch_calls_cost_less_back(effect: str) -> None:
    steps: dict[str, Any] = {"effect": effect, "quantity": "0", "steps": (Step(over="0", price="2"),)}
    (finding,) = lint([], [period_term(**steps)])
    assert (finding.rule, finding.severity) == ("period-terms", "warning")
    assert "what batch calls cost less is taken back: say batch = false" in finding.message
    for batch in (False, True):
        assert lint([], [period_term(**steps, when=Conditions(batch=batch))]) == []


def test_a_period_term_that_no_period_can_follow_cannot_be_put_in_force() -> None:
    term = period_term(quantity="0")
    (finding,) = lint([], [term])
    assert (finding.rule, finding.severity) == ("period-terms", "error")
    assert finding.message == f"period term {term.id} (allowance): it says how much is free"


def test_every_vendor_rule_names_known_units_and_says_what_it_compares() -> None:
    for name, rule in VENDOR_RULES.items():
        assert {"{price}", "{peer}"} <= set(re.findall(r"\{\w+\}", rule.message)), name
        units = [unit for unit in UNITS if rule.peer_of(price("claude-m", unit, "1", when=BATCH)) in UNITS]
        assert units, f"{name} is about no unit"


def test_a_price_for_a_tier_that_is_read_as_another_never_holds() -> None:
    spelled = spelling("tier", "", "default")
    asked = price("m", "input_tokens", "2", when=Conditions(tiers=("default",)))
    held = price("m", "input_tokens", "2", when=Conditions(tiers=("flex",)))
    (found,) = [each for each in lint([], [spelled, asked, held]) if each.rule == "tier"]
    assert (found.severity, found.entries) == ("confirm", (asked.id,))
    assert found.message == "for the tier 'default', which is read as 'standard': it never holds"
