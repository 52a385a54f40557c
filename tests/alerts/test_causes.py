"""Which scope is named as the cause of an excess, and who holds it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.cause.contributors import contributors
from services.alerts.cause.leaves import Leaf, summed, telling
from services.alerts.cause.search import ExcessCause, find_causes
from spendmeter.contracts.money import total

DIMENSIONS = ("agent", "feature", "sku")


def leaves(raised: dict[tuple[str, ...], str], *, usual: str = "10") -> list[Leaf]:
    """Three agents, three features and three skus in all combinations, each at its usual cost, but for `raised`:
    by the values that a leaf has, some of them '*'."""
    found = []
    for values in product(("a1", "a2", "a3"), ("f1", "f2", "f3"), ("s1", "s2", "s3")):
        amount = next(
            (
                to
                for scope, to in raised.items()
                if all(want in {"*", value} for want, value in zip(scope, values, strict=True))
            ),
            usual,
        )
        found.append(Leaf(values, Decimal(amount), Decimal(usual)))
    return found


def scopes(causes: Iterable[ExcessCause]) -> list[dict[str, str]]:
    return [dict(cause.scope) for cause in causes]


def test_a_single_value_is_the_cause_where_all_of_it_rose() -> None:
    (cause,) = find_causes(leaves({("a1", "*", "*"): "30"}), DIMENSIONS)
    # Nine leaves of 30 instead of 10.
    assert (cause.scope, cause.actual, cause.expected, cause.excess) == ({"agent": "a1"}, 270, 90, 180)
    assert (cause.share, cause.narrowed) == (1, True)


def test_a_combination_is_the_cause_where_only_that_rose() -> None:
    (cause,) = find_causes(leaves({("a1", "*", "s2"): "30"}), DIMENSIONS)
    assert (cause.scope, cause.excess) == ({"agent": "a1", "sku": "s2"}, 60)


def test_three_values_are_a_cause_on_demand() -> None:
    risen = leaves({("a1", "f1", "s1"): "500"})
    assert scopes(find_causes(risen, DIMENSIONS, depth_max=3)) == [
        {"agent": "a1", "feature": "f1", "sku": "s1"}
    ]


def test_two_causes_are_two_and_the_larger_comes_first() -> None:
    both = find_causes(leaves({("a1", "*", "s2"): "40", ("*", "f3", "*"): "70"}), DIMENSIONS)
    # f3 has nine leaves, of which one is a1 with s2: 8 x 60 = 480 and 3 x 30 = 90 of 570.
    assert scopes(both) == [{"feature": "f3"}, {"agent": "a1", "sku": "s2"}]
    assert [cause.excess for cause in both] == [510, 60]


def test_two_combinations_within_one_value_are_not_that_value() -> None:
    # Two of the five skus of a1.
    usual = [
        Leaf((agent, feature, sku), Decimal(10), Decimal(10))
        for agent, feature, sku in product(("a1", "a2"), ("f1", "f2"), ("s1", "s2", "s3", "s4", "s5"))
    ]
    risen = {("a1", "s1"): Decimal(60), ("a1", "s2"): Decimal(50)}
    mixed = [Leaf(leaf.values, risen.get(leaf.values[::2], leaf.actual), leaf.expected) for leaf in usual]
    both = find_causes(mixed, DIMENSIONS)
    assert scopes(both) == [{"agent": "a1", "sku": "s1"}, {"agent": "a1", "sku": "s2"}]


def test_a_key_that_nobody_had_seen_is_found() -> None:
    unseen = [Leaf(("a9", "f1", sku), Decimal(50), Decimal(0)) for sku in ("s1", "s2")]
    (cause,) = find_causes(leaves({}) + unseen, DIMENSIONS)
    assert (cause.scope, cause.expected, cause.excess) == ({"agent": "a9"}, 0, 100)


def test_what_fell_beside_it_hides_no_cause() -> None:
    # Within f1 a1 rises by 60 (three leaves by 20) and a2 falls by 30: together 30, of which a1 holds twice.
    mixed = leaves({("a1", "f1", "*"): "30", ("a2", "f1", "*"): "0"})
    (cause,) = find_causes(mixed, DIMENSIONS)
    assert (cause.scope, cause.excess, cause.share) == ({"agent": "a1", "feature": "f1"}, 60, 2)


def test_where_falls_outweigh_a_cause_is_still_told_when_rises_are_asked_for() -> None:
    mixed = leaves({("a1", "*", "*"): "12", ("a2", "*", "*"): "0"})
    assert scopes(find_causes(mixed, DIMENSIONS, falls=False)) == [{"agent": "a1"}]
    assert scopes(find_causes(mixed, DIMENSIONS)) == [{"agent": "a2"}]


def test_of_two_names_of_the_same_money_the_more_telling_is_told() -> None:
    # An agent that alone has its feature and its sku.
    alone = [Leaf(("a9", "f9", "s9"), Decimal(90), Decimal(5))]
    for order in (("agent", "feature", "sku"), ("sku", "feature", "agent")):
        assert telling(["sku", "own", "agent", "feature"], order) == [*order, "own"]
        places = [DIMENSIONS.index(name) for name in order]
        turned = [
            Leaf(tuple(leaf.values[place] for place in places), leaf.actual, leaf.expected)
            for leaf in leaves({}) + alone
        ]
        assert list(find_causes(turned, order)[0].scope) == [order[0]]


def test_where_all_rose_alike_no_part_is_blamed() -> None:
    assert scopes(find_causes(leaves({("*", "*", "*"): "20"}), DIMENSIONS)) == [{}]


def test_the_missing_label_is_no_cause() -> None:
    unnamed = [Leaf(("", "f1", sku), Decimal(50), Decimal(10)) for sku in ("s1", "s2", "s3")]
    assert all("" not in cause.scope.values() for cause in find_causes(leaves({}) + unnamed, DIMENSIONS))


def test_without_the_steps_for_combinations_the_best_single_value_is_told_and_so_is_that() -> None:
    risen = leaves({("a1", "*", "s2"): "90"})
    (cause, *_) = find_causes(risen, DIMENSIONS, steps_max=27 * 4)
    assert (len(cause.scope), cause.narrowed) == (1, False)


def test_nothing_that_rose_has_no_cause() -> None:
    assert find_causes(leaves({}), DIMENSIONS) == []
    assert find_causes([], DIMENSIONS) == []


def test_contributors_hold_shares_of_the_excess_that_may_pass_one() -> None:
    mixed = leaves({("a1", "*", "*"): "30", ("a2", "*", "*"): "0"})
    first, second, third = contributors(mixed, DIMENSIONS, ["agent"])
    # 180 - 90 = 90 of excess.
    assert [(each.scope["agent"], each.excess, each.share) for each in (first, second, third)] == [
        ("a1", 180, 2), ("a3", 0, 0), ("a2", -90, -1),
    ]  # fmt: skip


def test_where_all_cost_just_what_was_expected_there_is_no_share() -> None:
    mixed = leaves({("a1", "*", "*"): "20", ("a2", "*", "*"): "0"})
    assert {each.share for each in contributors(mixed, DIMENSIONS, ["agent"])} == {None}


AMOUNTS = st.decimals(0, 10**6, places=12)
LEAVES = st.lists(st.builds(Leaf, st.tuples(*[st.sampled_from("abc")] * 3), AMOUNTS, AMOUNTS), max_size=30)


@given(LEAVES)
def test_contributors_sum_to_the_excess(found: list[Leaf]) -> None:
    every = contributors(found, DIMENSIONS, ["agent", "sku"], limit=9)
    assert total(each.excess for each in every) == summed(found).excess


@given(LEAVES)
def test_amounts_are_those_of_leaves_each_counted_once_in_any_order(found: list[Leaf]) -> None:
    causes = find_causes(found, DIMENSIONS)
    assert total(cause.actual for cause in causes) <= summed(found).actual
    assert causes == find_causes(found[::-1], DIMENSIONS)
