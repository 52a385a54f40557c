"""What explains an incident, as it is kept and read."""

from __future__ import annotations

import json
from decimal import Decimal

from services.alerts.cause.contributors import Contributor
from services.alerts.cause.explanation import Explanation
from services.alerts.cause.leaves import ScopeSums
from services.alerts.cause.search import ExcessCause
from services.alerts.incidents.causes import sentence_of_causes, sentence_of_split
from spendmeter.book.split import ChangeSplit
from spendmeter.contracts.money import ZERO


def cause(excess: str, share: str, *, narrowed: bool = True, **scope: str) -> ExcessCause:
    """Nothing was expected of it but 2."""
    held = Decimal(excess)
    return ExcessCause(
        scope=scope,
        actual=held + 2,
        expected=Decimal(2),
        excess=held,
        share=Decimal(share),
        narrowed=narrowed,
    )


def explanation(*causes: ExcessCause, **parts: str) -> Explanation:
    split = ChangeSplit(
        **{name: Decimal(parts.get(name, "0")) for name in ("volume", "mix", "tokens_per_call", "cache", "price", "unsplit")},
        of_mix_new=ZERO, of_mix_gone=ZERO,
    )  # fmt: skip
    return Explanation(
        whole=ScopeSums(actual=Decimal(26), expected=Decimal(8)),
        causes=causes,
        contributors=[
            Contributor(scope={"agent": "a"}, actual=Decimal(1), expected=Decimal(1), excess=ZERO, share=None)
        ],
        split=split,
    )


def named(dimension: str, value: str) -> str:
    return "crawler (k1)" if (dimension, value) == ("key_id", "k1") else value


def test_details_are_json_and_say_amounts_as_plain_text() -> None:
    details = explanation(
        cause("18", "1.000000000000", agent="a", sku="s1"), volume="2", price="16.50"
    ).details()
    assert details == json.loads(json.dumps(details))
    assert details["causes"] == [
        {"scope": {"agent": "a", "sku": "s1"}, "amount": "20", "expected": "2", "excess": "18", "share": "1"}
    ]
    assert details["contributors"][0]["share"] is None
    assert (details["excess"], details["narrowed"]) == ("18", True)
    assert details["split"] == {
        "volume": "2", "mix": "0", "tokens_per_call": "0", "cache": "0", "price": "16.5", "unsplit": "0", "change": "18.5",
    }  # fmt: skip


def test_causes_are_a_sentence_and_small_ones_are_left_out() -> None:
    told = explanation(
        cause("12", "0.65", key_id="k1", sku="s1"),
        cause("6", "0.33", agent="b"),
        cause("0.2", "0.01", agent="c"),
    )
    assert sentence_of_causes(told.details(), "USD", named) == (
        "Of its excess as it opened 65 % is key crawler (k1) on model s1 (14.00 USD, expected 2.00) and "
        "33 % is agent b (8.00 USD, expected 2.00)."
    )


def test_what_was_not_narrowed_says_so() -> None:
    told = explanation(cause("12", "0.65", narrowed=False, agent="b"))
    assert sentence_of_causes(told.details(), "USD", named).endswith("Combinations were not looked at.")


def test_where_everything_rose_nothing_is_named() -> None:
    assert sentence_of_causes(explanation(cause("18", "1")).details(), "USD", named) == ""
    assert sentence_of_causes({}, "USD", named) == ""


def test_parts_are_told_the_largest_first_and_sum_to_the_change() -> None:
    told = explanation(volume="10", cache="6", price="-2", tokens_per_call="0.05")
    # 14.05 in all; of that 0.05 is less than a hundredth.
    assert sentence_of_split(told.details(), "USD") == (
        "Why it cost 14.05 USD more by then: more calls (10.00), less from the cache (6.00), "
        "lower prices (-2.00) and the rest (0.0500)."
    )


def test_what_does_not_cost_more_needs_no_reason() -> None:
    assert sentence_of_split(explanation(volume="-1").details(), "USD") == ""
    assert sentence_of_split({}, "USD") == ""
