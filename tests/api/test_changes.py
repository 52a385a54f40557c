"""What changed, without a database: each thing alone shows alone, worked out by hand, and the parts sum to the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from services.api.changes.contributors import changes_of, row_of, top_of
from services.api.changes.models import PartName, WithinName
from services.api.changes.uses import PARTS, SERVED, USE, ChangeParts, Compared, UnitWorth, compared
from services.api.spend.closed import GroupKey, GroupSum
from spendmeter.contracts.money import EXACT, ZERO, total

DIMENSIONS = (*USE, *SERVED)
AT = datetime(2026, 11, 23, tzinfo=UTC)
PRICES = {"input_tokens": "0.003", "cache_read_tokens": "0.0003", "output_tokens": "0.015"}
Side = dict[GroupKey, GroupSum]


def key(sku: str, *, team: str = "a", cost_class: str = "model", currency: str = "USD") -> GroupKey:
    return currency, (cost_class, team, "", "", "", "", "", "vendor", sku)


def used(
    events: int, amount: str, *, listed: str = "", unpriced: int = 0, bound: str = "0", **usage: Any
) -> GroupSum:
    sums = {
        "events": events, "unpriced_events": unpriced, "list": Decimal(listed or amount),
        "contracted": Decimal(amount), "effective": Decimal(amount), "of_which_provisional": Decimal(bound),
    }  # fmt: skip
    return GroupSum(AT, sums, {unit: Decimal(str(quantity)) for unit, quantity in usage.items()})


def calls(events: int, prices: Mapping[str, str] = PRICES, **usage: int) -> GroupSum:
    """Each unit at its price."""
    amount = total(
        EXACT.multiply(Decimal(quantity), Decimal(prices[unit])) for unit, quantity in usage.items()
    )
    return used(events, f"{amount:f}", **usage)


def at(prices: Mapping[str, str], *skus: str) -> UnitWorth:
    of_unit = {unit: Decimal(price) for unit, price in prices.items()}
    return {("USD", "vendor", sku): of_unit for sku in skus}


BOOK = at(PRICES, "large", "small")


def split(
    before: Side, now: Side, *, prices: UnitWorth = BOOK, days: tuple[int, int] = (7, 7)
) -> dict[GroupKey, Compared]:
    lengths = Decimal(days[0]), Decimal(days[1])
    return compared(DIMENSIONS, (before, now), (prices, prices), lengths)


def parts(groups: Mapping[GroupKey, Compared]) -> dict[str, str]:
    """Of all of them: those that are not 0."""
    sums = {
        name: total(getattr(each.parts, name) for each in groups.values()) for name in ChangeParts._fields
    }
    return {name: f"{value.normalize():f}" for name, value in sums.items() if value}


# 100 calls of 1,000 input tokens, of which 900 read from the cache, and of 200 output tokens:
# 10,000 x 0.003 + 90,000 x 0.0003 + 20,000 x 0.015 = 30 + 27 + 300 = 357.
USUAL = calls(100, input_tokens=10_000, cache_read_tokens=90_000, output_tokens=20_000)


def test_a_cache_that_is_hit_half_as_often_is_cache_alone() -> None:
    # 45,000 tokens cost 0.003 instead of 0.0003 each: 135 - 13.5.
    half = calls(100, input_tokens=55_000, cache_read_tokens=45_000, output_tokens=20_000)
    assert parts(split({key("large"): USUAL}, {key("large"): half})) == {"cache": "121.5"}


def test_a_price_cut_is_price_alone() -> None:
    # All prices halved: 357 / 2. The list price says so too: no part of it is an agreed one.
    cut = used(100, "178.5", **USUAL.usage)
    assert parts(split({key("large"): USUAL}, {key("large"): cut})) == {"price": "-178.5"}


def test_a_discount_is_price_and_says_that_it_is_agreed() -> None:
    # The list price stays at 357, and 10 % less is paid.
    less = used(100, "321.3", listed="357", **USUAL.usage)
    assert parts(split({key("large"): USUAL}, {key("large"): less})) == {
        "price": "-35.7",
        "of_price_agreed": "-35.7",
    }


def test_a_model_swapped_for_another_is_mix_and_no_volume() -> None:
    # 100 calls at 3.57 each go to one at 0.357.
    small = used(100, "35.7", **USUAL.usage)
    found = split({key("large"): USUAL}, {key("small"): small})
    assert parts(found) == {"mix": "-321.3", "of_mix_new": "35.7", "of_mix_gone": "-357"}


def test_a_team_that_was_not_there_is_new_and_one_that_left_is_gone() -> None:
    found = split({key("large", team="a"): USUAL}, {key("large", team="b"): USUAL})
    assert parts(found) == {"new": "357", "gone": "-357"}


def test_where_nothing_was_all_is_new() -> None:
    assert parts(split({}, {key("large"): USUAL})) == {"new": "357"}
    assert parts(split({key("large"): USUAL}, {})) == {"gone": "-357"}


def test_what_terms_of_a_period_change_is_no_use_that_is_new_or_gone() -> None:
    """A true-up is of no event: 10.45 that an allowance gives back."""
    true_up = key("true-up", team="")
    given_back = {true_up: used(0, "-10.45")}
    assert parts(split({}, given_back)) == {"unsplit": "-10.45"}
    assert parts(split(given_back, {})) == {"unsplit": "10.45"}


def test_a_shift_between_teams_is_volume_of_each_and_no_mix() -> None:
    # Team a calls half as often (-178.5), b, whose calls cost a tenth, twice as often (+35.7): nobody changed its model.
    before = {key("large", team="a"): USUAL, key("small", team="b"): used(100, "35.7", **USUAL.usage)}
    now = {
        key("large", team="a"): calls(50, input_tokens=5_000, cache_read_tokens=45_000, output_tokens=10_000),
        key("small", team="b"): used(
            200, "71.4", input_tokens=20_000, cache_read_tokens=180_000, output_tokens=40_000
        ),
    }
    assert parts(split(before, now)) == {"volume": "-142.8"}


def test_a_longer_period_is_days_and_only_what_is_beyond_them_volume() -> None:
    # 28 days at 357, then 31 with 124 calls: 100 x 31 / 28 would be 110.71: 357 x 3 / 28 = 38.25, 357 x 24 / 100 = 85.68.
    more = calls(124, input_tokens=12_400, cache_read_tokens=111_600, output_tokens=24_800)
    found = split({key("large"): USUAL}, {key("large"): more}, days=(31, 28))
    assert parts(found) == {"days": "38.25", "volume": "47.43"}


def test_what_has_no_price_is_in_no_part_but_in_what_cannot_be_split() -> None:
    # The model gets its price: before, nobody knew what it cost.
    unknown = used(100, "0", unpriced=100, **USUAL.usage)
    assert parts(split({key("large"): unknown}, {key("large"): USUAL})) == {"unsplit": "357"}
    assert parts(split({key("large"): USUAL}, {key("large"): unknown})) == {"unsplit": "-357"}


def test_calls_that_go_to_a_model_without_a_price_have_not_stopped() -> None:
    # All go there: no volume. What it is bounded by is told apart from what the other one cost.
    bound = used(100, "80", bound="80", **USUAL.usage)
    found = split({key("large"): USUAL}, {key("large"): used(0, "0"), key("unknown"): bound})
    assert parts(found) == {"mix": "-357", "of_mix_gone": "-357", "unsplit": "80"}


def test_one_call_without_a_price_in_a_thousand_hides_nothing() -> None:
    nearly = used(
        2000, "7140", unpriced=1, input_tokens=200_000, cache_read_tokens=1_800_000, output_tokens=400_000
    )
    assert parts(split({key("large"): USUAL}, {key("large"): nearly})) == {"volume": "6783"}


def test_hours_are_volume_themselves_however_often_they_are_told() -> None:
    # 10 GPU hours in 10 events, then 20 in 1,200: 10 more hours at 2.50, and no event counts.
    before = {key("h100", cost_class="compute"): used(10, "25", gpu_hours=10)}
    now = {key("h100", cost_class="compute"): used(1200, "50", gpu_hours=20)}
    assert parts(split(before, now)) == {"volume": "25"}


def test_hours_of_another_machine_are_mix_and_another_unit_is_new() -> None:
    # 10 hours at 2.50 become 10 at 4.00; storage was not there.
    before = {key("h100", cost_class="compute"): used(10, "25", gpu_hours=10)}
    now = {
        key("h200", cost_class="compute"): used(10, "40", gpu_hours=10),
        key("disk", cost_class="storage"): used(1, "3", gb_months=30),
    }
    assert parts(split(before, now)) == {"mix": "15", "of_mix_new": "40", "of_mix_gone": "-25", "new": "3"}


def test_an_hour_that_costs_more_is_price() -> None:
    # 40 hours of people at 80, then at 90.
    before = {key("support", cost_class="labour"): used(5, "3200", labour_hours=40)}
    now = {key("support", cost_class="labour"): used(8, "3600", labour_hours=40)}
    assert parts(split(before, now)) == {"price": "400"}


def test_a_bill_without_quantities_is_not_split_and_a_credit_is_no_volume() -> None:
    before = {key("rds", cost_class="database"): used(30, "1000")}
    now = {
        key("rds", cost_class="database"): used(31, "1180")
    }  # 1,200, and a credit of 20 in a row of its own
    assert parts(split(before, now)) == {"unsplit": "180"}


def test_calls_of_which_only_the_whole_cost_is_known_are_split_by_calls_alone() -> None:
    # Reported: 100 calls for 10, 200 for 30; that each costs half as much again has no known reason.
    before, now = (
        used(100, "10", input_tokens=100, output_tokens=10),
        used(200, "30", input_tokens=900, output_tokens=1),
    )
    found = split({key("own"): before}, {key("own"): now}, prices={})
    assert parts(found) == {"volume": "10", "unsplit": "10"}


def test_a_price_of_before_is_of_use_where_a_unit_is_new() -> None:
    # Searches came in, 5 at 0.01: larger calls.
    prices = at({"output_tokens": "0.015", "searches": "0.01"}, "large")
    before, now = used(1, "15", output_tokens=1_000), used(1, "15.05", output_tokens=1_000, searches=5)
    assert parts(split({key("large"): before}, {key("large"): now}, prices=prices)) == {
        "tokens_per_call": "0.05"
    }


def test_currencies_are_never_held_against_each_other() -> None:
    found = split({key("large"): USUAL}, {key("large", currency="EUR"): USUAL})
    changes = changes_of(DIMENSIONS, found, ())
    assert [(each.currency, row_of(each, ())["change"]) for each in sorted(changes, key=lambda each: each.currency)] == [
        ("EUR", "357"), ("USD", "-357"),
    ]  # fmt: skip


def test_contributors_add_up_to_the_whole_part_by_part_and_the_rest_is_one_row() -> None:
    before = {key("large", team=team): USUAL for team in "abcd"}
    now = {
        key("large", team="a"): calls(
            200, input_tokens=20_000, cache_read_tokens=180_000, output_tokens=40_000
        )
    } | {key("large", team=team): USUAL for team in "bce"}
    groups = split(before, now)
    (whole,) = changes_of(DIMENSIONS, groups, ())
    named, others = top_of(changes_of(DIMENSIONS, groups, ("team",)), 2)
    assert [each.values for each in named] == [("a",), ("d",)] or [each.values for each in named] == [
        ("a",),
        ("e",),
    ]
    assert others is not None
    rows = [row_of(each, ("team",), whole) for each in (*named, others)]
    assert rows[0]["parts"]["volume"] == "357"
    assert (rows[0]["share"], rows[0]["change_percent"], rows[2]["team"], rows[2]["others"]) == (
        "1",
        "100",
        None,
        3,
    )
    for name in PARTS:
        assert total(Decimal(row["parts"][name]) for row in rows) == whole.parts[name]


COUNTS = st.integers(0, 10**6)
AMOUNTS = st.decimals(-(10**4), 10**6, places=12)
USAGES = st.dictionaries(
    st.sampled_from(["input_tokens", "cache_read_tokens", "output_tokens", "requests", "gpu_hours"]), COUNTS
)
GROUPS = st.builds(
    lambda events, amount, unpriced, bound, usage: used(events, f"{amount:f}", unpriced=unpriced, bound=bound, **usage),
    COUNTS, AMOUNTS, st.sampled_from([0, 0, 0, 7]), st.sampled_from(["0", "0", "3"]), USAGES,
)  # fmt: skip
KEYS = st.builds(
    key, st.sampled_from(["large", "small", "own"]), team=st.sampled_from("ab"),
    cost_class=st.sampled_from(["model", "compute"]), currency=st.sampled_from(["USD", "EUR"]),
)  # fmt: skip
SIDES = st.dictionaries(KEYS, GROUPS, max_size=6)
PRICED = st.dictionaries(
    st.builds(
        key,
        st.sampled_from(["large", "small"]),
        team=st.sampled_from("ab"),
        cost_class=st.sampled_from(["model", "compute"]),
    ),
    st.builds(calls, st.integers(1, 1000), input_tokens=st.integers(1, 10**6), output_tokens=COUNTS),
)
DAYS = st.tuples(st.integers(1, 31), st.integers(1, 31))


@given(SIDES, SIDES, DAYS)
def test_the_parts_of_each_group_sum_to_its_change_whatever_was_used(
    before: Side, now: Side, days: tuple[int, int]
) -> None:
    found = split(before, now, days=days)
    assert found.keys() == {*before, *now}
    for each, of in found.items():
        change = EXACT.subtract(
            now[each].sums["effective"] if each in now else ZERO,
            before[each].sums["effective"] if each in before else ZERO,
        )
        assert total(getattr(of.parts, name) for name in PARTS) == change


@given(SIDES)
def test_nothing_that_changed_is_no_part(side: Side) -> None:
    assert parts(split(side, side)) == {}


@given(SIDES, SIDES)
def test_periods_that_are_swapped_swap_what_is_new_and_gone_and_turn_the_rest_around(
    before: Side, now: Side
) -> None:
    there, back = parts(split(before, now)), parts(split(now, before))
    minus = {name: f"{EXACT.minus(Decimal(amount)).normalize():f}" for name, amount in back.items()}
    assert there.get("new") == minus.get("gone")
    assert there.get("gone") == minus.get("new")


@given(PRICED, st.integers(2, 9))
def test_more_of_everything_is_volume_alone(side: Side, factor: int) -> None:
    more = {
        each: used(
            of.sums["events"] * factor,
            f"{of.sums['effective'] * factor:f}",
            **{unit: q * factor for unit, q in of.usage.items()},
        )
        for each, of in side.items()
    }
    assert parts(split(side, more)).keys() <= {"volume"}


@given(PRICED, st.decimals("0.1", 9, places=2))
def test_other_prices_are_price_alone(side: Side, factor: Decimal) -> None:
    dearer = {
        each: used(of.sums["events"], f"{of.sums['effective'] * factor:f}", **of.usage)
        for each, of in side.items()
    }
    assert parts(split(side, dearer)).keys() <= {"price"}


def test_every_part_has_a_name_in_the_answer() -> None:
    assert (*get_args(PartName), *get_args(WithinName)) == ChangeParts._fields
