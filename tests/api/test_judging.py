"""How good a rule is, by what people made of its incidents: worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.api.rules.judging import JudgedIncident, precision_of, proposal_of, record_of
from spendmeter.contracts.alert_rules import default_rule

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BURST = default_rule("burst")


def judged(
    money: str,
    says: Literal["expected", "false_alarm"] | None = None,
    *,
    after_s: int | None = None,
    days_ago: int = 1,
    told: bool = True,
    repeats: int = 0,
) -> JudgedIncident:
    at = NOW - timedelta(days=days_ago)
    acknowledged_at = None if after_s is None else at + timedelta(seconds=after_s)
    return JudgedIncident(
        opened_at=at, repeats=repeats, told=told, currency="USD", money=Decimal(money),
        acknowledged_at=acknowledged_at, says=says,
    )  # fmt: skip


def test_a_record_counts_what_was_told_and_how_soon_somebody_had_it_in_hand() -> None:
    """Four were told in 30 days, 4 / 30 = 0.13 a day; 60, 120 and 600 s to acknowledge; the fifth is older."""
    incidents = [
        judged("10", after_s=60),
        judged("20", "expected", after_s=600, repeats=2),
        judged("5", "false_alarm", after_s=120),
        judged("2.5"),
        judged("100", told=False),
        judged("1000", days_ago=40),
    ]
    month, quarter = record_of(incidents, 30, NOW), record_of(incidents, 90, NOW)
    assert (month.incidents, month.per_day, month.kept) == (4, Decimal("0.13"), 1)
    assert (month.acknowledged, month.acknowledged_after_s, month.repeats) == (3, 120, 2)
    assert (month.expected, month.false_alarm, month.without_feedback) == (1, 1, 2)
    assert month.money == {"USD": Decimal("37.5")}
    assert month.precision is None  # three were judged
    assert (quarter.incidents, quarter.money) == (5, {"USD": Decimal("1037.5")})


def test_precision_is_of_those_that_somebody_looked_at_and_of_few_it_is_not_said() -> None:
    """Two were taken in hand, three were for nothing, and nobody looked at ten: 2 / 5."""
    worth = [judged("9", after_s=30), judged("9", after_s=30)]
    noise = [judged("1", "false_alarm"), judged("1", "expected", after_s=5), judged("1", "expected")]
    unseen = [judged("1")] * 10
    assert precision_of(worth + noise + unseen) == Decimal("0.4")
    assert precision_of(worth + noise[:2] + unseen) is None


def test_a_rule_that_is_often_wrong_is_proposed_the_gate_below_which_most_of_its_noise_lies() -> None:
    """Of ten for nothing eight cost at most 12.34, which is 13 in two digits; 400 was worth it and stays."""
    noise = [judged(amount, "false_alarm") for amount in "2 3 4 5 6 7 8 12.34 90 95".split()]
    proposal = proposal_of(BURST, [*noise, judged("400", after_s=60)], "USD")
    assert proposal is not None
    assert (proposal.setting, proposal.now, proposal.value) == ("amount_min", 1, 13)
    assert (proposal.noise, proposal.spares, proposal.keeps) == (10, 8, 1)


def test_a_proposal_keeps_what_was_worth_telling() -> None:
    """The cheapest that was worth it cost 6.78: the gate is 6.7, which spares five of ten."""
    noise = [judged(amount, "false_alarm") for amount in "2 3 4 5 6 7 8 12.34 90 95".split()]
    proposal = proposal_of(BURST, [*noise, judged("6.78", after_s=60)], "USD")
    assert proposal is not None
    assert (proposal.value, proposal.spares, proposal.keeps) == (Decimal("6.7"), 5, 1)


def test_nothing_is_proposed_where_a_rule_is_right_or_no_gate_tells_or_it_is_as_high_already() -> None:
    noise = [judged("20", "expected")] * 6
    assert proposal_of(BURST, [judged("20", after_s=9)] * 6 + noise, "USD") is None
    assert proposal_of(BURST, [*noise, judged("0.5", after_s=9)], "USD") is None
    assert proposal_of(replace(BURST, changed={"amount_min": "50"}), noise, "USD") is None
    assert proposal_of(BURST, noise, "EUR") is None
    assert proposal_of(default_rule("unbooked"), noise, "USD") is None
