"""Touched series: another tenant's hundred thousand never stand before one's single one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.ledger.touched import KEYS_MAX, TENANT_KEYS_MIN, Touched

MINUTE = datetime(2026, 11, 23, 10, 3, tzinfo=UTC)


def crowd(number: int, tenant: str = "large", minute: datetime = MINUTE) -> list[tuple[str, str, datetime]]:
    return [(tenant, f"{each:032x}", minute) for each in range(number)]


def test_another_tenants_single_series_is_told_first_and_not_after_a_hundred_thousand() -> None:
    touched = Touched()
    touched.add(crowd(100_000))
    touched.add([("small", "s", MINUTE)])
    assert ("small", "s", MINUTE) in touched.take(2)
    assert {tenant for tenant, *_ in touched.take(500)} == {"large"}


def test_every_minute_of_a_crowd_is_named_within_the_first_second() -> None:
    touched = Touched()
    for late in range(60):
        touched.add(crowd(1_000, minute=MINUTE - timedelta(minutes=late)))
    assert len({minute for *_, minute in touched.take(500)}) == 60


def test_what_is_remembered_is_bounded_and_a_new_minute_is_still_named() -> None:
    touched = Touched()
    assert touched.add(crowd(KEYS_MAX + 50)) == (50, set())  # others name their minute
    assert touched.add(crowd(2, minute=MINUTE + timedelta(minutes=1))) == (1, set())  # one names it
    assert touched.add(crowd(1)) == (0, set())  # known already
    assert len(touched) == KEYS_MAX + 1
    later = MINUTE + timedelta(minutes=1)
    assert ("large", f"{0:032x}", later) in touched.take(2)


def test_of_minutes_that_nobody_will_name_the_day_is() -> None:
    touched = Touched()
    minutes = [MINUTE - timedelta(minutes=late) for late in range(KEYS_MAX)]
    touched.add(("large", "s", minute) for minute in minutes)
    late = MINUTE - timedelta(days=100)
    assert touched.add([("large", "s", late), ("large", "t", late)]) == (2, {("large", late.date())})


def test_with_very_many_tenants_each_has_its_turn() -> None:
    touched = Touched()
    for tenant in range(2_000):
        touched.add(crowd(TENANT_KEYS_MIN, tenant=f"t{tenant}"))
    seen = {tenant for _ in range(4) for tenant, *_ in touched.take(500)}
    assert len(seen) == 2_000


def test_what_was_taken_is_gone_and_comes_back_when_it_is_touched_again() -> None:
    touched = Touched()
    touched.add(crowd(3))
    assert len(touched.take(10)) == 3
    assert (len(touched), touched.take(10)) == (0, [])
    touched.add(crowd(1))
    assert touched.take(10) == crowd(1)
