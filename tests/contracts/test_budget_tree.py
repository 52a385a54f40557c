"""Budgets within budgets: by their filters, and what is promised of each; templates, and what cannot be
one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendmeter.contracts.budget_templates import template_trouble
from spendmeter.contracts.budget_tree import Allocation, BudgetTree, TreeBudget, lies_within


def node(
    id: str, amount: str = "100", period: str = "month", currency: str = "USD", each: str = "", **scope: str
):
    return TreeBudget(id, scope, currency, (period, None, None, None), Decimal(amount), each)


ALL = node("all", "1000")
SEARCH = node("search", "300", team="search")
RANKER = node("ranker", "200", team="search", agent="ranker")
ADS = node("ads", "250", team="ads")
GPT = node("gpt", "400", sku="gpt-4o")
TREE = [ALL, SEARCH, RANKER, ADS, GPT]


def test_a_budget_lies_within_those_that_name_less_and_nothing_else() -> None:
    assert [each.id for each in TREE if lies_within(RANKER, each)] == ["all", "search"]
    assert [each.id for each in TREE if lies_within(SEARCH, each)] == ["all"]
    assert not lies_within(ALL, ALL)
    assert not lies_within(SEARCH, node("eur", currency="EUR"))


def test_its_parents_are_those_right_above_it() -> None:
    assert [each.id for each in BudgetTree(TREE).parents(RANKER)] == ["search"]
    assert [each.id for each in BudgetTree(TREE).parents(SEARCH)] == ["all"]
    assert BudgetTree(TREE).parents(ALL) == []
    both = node("both", team="search", sku="gpt-4o")  # two ways up
    assert [each.id for each in BudgetTree(TREE).parents(both)] == ["search", "gpt"]


def test_the_same_for_a_longer_time_is_above_it() -> None:
    day = node("day", "20", "day", team="search")
    assert [each.id for each in BudgetTree(TREE).parents(day)] == ["search"]
    assert not lies_within(SEARCH, day)


def test_what_is_promised_is_the_sum_of_those_right_below_it() -> None:
    # 300 + 250 + 400: the ranker's 200 are part of search's 300. Money of search on gpt-4o counts in two.
    assert BudgetTree(TREE).allocation(ALL) == Allocation(3, Decimal(950), overlap=True)
    assert BudgetTree([ALL, SEARCH, ADS, RANKER]).allocation(ALL) == Allocation(
        2, Decimal(550), overlap=False
    )
    assert BudgetTree(TREE).allocation(SEARCH) == Allocation(1, Decimal(200), overlap=False)
    assert BudgetTree(TREE).allocation(RANKER) is None


def test_budgets_of_another_time_and_templates_promise_nothing() -> None:
    others = [node("day", "20", "day", team="search"), node("each", "5", each="agent")]
    assert BudgetTree([ALL, *others]).allocation(ALL) is None
    assert [each.id for each in BudgetTree(TREE).parents(others[1])] == ["all"]
    assert not lies_within(SEARCH, others[1])


@pytest.mark.parametrize(
    ("each", "scope", "period", "more", "field"),
    [
        ("", {"team": "search"}, "rolling", {"hard": True}, None),
        ("agent", {"team": "search"}, "day", {}, None),
        ("tier", {}, "day", {}, None),  # the tenant's own
        ("run", {"workflow": "refund"}, "week", {}, None),
        ("user", {}, "month", {}, None),
        ("agnet", {}, "day", {}, "each"),
        ("agent", {"agent": "ranker"}, "day", {}, "each"),
        ("agent", {}, "day", {"hard": True}, "hard"),
        ("agent", {}, "day", {"forecast": True}, "forecast_thresholds_percent"),
        ("agent", {}, "rolling", {}, "period"),
        ("run", {"team": "search"}, "week", {}, "filter"),
        ("run", {}, "custom", {}, "period"),
        ("user", {}, "day", {}, "period"),  # the name that a user has ends with the month
        ("user", {"team": "search"}, "month", {}, "filter"),
    ],
)
def test_a_template_that_cannot_be_says_which_field_and_why(each, scope, period, more, field) -> None:
    asked = {"hard": False, "forecast": False} | more
    found = template_trouble(each, scope, period, known=["agent", "key_id", "team", "tier"], **asked)
    assert (found and found[0]) == field
    assert found is None or len(found[1]) > 20


def test_hundreds_of_budgets_are_looked_up_and_those_of_many_dimensions_too() -> None:
    teams = [node(f"t{number}", "1", team=f"t{number}") for number in range(400)]
    names = {f"own{number}": "x" for number in range(12)}  # 4,096 parts of this filter
    deep = node("deep", "1", team="t7", **names)
    tree = BudgetTree([ALL, *teams, deep])
    assert tree.allocation(ALL) == Allocation(400, Decimal(400), overlap=False)
    assert [each.id for each in tree.parents(deep)] == ["t7"]
