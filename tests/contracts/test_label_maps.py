"""Label maps: which label an attribute means."""

from __future__ import annotations

import msgspec
import pytest

from spendmeter.contracts.label_maps import NO_MAPS, TenantMaps, troubles_with_maps


def maps(*rules: tuple[str, str, dict[str, str]]) -> TenantMaps:
    named = [{"attribute": attribute, "label": label, "values": values} for attribute, label, values in rules]
    return msgspec.convert({"labels": named}, TenantMaps)


def test_the_first_rule_that_finds_something_decides_each_label() -> None:
    both = maps(
        ("team.id", "team", {}), ("organization.id", "team", {"o1": "platform"}), ("env", "environment", {})
    )
    assert both.labels_of({"organization.id": "o1"}, {"team.id": "search"}) == {"team": "search"}
    assert both.labels_of({"organization.id": "o1"}, {"env": "dev"}) == {
        "team": "platform",
        "environment": "dev",
    }
    assert both.labels_of({"organization.id": "o2"}, {}) == {}
    assert both.attributes == {"team.id", "organization.id", "env"}


def test_an_item_s_own_attributes_count_before_its_process_s_and_only_those_without_content() -> None:
    rules = maps(("organization.id", "team", {}), ("prompt", "feature", {}))
    assert rules.labels_of({"organization.id": "a", "prompt": "secret"}, {"organization.id": "b"}) == {
        "team": "a"
    }


def test_numbers_and_flags_are_written_out_and_what_no_label_can_hold_is_left_out() -> None:
    rules = maps(
        ("a", "team", {}), ("b", "project", {"true": "yes"}), ("c", "feature", {}), ("d", "agent", {})
    )
    found = rules.labels_of({}, {"a": 7, "b": True, "c": "x" * 129, "d": "a\u200bb"})
    assert found == {"team": "7", "project": "yes"}
    assert rules.labels_of({}, {"a": ["x"], "b": None}) == {}


def test_a_coding_agent_is_priced_by_its_logs_unless_its_tenant_says_otherwise() -> None:
    assert NO_MAPS.signal_of("codex") == "logs"
    assert TenantMaps(signals={"codex": "traces"}).signal_of("codex") == "traces"


def test_a_tenants_own_dimension_can_be_mapped_and_a_persons_name_cannot() -> None:
    assert not list(troubles_with_maps(maps(("cost.center", "cost_centre", {"a": "b"}))))
    troubles = dict(troubles_with_maps(maps(("enduser.id", "team", {}), ("a", "user", {}))))
    assert troubles.keys() == {"labels.0.attribute", "labels.1.label"}


@pytest.mark.parametrize(
    ("attribute", "personal"),
    [
        *((name, True) for name in ("user", "user.email", "userEmail", "service.user_name", "git.email", "process.owner", "EMPLOYEE_ID")),
        *((name, False) for name in ("department", "service.namespace", "superuser.group", "mailing.list", "organization.id")),
    ],
)  # fmt: skip
def test_however_an_attribute_is_spelled_a_persons_name_is_no_team(attribute: str, personal: bool) -> None:
    assert bool(list(troubles_with_maps(maps((attribute, "team", {}))))) is personal
