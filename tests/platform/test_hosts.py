"""Which names a process answers to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spendmeter.platform.settings import Settings
from tests.platform.served import Served, problem_of, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


def ask(served: Served, *lines: str, path: str = "/taken", version: str = "1.1") -> bytes:
    head = [f"GET {path} HTTP/{version}", *lines, "Connection: close", "", ""]
    return served.talk("\r\n".join(head).encode())


@pytest.mark.parametrize("host", ["localhost:8400", "LOCALHOST", "127.0.0.1", "[::1]:8400"])
def test_this_machines_own_names_are_answered_with_any_port(served: Served, host: str) -> None:
    assert b" 200 " in ask(served, f"Host: {host}")


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test:8400", "localhost.", "10.0.0.7", "[::2]", "xn--localhost-8ya"]
)
def test_another_name_is_refused_with_421_and_the_setting_is_named(served: Served, host: str) -> None:
    answer = ask(served, f"Host: {host}")
    assert "SPENDMETER_HOSTS" in problem_of(answer, 421)["detail"]
    assert host.encode() not in answer


@pytest.mark.parametrize(
    "lines",
    [(), ("Host: localhost", "Host: localhost"), ("Host: a b",), ("Host: localhost@evil.test",), ("Host:",)],
)
def test_a_request_with_no_host_or_two_or_none_that_can_be_one_is_refused(
    served: Served, lines: tuple[str, ...]
) -> None:
    problem_of(ask(served, *lines), 400)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_an_orchestrator_probes_by_address_or_by_no_name_but_by_no_other_name(
    served: Served, path: str
) -> None:
    for host in ("10.42.0.7:8400", "[fd00::7]:8400"):
        assert b" 200 " in ask(served, f"Host: {host}", path=path)
    assert b" 200 " in ask(served, path=path, version="1.0")
    problem_of(ask(served, "Host: evil.test", path=path), 421)


def test_the_setting_adds_names_and_a_star_means_any() -> None:
    with serving(hosts="spend.test, Portal.Test") as named:
        assert b" 200 " in ask(named, "Host: portal.test")
        assert b" 200 " in ask(named, "Host: 127.0.0.1"), "the address that is bound"
        problem_of(ask(named, "Host: localhost"), 421)
    with serving(hosts="*") as any_name:
        assert b" 200 " in ask(any_name, "Host: evil.test")


def test_an_address_that_means_every_address_is_no_name() -> None:
    assert Settings(host="0.0.0.0", hosts="a.test").host_names == {"a.test"}
    assert Settings(host="::1", hosts="").host_names == {"[::1]"}
