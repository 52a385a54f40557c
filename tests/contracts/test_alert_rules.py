"""The rules that everybody has, and what a tenant may set of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from spendmeter.contracts.alert_rules import DEFAULT_RULES, RULE_KINDS, canonical, default_rule


@pytest.mark.parametrize("of", RULE_KINDS)
def test_the_defaults_of_a_kind_may_be_set(of: str) -> None:
    kind = RULE_KINDS[of]
    assert kind.troubles({name: setting.default for name, setting in kind.settings.items()}) == {}
    assert DEFAULT_RULES[kind.rule] == of


def test_a_rule_says_the_tenants_setting_where_there_is_one_and_the_default_elsewhere() -> None:
    rule = replace(default_rule("first"), changed={"amount_min": "25", "subjects": ["model"]})
    assert (rule.number("amount_min"), rule.number("dormant_days")) == (Decimal(25), Decimal(30))
    assert rule.chosen("subjects") == ("model",)


def test_a_setting_of_an_earlier_release_that_is_gone_is_not_obeyed() -> None:
    rule = replace(default_rule("burst"), changed={"sensitivity": "7"})
    assert "sensitivity" not in rule.settings


@pytest.mark.parametrize(
    ("of", "settings", "reason"),
    [
        ("burst", {"amount_min": "-1"}, "amount_min"),
        ("burst", {"amount_min": "0"}, "is at least 0.000001"),
        ("burst", {"amount_min": 1}, "is a decimal string"),
        ("burst", {"amount_min": "NaN"}, "amount_min"),
        ("burst", {"share_min": "1.5"}, "is at most 1"),
        ("loop", {"calls_min": "7.5"}, "is a whole number"),
        ("first", {"subjects": []}, "is a list of some of model"),
        ("first", {"subjects": ["model", "model"]}, "each once"),
        ("first", {"subjects": ["user"]}, "knows model"),
        ("first", {"subjects": "model"}, "is a list"),
        ("burst", {"sensitivity": "7"}, "is none of amount_min"),
    ],
)
def test_what_cannot_be_set_is_refused_by_name_with_the_rule(
    of: str, settings: dict[str, object], reason: str
) -> None:
    [(name, said)] = RULE_KINDS[of].troubles(settings).items()
    assert reason in f"{name} {said}"


def test_what_is_set_to_its_default_is_no_change() -> None:
    assert canonical({"amount_min": "1.00", "score_min": "3.50"}, "burst") == {"score_min": "3.5"}
