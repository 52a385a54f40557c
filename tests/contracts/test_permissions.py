"""Scopes and roles: what contains what, and that none contains more than it says."""

from __future__ import annotations

from spendmeter.contracts.permissions import ROLES, SCOPES, contained


def test_what_a_scope_contains_is_a_scope_and_its_contents_are_whole() -> None:
    for scope in SCOPES:
        inside = contained([scope])
        assert scope in inside
        assert inside <= SCOPES.keys()
        assert contained(inside) == inside, "what is in what is in it is in it"


def test_keys_of_before_may_what_they_might() -> None:
    assert contained(["admin"]) >= {"admin", "correct", "read"}
    assert contained(["correct"]) == {"correct", "read"}
    assert contained(["read"]) == {"read"}
    assert contained(["import"]) == {"import", "read"}
    assert contained(["ingest"]) == {"ingest"}
    assert contained(["reserve"]) == {"reserve"}


def test_no_role_sends_usage_or_bills() -> None:
    for role in ROLES.values():
        assert not contained(role.scopes) & {"ingest", "import", "reserve"}
        assert "read" in contained(role.scopes)
    assert [name for name, role in ROLES.items() if "admin" in contained(role.scopes)] == ["admin"]


def test_an_unknown_scope_contains_itself() -> None:
    assert contained(["tomorrow"]) == {"tomorrow"}
