"""Ready is what worked a moment ago, not what once did."""

from __future__ import annotations

from spendmeter.platform.heartbeat import Heartbeat


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_has_not_worked_yet_is_no_health() -> None:
    clock = Clock()
    beat = Heartbeat("the broker answered", 5, clock)
    clock.now += 2
    assert beat.trouble() == "waiting for the first time that the broker answered, for 2 s"


def test_the_age_and_the_bound_are_named_once_it_is_too_old() -> None:
    clock = Clock()
    beat = Heartbeat("the broker answered", 5, clock)
    beat.beat()
    clock.now += 5
    assert beat.trouble() == ""
    clock.now += 7
    assert beat.trouble() == ("the broker answered 12 s ago, and not since: more than 5 s counts as broken")
    beat.missed(TimeoutError())
    assert beat.trouble().endswith("broken (TimeoutError)")
    beat.beat()
    assert beat.trouble() == ""
