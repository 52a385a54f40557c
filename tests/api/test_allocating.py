"""Cost handed on by pools: by hand, and as properties of any plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.allocations.allocating import RESIDUAL, SUMS, BookedSum, Target, allocate
from services.api.allocations.plan import CostPool
from services.api.allocations.sharing import shared_out, whole_weights
from spendmeter.contracts.money import total
from tests.api.allocating import DATABASE, booked, pool, shares, used

REQUESTS = {"measure": "requests"}
TIED = {"team": ""}


def test_thirds_of_a_unit_go_to_the_first_by_name() -> None:
    # 100 / 3 = 33.333333333333|33...: three parts of 33.333333333333 leave 1e-12, and all remainders are equal
    found = allocate([pool(rule="even")], [booked("", "100", DATABASE), *_active("b", "a", "c")], [])
    assert shares(found) == {"a": "33.333333333334", "b": "33.333333333333", "c": "33.333333333333"}


def test_a_pool_is_shared_out_by_what_its_driver_measured() -> None:
    # 700 of 1,000 requests -> 84, 300 -> 36
    rows = [booked("", "120", DATABASE), booked("search", "5"), booked("ads", "7")]
    found = allocate(
        [pool(rule="proportional", driver=REQUESTS)], rows, [used("search", "700"), used("ads", "300")]
    )
    assert shares(found) == {"ads": "36", "search": "84"}
    ratio = found.ratios["database", "USD"]
    assert (dict(ratio.weights), ratio.whole) == (
        {Target("cost_centre", "ads"): 3, Target("cost_centre", "search"): 7},
        10,
    )
    assert [(row.value, row.amounts[2]) for row in found.direct] == [
        ("search", Decimal(5)),
        ("ads", Decimal(7)),
    ]


def test_a_cost_driver_counts_money_of_the_shared_currency_alone() -> None:
    # in USD 30 : 10 of 8 -> 6 and 2; that b spent 1,000 EUR weighs nothing there, and nobody spent GBP
    rows = [
        booked("", "8", DATABASE), booked("", "9", DATABASE, currency="GBP"), booked("a", "30", {}),
        booked("b", "10", {}), booked("b", "1000", {}, currency="EUR"),
    ]  # fmt: skip
    found = allocate([pool(rule="proportional", driver={"measure": "effective"})], rows, [])
    assert shares(found) == {"a": "6", "b": "2"}
    assert shares(found, "GBP") == {"": "9"}
    assert found.ratios["database", "GBP"].because == "the driver measured nothing"


def test_what_the_driver_measured_of_nobody_is_residual_and_not_spread() -> None:
    # 60 : 20 : 20 of 10; the last is of requests without a team, or of teams that were too many to name
    quantities = [used("a", "60"), used("", "15"), used("~other", "5"), used("b", "20")]
    rows = [booked("", "10", DATABASE)]
    found = allocate([pool(rule="proportional", driver=REQUESTS)], rows, quantities)
    assert shares(found) == {"a": "6", "b": "2", "": "2"}
    assert "without a cost centre" in found.ratios["database", "USD"].because
    among = allocate([pool(rule="proportional", driver=REQUESTS, among=("a", "b"))], rows, quantities)
    assert shares(among) == {"a": "7.5", "b": "2.5"}  # those who take part were named: 60 : 20


def test_a_driver_below_zero_weighs_nothing_and_is_said() -> None:
    rows = [booked("", "10", DATABASE), booked("a", "4", {}), booked("b", "-3", {})]
    found = allocate([pool(rule="proportional", driver={"measure": "effective"})], rows, [])
    assert shares(found) == {"a": "10"}
    assert found.ratios["database", "USD"].below_zero == ("b",)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"rule": "proportional", "driver": REQUESTS}, "the driver measured nothing"),
        ({"rule": "even"}, "nobody was active"),
    ],
)
def test_a_pool_without_a_base_is_residual_whole(terms: dict[str, Any], why: str) -> None:
    found = allocate([pool(**terms)], [booked("", "10", DATABASE)], [used("a", "0")])
    assert shares(found) == {"": "10"}
    assert found.ratios["database", "USD"].because == why


def test_fixed_parts_leave_a_residual_and_weighted_ones_none() -> None:
    rows = [booked("", "10", DATABASE)]
    fixed = allocate([pool(rule="fixed", weights={"a": 50, "b": 25})], rows, [])
    assert shares(fixed) == {"a": "5", "b": "2.5", "": "2.5"}
    finer = allocate([pool(rule="fixed", weights={"a": 125}, of=1000)], rows, [])
    assert shares(finer) == {"a": "1.25", "": "8.75"}
    weighted = allocate([pool(rule="weighted", weights={"a": 50, "b": 25})], rows, [])
    assert shares(weighted) == {"a": "6.666666666667", "b": "3.333333333333"}


def test_every_sum_is_shared_out_by_the_same_ratio() -> None:
    found = allocate([pool(rule="fixed", weights={"a": 25})], [booked("", "10", DATABASE)], [])
    assert shares(found, place=SUMS.index("list")) == {"a": "5", "": "15"}


def test_a_credit_is_shared_out_like_a_charge() -> None:
    found = allocate([pool(rule="even", among=("a", "b", "c"))], [booked("", "-1", DATABASE)], [])
    assert shares(found) == {"a": "-0.333333333334", "b": "-0.333333333333", "c": "-0.333333333333"}


def test_of_two_pools_that_take_the_same_the_first_has_it() -> None:
    pools = [
        pool("ours", TIED | DATABASE, rule="even", among=("a",)),
        pool("all of it", rule="even", among=("b",)),
    ]
    rows = [booked("", "3", TIED | DATABASE, DATABASE), booked("x", "4", DATABASE)]
    assert shares(allocate(pools, rows, [])) == {"a": "3", "b": "4"}


def test_a_pool_that_feeds_another_names_whose_cost_it_was() -> None:
    # cluster 100: 30 to search, 70 into gpu; gpu has 70 + 10 of its own, half each -> 40 ads, 40 search
    pools = [
        pool("gpu", {"sku": "gpu"}, rule="weighted", weights={"ads": 1, "search": 1}),
        pool("cluster", {"sku": "node"}, rule="fixed", weights={"search": 30}, pools={"gpu": 70}),
    ]
    rows = [booked("", "100", {"sku": "node"}, sku="node"), booked("", "10", {"sku": "gpu"}, sku="gpu")]
    found = allocate(pools, rows, [])
    assert shares(found) == {"search": "70", "ads": "40"}
    assert found.fed == {("gpu", "USD"): Decimal(70)}
    ways = {(s.target.name, s.pool, s.source): s.amounts[2] for s in found.shares}
    assert ways == {
        ("search", "cluster", "cluster"): 30, ("search", "gpu", "cluster"): 35, ("search", "gpu", "gpu"): 5,
        ("ads", "gpu", "cluster"): 35, ("ads", "gpu", "gpu"): 5,
    }  # fmt: skip


def test_what_names_nobody_and_no_pool_takes_stays_as_it_is() -> None:
    found = allocate([pool(rule="even")], [booked("", "3"), booked("a", "1")], [])
    assert [row.value for row in found.direct] == ["", "a"]
    assert not found.shares


def test_a_thousand_values_have_their_parts_to_the_last_digit() -> None:
    # 1 / 1000 each is exact; of 1e-12 more, the first by name has it
    names = [f"t{n:03}" for n in range(1000)]
    found = allocate([pool(rule="even", among=tuple(names))], [booked("", "1.000000000001", DATABASE)], [])
    assert shares(found) == dict.fromkeys(names, "0.001") | {"t000": "0.001000000001"}


def test_an_amount_finer_than_twelve_places_keeps_its_last_digit() -> None:
    # 1e-13 is one unit of its own last place: it cannot be cut, and the first has it
    found = allocate([pool(rule="even", among=("a", "b"))], [booked("", "0.0000000000001", DATABASE)], [])
    assert shares(found) == {"a": "0.0000000000001", "b": "0"}


def test_weights_are_the_smallest_whole_numbers_of_a_ratio() -> None:
    assert whole_weights({"a": Decimal("0.5"), "b": Decimal("1.25"), "c": Decimal("-2")}) == {
        "a": 2, "b": 5, "c": 0,
    }  # fmt: skip
    assert whole_weights({}) == {}


def _active(*values: str) -> list[BookedSum]:
    return [booked(value, "0") for value in values]


@given(
    units=st.integers(-(10**30), 10**30), weights=st.lists(st.integers(0, 10**18), min_size=1, max_size=60)
)
def test_parts_are_the_amount_and_none_is_a_unit_from_its_ratio(units: int, weights: list[int]) -> None:
    if not sum(weights):
        weights[0] = 1
    parts = shared_out(units, weights)
    assert sum(parts) == units
    assert shared_out(-units, weights) == [-part for part in parts]
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - units * weight) < sum(weights)
        assert weight or not part


VALUES = ("", "~other", "a", "b", "c")
SCOPES = ({"provider": "x"}, {"provider": "y"}, {"team": ""}, {})
AMOUNTS = st.decimals(-1000, 1000, places=15, allow_nan=False)
ROWS = st.builds(
    booked,
    st.sampled_from(VALUES),
    AMOUNTS.map(str),
    currency=st.sampled_from(("USD", "EUR")),
    sku=st.sampled_from(("m", "n")),
    events=st.integers(-1, 3),
).flatmap(
    lambda row: st.sets(st.sampled_from(range(4))).map(
        lambda places: row._replace(within=booked("", "0", *(SCOPES[n] for n in places), {}).within)
    )
)


@st.composite
def plans(draw: st.DrawFn) -> list[CostPool]:
    pools = []
    for place in range(draw(st.integers(0, 3))):
        rule = draw(st.sampled_from(("proportional", "even", "fixed", "weighted")))
        terms: dict[str, Any] = {"rule": rule}
        if rule == "proportional":
            measure = draw(st.sampled_from(("effective", "events", "requests")))
            terms["driver"] = {"measure": measure, "filter": draw(st.sampled_from(SCOPES))}
        elif rule == "even":
            terms["among"] = tuple(draw(st.sets(st.sampled_from("abcd"))))
        else:
            terms["weights"] = draw(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 24), min_size=1))
            if place:
                terms["pools"] = {f"p{draw(st.integers(0, place - 1))}": draw(st.integers(1, 4))}
        pools.append(pool(f"p{place}", SCOPES[place], **terms))
    return pools


@settings(max_examples=300, deadline=None)
@given(
    pools=plans(),
    rows=st.lists(ROWS, max_size=12),
    quantities=st.lists(
        st.builds(used, st.sampled_from(VALUES), st.decimals(0, 99, places=3).map(str)), max_size=6
    ),
)
def test_whatever_the_plan_everything_goes_out_once(
    pools: list[CostPool], rows: list[BookedSum], quantities: list[Any]
) -> None:
    found = allocate(pools, rows, quantities)
    for currency in ("USD", "EUR"):
        for place in range(len(SUMS)):
            was = total(row.amounts[place] for row in rows if row.line.currency == currency)
            direct = total(row.amounts[place] for row in found.direct if row.line.currency == currency)
            handed = total(share.amounts[place] for share in found.shares if share.line.currency == currency)
            assert direct + handed == was
    for ratio in found.ratios.values():
        assert sum(ratio.weights.values()) == ratio.whole > 0
        assert (RESIDUAL in ratio.weights) == bool(ratio.because)
    assert all(share.target.kind != "pool" and share.target.name != "~other" for share in found.shares)


@given(pools=plans(), rows=st.lists(ROWS, max_size=12))
@settings(max_examples=100, deadline=None)
def test_lines_of_a_cost_centre_are_its_shares_to_the_last_digit(
    pools: list[CostPool], rows: list[BookedSum]
) -> None:
    def of_a(found: Any) -> dict[Any, list[Decimal]]:
        sums: dict[Any, list[Decimal]] = {}
        for share in found.shares:
            if share.target == Target("cost_centre", "a"):
                key = share.pool, share.source, share.line.currency
                before = sums.get(key, [Decimal(0)] * len(SUMS))
                sums[key] = [total(pair) for pair in zip(before, share.amounts, strict=True)]
        return sums

    assert of_a(allocate(pools, rows, [], lines_of="a")) == of_a(allocate(pools, rows, []))


@given(pools=plans(), rows=st.lists(ROWS, max_size=8))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rows_changes_nothing(pools: list[CostPool], rows: list[BookedSum]) -> None:
    def said(found: Any) -> Any:
        return sorted((s.target, s.pool, s.source, s.line, s.amounts) for s in found.shares)

    assert said(allocate(pools, rows, [])) == said(allocate(pools, rows[::-1], []))
