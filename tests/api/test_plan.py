"""What a plan may say, which version of it holds when, and into what a question is cut."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from services.api.allocations.plan import CostPool, in_feeding_order, troubles_with
from services.api.allocations.versions import PlanAct, standing, stretches_of, version_on, weeks_of
from spendmeter.contracts.events import CostClass
from spendmeter.contracts.series import DIMENSIONS
from tests.api.allocating import DATABASE, pool

EVEN: dict[str, Any] = {"rule": "even"}


def said(*pools: CostPool) -> list[tuple[str, str]]:
    return list(troubles_with(pools, DIMENSIONS))


def chain(*names: str, back: str = "") -> list[CostPool]:
    """Each feeds the next, the last perhaps another."""
    following = [*names[1:], back]
    return [
        pool(name, {"sku": name}, rule="weighted", weights={"a": 1}, pools={fed: 1} if fed else {})
        for name, fed in zip(names, following, strict=True)
    ]


@pytest.mark.parametrize(
    ("terms", "field", "says"),
    [
        ({"rule": "proportional"}, "driver", "is missing"),
        ({"rule": "proportional", "driver": {"measure": "queries"}}, "driver.measure", "nor a unit"),
        ({"rule": "proportional", "driver": {"measure": "events", "filter": {"user": "x"}}}, "driver.filter", "not one of"),
        ({"rule": "even", "driver": {"measure": "events"}}, "driver", "nothing that the rule even reads"),
        ({"rule": "even", "among": ("", "a")}, "among", "'' is nobody"),
        ({"rule": "weighted"}, "weights", "who is to have"),
        ({"rule": "weighted", "weights": {"a": 1}, "of": 10}, "of", "nothing that the rule weighted reads"),
        ({"rule": "fixed", "weights": {"a": 60, "b": 41}}, "weights", "sum to 101, which is more than the 100"),
        ({"rule": "fixed", "weights": {"~other": 60}}, "weights", "'~other' is nobody"),
        ({"rule": "fixed", "weights": {"a": 6}, "pools": {"gpu": 4}}, "pools", "there is no pool 'gpu'"),
        ({"filter": {"user": "x"}, **EVEN}, "filter", "'user' is not one of"),
    ],
)  # fmt: skip
def test_a_pool_that_cannot_be_is_refused_by_its_field(terms: dict[str, Any], field: str, says: str) -> None:
    (trouble,) = said(pool(**terms))
    assert trouble[0] == f"pools.0.{field}"
    assert says in trouble[1]


def test_a_pool_that_an_earlier_one_leaves_nothing_is_refused() -> None:
    narrow = {"team": "", **DATABASE}
    assert said(pool("narrow", narrow, **EVEN), pool("wide", **EVEN)) == []
    (trouble,) = said(pool("wide", **EVEN), pool("narrow", narrow, **EVEN))
    assert trouble == ("pools.1.filter", "pool 'wide' stands before it and takes all of this")


def test_a_name_is_one_pools() -> None:
    assert said(pool("x", {"sku": "a"}, **EVEN), pool("x", {"sku": "b"}, **EVEN)) == [
        ("pools.1.name", "is another pool's name")
    ]


def test_pools_that_feed_each_other_in_a_circle_are_refused_with_the_way() -> None:
    assert said(*chain("a", "b", "c", back="b")) == [("pools.0.pools", "goes round in a circle: b -> c -> b")]
    assert said(*chain("a", back="a")) == [("pools.0.pools", "goes round in a circle: a -> a")]


def test_five_pools_in_a_row_are_allowed_and_six_are_not() -> None:
    assert said(*chain(*"abcde")) == []
    assert said(*chain(*"abcdef")) == [
        ("pools.0.pools", "more than 5 pools in a row: a -> b -> c -> d -> e -> f")
    ]


def test_a_tangle_of_many_pools_is_judged_at_once() -> None:
    # 50 pools, each of which feeds all later ones: 2^48 ways, of which none need be walked twice
    names = [f"p{n:02}" for n in range(50)]
    pools = [
        pool(name, {"sku": name}, rule="weighted", weights={"a": 1}, pools=dict.fromkeys(names[n + 1 :], 1))
        for n, name in enumerate(names)
    ]
    (trouble,) = said(*pools)
    assert "more than 5 pools in a row" in trouble[1]


def test_pools_are_handed_on_before_those_that_they_feed() -> None:
    assert in_feeding_order(chain("a", "b", "c")[::-1]) == [2, 1, 0]


def version(revision: int, first_day: str) -> PlanAct:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return PlanAct(revision, date.fromisoformat(first_day), (), "why", "key k", at)


def test_a_version_holds_from_its_first_day_until_the_next_one_begins() -> None:
    # the act 3 came last and begins first: it says what holds in between, and act 2 holds on from March
    held = standing([version(2, "2026-03-01"), version(3, "2026-02-01"), version(1, "2026-01-01")])
    days = ("2025-12-31", "2026-01-01", "2026-02-15", "2026-03-01", "2026-04-01")
    holding = [version_on(date.fromisoformat(day), held) for day in days]
    assert [each and each.revision for each in holding] == [None, 1, 3, 2, 2]


def test_of_two_that_begin_on_one_day_the_later_act_holds() -> None:
    assert [each.revision for each in standing([version(4, "2026-01-01"), version(1, "2026-01-01")])] == [4]


def test_a_question_is_cut_where_months_and_versions_begin() -> None:
    found = stretches_of(
        date(2026, 10, 30), date(2026, 12, 2), [version(1, "2026-11-16"), version(2, "2026-12-01")]
    )
    assert [(f"{s.first:%m-%d}", f"{s.beyond:%m-%d}", s.version and s.version.revision) for s in found] == [
        ("10-30", "11-01", None), ("11-01", "11-16", None), ("11-16", "12-01", 1), ("12-01", "12-02", 2),
    ]  # fmt: skip


def test_the_plan_of_the_users_page_can_be_set() -> None:
    page = (Path(__file__).parents[2] / "docs" / "allocation.md").read_text("utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    pools = msgspec.convert(tomllib.loads(shown)["pools"], list[CostPool])
    assert len(pools) == 4
    assert said(*pools) == []
    classes = {each.filter["cost_class"] for each in pools if "cost_class" in each.filter}
    assert classes <= set(get_args(CostClass))


def test_weeks_begin_anew_with_each_stretch() -> None:
    # 13 days of October and 9 of November: seven and six, seven and two
    stretches = stretches_of(date(2026, 10, 19), date(2026, 11, 10), [])
    assert [(f"{day:%m-%d}", place) for day, place in weeks_of(stretches)] == [
        ("10-19", 0), ("10-26", 0), ("11-01", 1), ("11-08", 1),
    ]  # fmt: skip
