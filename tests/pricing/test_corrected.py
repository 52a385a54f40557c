"""Whether a correction is still needed: by what events cost with it and without, over any release of the public
catalog. And what it may not hide."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import build
from spendmeter.contracts.catalog import CatalogEntry, Conditions, HoursWindow
from spendmeter.pricing.catalog import load_own, load_public
from spendmeter.pricing.catalog.corrections import Rule, read_corrections, shipped_corrections
from spendmeter.pricing.catalog.overlay import PublicEntries
from spendmeter.pricing.review.corrected import Corrected, CorrectionState
from spendmeter.pricing.review.hidden import hidden
from tests.pricing.entries import model, price
from tests.pricing.test_catalog import PUBLISHED

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SHIPPED = Corrected(load_public(), load_own(), shipped_corrections())


@pytest.fixture(scope="module")
def states() -> dict[str, CorrectionState]:
    return {state.key: state for state in SHIPPED.states(NOW)}


@pytest.mark.parametrize("rule", SHIPPED.rules, ids=[rule.key for rule in SHIPPED.rules])
def test_each_correction_is_needed_over_the_public_catalog_that_we_ship(
    rule: Rule, states: dict[str, CorrectionState]
) -> None:
    state = states[rule.key]
    assert state.state == "needed", state.reasons


def test_no_correction_hides_a_condition_that_it_does_not_carry() -> None:
    assert hidden(SHIPPED.rules, SHIPPED.said) == []


HEADER = 'vendor = "openai"\nrecorded_at = 2026-11-26T00:00:00Z\n'
SAID = """
[[correction]]
name = "r"
rule = "What the vendor says."
source = "https://example.org/prices"
read = 2026-11-25
"""
CHECK = '[[correction.check]]\nprice = "openai/m input_tokens=1"\nwant = "1"\nworking = "1"\n'
BATCH_HALF = """
[[correction.adjustment]]
name = "batch"
factor = "0.5"
unless_stated = true
when = { batch = true }
"""
FAST = """
[[correction.price]]
sku = "m"
per = 1000000
when = { tiers = ["fast"] }
prices = { input_tokens = "30" }
"""
BATCH = Conditions(batch=True)
FROM_OCTOBER = Conditions(batch=True, effective_from=datetime(2026, 10, 14, tzinfo=UTC))
PLAIN: list[CatalogEntry] = [model("m"), price("m", "input_tokens", "3"), price("m", "output_tokens", "9")]


def rules(*said: str) -> list[Rule]:
    return read_corrections("openai.toml", (HEADER + SAID + "".join(said) + CHECK).encode())


def state(public: list[CatalogEntry], *said: str) -> tuple[str, str]:
    (found,) = Corrected(public, [], rules(*said)).states(NOW)
    return found.state, "; ".join(found.reasons)


def test_a_batch_discount_is_needed_until_every_model_states_it_for_all_time() -> None:
    assert state(PLAIN, BATCH_HALF)[0] == "needed"
    later = [
        price("m", "input_tokens", "1.5", when=FROM_OCTOBER),
        price("m", "output_tokens", "4.5", when=BATCH),
    ]
    assert state([*PLAIN, *later], BATCH_HALF)[0] == "needed"  # input of a batch in September
    always = [price("m", "input_tokens", "1.5", when=BATCH), price("m", "output_tokens", "4.5", when=BATCH)]
    assert state([*PLAIN, *always], BATCH_HALF) == ("superfluous", "no event costs anything else without it")


def test_a_public_price_that_says_otherwise_than_the_rule_contradicts_it() -> None:
    other = [*PLAIN, price("m", "input_tokens", "1.8", when=FROM_OCTOBER)]
    found, reason = state(other, BATCH_HALF)
    assert found == "contradicted"
    assert "the public catalog says 0.0000018 a unit, the rule 0.0000015" in reason


def test_what_was_looked_at_and_is_right_beside_the_rule_contradicts_it_when_it_changes() -> None:
    seen = [*PLAIN, price("m", "input_tokens", "1.8", when=FROM_OCTOBER)]
    (rule,) = rules('beside = [{ sku = "m", was = "" }]\n')
    was = PublicEntries(seen).said_of(rule, rule.said.beside[0])
    beside = f'beside = [{{ sku = "m", was = "{was}" }}]\n'
    assert state(seen, beside, BATCH_HALF)[0] == "needed"
    changed = [*PLAIN, price("m", "input_tokens", "1.9", when=FROM_OCTOBER)]
    assert state(changed, beside, BATCH_HALF)[0] == "contradicted"


def test_an_added_price_is_superfluous_where_the_public_catalog_states_it_too() -> None:
    assert state(PLAIN, FAST)[0] == "needed"
    fast = Conditions(tiers=("fast",))
    assert state([*PLAIN, price("m", "input_tokens", "30", when=fast)], FAST)[0] == "superfluous"
    found, reason = state([*PLAIN, price("m", "input_tokens", "18", when=fast)], FAST)
    assert (found, "public 0.000018 a unit, the rule 0.00003" in reason) == ("contradicted", True)


FOUR = '[[correction.price]]\nsku = "m"\nper = 1000000\nprices = { input_tokens = "4" }\n'


def test_a_replaced_price_is_contradicted_once_the_public_catalog_says_a_third_thing() -> None:
    (rule,) = rules('replaces = [{ sku = "m", units = ["input_tokens"], was = "" }]\n')
    was = PublicEntries(PLAIN).said_of(rule, rule.said.replaces[0])
    replaces = f'replaces = [{{ sku = "m", units = ["input_tokens"], was = "{was}" }}]\n'
    assert state(PLAIN, replaces, FOUR)[0] == "needed"
    dearer: list[CatalogEntry] = [model("m"), price("m", "input_tokens", "3.5")]
    found, reason = state(dearer, replaces, FOUR)
    assert (found, "openai/m" in reason, was in reason) == ("contradicted", True, True)
    assert state([model("m"), price("m", "input_tokens", "4")], replaces, FOUR)[0] == "superfluous"


def test_what_a_name_meant_for_a_time_is_a_correction_too() -> None:
    public = [*PLAIN, model("n", "latest"), price("n", "input_tokens", "1"), price("n", "output_tokens", "2")]
    alias = '[[correction.alias]]\nname = "latest"\nsku = "m"\neffective_to = 2026-03-01T00:00:00Z\n'
    assert state(public, alias)[0] == "needed"
    assert state(public, alias.replace('sku = "m"', 'sku = "n"'))[0] == "superfluous"


PEAK = Conditions(calendar="utc", windows=(HoursWindow(days=(1, 2, 3, 4, 5), start="01:00", end="04:00"),))


@pytest.mark.parametrize(
    ("when", "lost"),
    [
        (BATCH, "batches"),
        (Conditions(tiers=("flex",)), "tier flex"),
        (Conditions(regions=("eu",)), "region 'eu'"),
        (Conditions(context_min=200_000), "context lengths"),
        (PEAK, "hours"),
        (Conditions(effective_to=NOW), "dates"),
    ],
)
def test_a_condition_of_a_replaced_price_is_carried_or_it_is_said_why_not(
    when: Conditions, lost: str
) -> None:
    public = [price("m", "input_tokens", "3"), price("m", "input_tokens", "2", when=when)]
    replaces = 'replaces = [{ sku = "m", was = "" }]\n'
    said = PublicEntries(public)
    expected = (
        f"openai/r: openai/m input_tokens has no price for {lost} any more; carry it, or say why not (drops)"
    )
    assert hidden(rules(replaces, FOUR), said) == [expected]
    assert hidden(rules(replaces, 'drops = "the vendor never had it"\n', FOUR), said) == []
    if lost == "batches":
        assert hidden(rules(replaces, FOUR, BATCH_HALF), said) == []


def test_a_unit_of_a_replaced_sku_is_restated_too() -> None:
    found = hidden(rules('replaces = [{ sku = "m", was = "" }]\n', FOUR), PublicEntries(PLAIN))
    assert found == [
        "openai/r: openai/m has no price for output_tokens any more; carry it, or say why not (drops)"
    ]


def test_an_added_price_of_a_tier_carries_the_lengths_of_the_price_that_it_goes_before() -> None:
    public = [
        price("m", "input_tokens", "3", when=Conditions(context_max=200_000)),
        price("m", "input_tokens", "6", when=Conditions(context_min=200_000)),
    ]
    said = PublicEntries(public)
    (reason,) = hidden(rules(FAST), said)
    assert "openai/m input_tokens goes before a price for context lengths" in reason
    long = FAST.replace('["fast"]', '["fast"], context_min = 200000').replace('"30"', '"60"')
    assert hidden(rules(FAST, long), said) == []


def listed(*arguments: str) -> dict[str, object]:
    answer = CliRunner().invoke(build(["catalog"]), ["catalog", "corrections", "--json", *arguments])
    said: dict[str, object] = json.loads(answer.stdout)
    return said | {"code": answer.exit_code}


def test_the_command_lists_every_correction_with_its_rule_source_and_state(tmp_path: Path) -> None:
    shipped = listed()
    assert (shipped["code"], shipped["hidden"], shipped["counts"]) == (0, [], {"needed": len(SHIPPED.rules)})
    file = tmp_path / "data.json"
    file.write_bytes(PUBLISHED)
    again = listed(str(file))
    for each in (*shipped["corrections"], *again["corrections"]):  # type: ignore[misc]
        del each["reasons"]  # they may name the moment at which they were asked for
    assert again["corrections"] == shipped["corrections"]


def test_a_release_of_the_public_catalog_that_says_otherwise_is_named(tmp_path: Path) -> None:
    published = json.loads(PUBLISHED)
    (anthropic,) = [provider for provider in published if provider["id"] == "anthropic"]
    (opus,) = [each for each in anthropic["models"] if each["id"] == "claude-opus-4-6"]
    (batch,) = [variant for variant in opus["price_variants"] if variant["when"] == {"processing": "batch"}]
    batch["prices"]["input_mtok"] = 2.6
    del batch["constraint"]  # since ever
    file = tmp_path / "data.json"
    file.write_text(json.dumps(published))
    said = listed(str(file))
    assert said["code"] == 1
    contradicted = [each for each in said["corrections"] if each["state"] == "contradicted"]  # type: ignore[attr-defined]
    reasons = [reason for each in contradicted for reason in each["reasons"]]
    assert any("the public catalog says 0.0000026 a unit, the rule 0.0000025" in reason for reason in reasons)
