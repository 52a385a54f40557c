"""The policy of a pull: what of other people's lists is approved without a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from spendmeter.contracts.catalog import CatalogEntry, Conditions, Model, Price, Withdrawal
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.pulled import NEW_MODELS_MAX, Pulled, PullPolicy
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from tests.pricing.entries import RECORDED, model, price

NOW = datetime(2026, 11, 26, tzinfo=UTC)
STANDING: list[CatalogEntry] = [
    model("gpt-7"), price("gpt-7", "input_tokens", "1"), price("gpt-7", "output_tokens", "4"),
    model("gpt-8"), price("gpt-8", "input_tokens", "3"), price("gpt-8", "output_tokens", "8"),
]  # fmt: skip
"""Of the family gpt; in the middle lie 2 and 6."""


def snapshot(*more: CatalogEntry) -> CatalogSnapshot:
    entries = {entry.id: entry for entry in (published(each, 1) for each in (*STANDING, *more))}
    return CatalogSnapshot(version=1, entries=entries, book=PriceBook(entries.values(), 1))


def listed(input: str = "2", output: str = "6", sku: str = "gpt-9", **said: Any) -> list[CatalogEntry]:
    return [
        model(sku),
        price(sku, "input_tokens", input, **said),
        price(sku, "output_tokens", output, **said),
    ]


def judge(
    first: Sequence[CatalogEntry],
    second: Sequence[CatalogEntry],
    *,
    standing: CatalogSnapshot | None = None,
    used: Sequence[tuple[str, str]] = (),
) -> Pulled:
    return PullPolicy(standing or snapshot(), used, {"a": first, "b": second}, NOW).judge("a")


def why_not(first: Sequence[CatalogEntry], second: Sequence[CatalogEntry], **more: Any) -> str:
    (found,) = judge(first, second, **more).models
    return found.why_not


def test_what_two_lists_say_alike_of_a_new_name_is_approved_by_its_bare_name() -> None:
    named = [model("gpt-9", "gpt-9-latest"), *listed()[1:]]
    found = judge(named, listed("2.02"))
    assert [(each.sku, each.second, each.why_not) for each in found.models] == [("gpt-9", "b", "")]
    (bare,) = [entry for entry in found.approved if isinstance(entry, Model)]
    assert (bare.sku, bare.aliases, bare.match) == ("gpt-9", (), ())
    assert {e.unit: e.price for e in found.approved if isinstance(e, Price)} == {
        "input_tokens": "2",
        "output_tokens": "6",
    }


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("0.66", "input_tokens: is 0.33 times the median of its family"),  # less than a third of 2
        ("0.67", ""),
        ("6", ""),
        ("6.01", "input_tokens: is 3 times the median of its family"),  # 3.005
        ("0", "input_tokens: costs 0"),
    ],
)
def test_a_third_to_three_times_the_median_of_the_family_is_allowed(amount: str, reason: str) -> None:
    assert why_not(listed(amount), listed(amount)) == reason


def test_of_a_family_that_is_priced_by_length_the_short_requests_are_compared() -> None:
    """In the middle of 2 and 4 lies 3; what costs 9.01 is over three times that, what is long may cost 6."""
    short, long = Conditions(context_max=200_000), Conditions(context_min=200_000)
    family = [
        entry
        for sku, amount in (("claude-7-opus", "2"), ("claude-8-opus", "4"))
        for entry in (
            model(sku),
            price(sku, "input_tokens", amount, when=short),
            price(sku, "input_tokens", str(2 * int(amount)), when=long),
        )
    ]

    def of(amount: str) -> str:
        new = [model("claude-9-opus"), price("claude-9-opus", "input_tokens", amount, when=short)]
        new.append(price("claude-9-opus", "input_tokens", "6", when=long))
        return why_not(new, new, standing=snapshot(*family))

    assert (of("3"), of("9.01")) == ("", "input_tokens: is 3 times the median of its family")


@pytest.mark.parametrize(
    ("other", "allowed"), [("2.02", True), ("1.98", True), ("2.03", False), ("1.97", False)]
)
def test_two_lists_agree_within_one_percent(other: str, allowed: bool) -> None:
    assert (why_not(listed(), listed(other)) == "") is allowed


BATCH, GONE = Conditions(batch=True), Conditions(effective_to=RECORDED)
OLD_NAME = identified(Withdrawal(entries=(STANDING[0].id,), source="t", recorded_at=RECORDED))


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (listed(), [], "no second list has it"),
        (listed(), [model("gpt-9")], "no second list has it"),
        ([*listed(), price("gpt-9", "input_tokens", "1", when=BATCH)], listed(), "b says otherwise: no input_tokens under these conditions"),
        (listed()[:2], listed(), "b says otherwise: it prices output_tokens too"),
        (listed(), [*listed(), price("gpt-9", "cached_tokens", "1")], "b says otherwise: it prices cached_tokens too"),
        (listed(), [*listed(), price("gpt-9", "cached_tokens", "1", when=BATCH)], ""),
        (listed(), [*listed(), price("gpt-9", "cached_tokens", "1", when=GONE)], ""),
        (listed(currency="EUR"), listed(currency="EUR"), "input_tokens: is in EUR"),
        (listed(minimum="1000000"), listed(), "input_tokens: has a least, a most, a fee a call or hours"),
        (listed(per_event=True), listed(), "input_tokens: has a least, a most, a fee a call or hours"),
        (listed(kind="contracted"), listed(), "input_tokens: is not everybody's list price"),
        ([*listed(), price("gpt-9", "searches", "1")], listed(), "searches: no family has a price to compare it with"),
        (listed(sku="ada-9"), listed(sku="ada-9"), "input_tokens: no family has a price to compare it with"),
        (listed(provider="nobody"), listed(provider="nobody"), "no provider nobody is known"),
    ],
)  # fmt: skip
def test_each_rule_keeps_a_model_for_a_person(
    first: list[CatalogEntry], second: list[CatalogEntry], reason: str
) -> None:
    first = [entry for entry in first if not isinstance(entry, Model) or entry.provider == first[1].provider]  # type: ignore[union-attr]
    assert why_not(first, second) == reason


def test_a_name_that_means_something_today_is_for_a_person() -> None:
    standing = snapshot(model("gpt-5", "gpt-9"), price("gpt-5", "input_tokens", "1"))
    assert why_not(listed(), listed(), standing=standing) == "its name means openai/gpt-5 today"


def test_what_was_taken_back_is_never_approved_again() -> None:
    gone = listed()
    back = identified(Withdrawal(entries=tuple(e.id for e in gone), source="t", recorded_at=RECORDED))
    assert judge(listed(), listed(), standing=snapshot(*gone, back)).models == []


@pytest.mark.parametrize(
    "claimed", [{"aliases": ("GPT-Nine",)}, {"match": ("*nine*",)}, {"match": ("*a*b*c*d*",)}]
)
def test_a_claim_to_a_name_that_usage_has_is_for_a_person(claimed: Any) -> None:
    greedy = identified(Model(provider="openai", sku="gpt-9", source="t", recorded_at=RECORDED, **claimed))
    used = [("openai", "gpt-nine"), ("openai", "gpt-9")]
    reason = "it claims the name gpt-nine, which usage has"
    assert why_not([greedy, *listed()[1:]], listed(), used=used) == reason


def test_more_new_models_than_a_vendor_ever_has_at_once_are_all_for_a_person() -> None:
    many = [entry for n in range(NEW_MODELS_MAX + 1) for entry in listed(sku=f"gpt-9.{n}")]
    found = judge(many, many)
    assert found.approved == []
    assert {each.why_not for each in found.models} == {"the list has more than 50 such models at once"}


def test_what_one_pull_approves_is_counted_over_all_its_lists() -> None:
    """30 of list a and 30 more of list b, each confirmed by c: a's are approved, and b's would make 60."""
    first, second = (
        [entry for n in range(at, at + 30) for entry in listed(sku=f"gpt-9.{n}")] for at in (0, 30)
    )
    policy = PullPolicy(snapshot(), (), {"a": first, "b": second, "c": [*first, *second]}, NOW)
    assert {each.why_not for each in policy.judge("a").models} == {""}
    found = policy.judge("b")
    assert found.approved == []
    assert {each.why_not for each in found.models} == {
        "with 30 of other lists there are more than 50 at once"
    }
