"""Which processes a system has, and where they listen."""

from __future__ import annotations

from deploy.local.services import PORTS, SERVICES, kind, names, ports


def test_one_ledger_is_what_there_is_where_nobody_asks_for_more() -> None:
    assert names(1) == SERVICES
    assert ports(1) == PORTS


def test_of_several_ledgers_each_has_a_name_and_a_port_of_its_own_beside_the_first() -> None:
    at = SERVICES.index("ledger")
    assert names(3)[at : at + 3] == ("ledger", "ledger-2", "ledger-3")
    assert len(names(3)) == len(SERVICES) + 2
    assert len(set(ports(3).values())) == len(PORTS) + 2
    assert [kind(name) for name in names(3)[at : at + 3]] == ["ledger"] * 3
