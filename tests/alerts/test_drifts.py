"""The same work that became dearer is told with what moved; more work, other work and prices are not it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.alerts.cause.weighing import SpanUse
from services.alerts.incidents.incident import Incident
from services.alerts.levels.days import LevelDay, LevelDays
from services.alerts.levels.drifts import DriftLook, drifts_of
from services.alerts.levels.folding import causes_of
from services.alerts.levels.shifts import told_levels
from services.alerts.levels.splits import LevelUse, split_of
from services.alerts.levels.words import DriftWording
from spendmeter.contracts.alert_rules import default_rule

RULE = default_rule("drift")
BERLIN = ZoneInfo("Europe/Berlin")
LAST = date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
FLOW = ("workflow", "refund")


def calls(number: int, many: int, cost: str, tokens: int = 1000, cached: int = 0) -> list[LevelDay]:
    """So many days of so many calls, each of this cost and of so many input tokens, some of them cached."""
    amount = Decimal(cost) * many
    day = LevelDay(
        effective=amount,
        worth=amount,
        calls=many,
        input=Decimal(tokens * many),
        cached=Decimal(cached * many),
    )
    return [day] * number


def look_at(*parts: Sequence[LevelDay], told: Sequence[Any] = (), extra: int = 0) -> DriftLook:
    of = [day for part in parts for day in part]
    last = LAST + timedelta(days=extra)
    days = LevelDays(
        first=last - timedelta(days=len(of) - 1), number=len(of), by_scope={FLOW: dict(enumerate(of))}
    )
    dearer = [drift for drift in drifts_of(RULE, days, told_levels(told)) if drift is not None]
    return DriftLook(
        tenant="acme", now=NOW + timedelta(days=extra), zone=BERLIN, currency="USD", rule=RULE, days=days,
        causes=causes_of(dearer, Decimal(0)), wording=DriftWording(zone=BERLIN),
    )  # fmt: skip


def test_a_tokenizer_that_counts_a_third_more_is_told_with_tokens_and_cost() -> None:
    """500 calls a day: 1,350 tokens where it were 1,000, and 0.0135 where it were 0.01: 1.75 a day more."""
    [incident] = look_at(calls(30, 500, "0.01"), calls(4, 500, "0.0135", 1350)).proposals([])
    assert (incident.kind, incident.scope, incident.severity) == ("drift", {"workflow": "refund"}, "warning")
    assert [incident.amount, incident.expected] == [27, 20]
    assert incident.title == "workflow refund costs 0.0135 USD a call, usually 0.0100"
    assert incident.summary == (
        "acme: the same work of workflow refund is dearer since 2026-11-19 (Europe/Berlin): a call costs 0.0135 "
        "USD (before 0.0100), it takes 1,350 tokens (before 1,000); the number of calls is about the same, and "
        "prices are not in it. That is 1.75 USD a day more. By the end of 2026-11-22 it has spent 27.00 USD since "
        "2026-11-19 (Europe/Berlin), 20.00 USD expected."
    )


def test_a_cache_that_is_missed_is_told_by_its_share() -> None:
    """Of 1,000 tokens 800 were cached, now 300 are: 80 % and 30 %; a call costs half again as much."""
    [incident] = look_at(calls(30, 500, "0.01", cached=800), calls(4, 500, "0.015", cached=300)).proposals([])
    assert "30 % of the input is from the cache (before 80 %)" in incident.summary


def test_more_work_is_no_drift() -> None:
    """Twice as many calls at 1.35 times the cost may be other work."""
    assert look_at(calls(30, 500, "0.01"), calls(4, 1000, "0.0135", 1350)).proposals([]) == []
    assert look_at(calls(30, 500, "0.01"), calls(4, 1000, "0.01")).proposals([]) == []


def test_little_work_little_money_and_little_more_are_not_told() -> None:
    assert look_at(calls(30, 100, "0.1"), calls(4, 100, "0.2")).proposals([]) == []  # 200 calls a day
    assert look_at(calls(30, 500, "0.001"), calls(4, 500, "0.002")).proposals([]) == []  # half a dollar a day
    assert look_at(calls(30, 500, "0.1"), calls(4, 500, "0.12")).proposals([]) == []  # 1.2 times


def test_what_is_known_is_not_told_again_and_a_shift_of_it_counts_as_known() -> None:
    dearer = (calls(30, 500, "0.01"), calls(4, 500, "0.0135", 1350))
    [incident] = look_at(*dearer).proposals([])
    row = {name: getattr(incident, name) for name in ("kind", "state", "scope", "details", "opened_at")}
    assert look_at(*dearer, told=[row]).proposals([]) == []
    assert look_at(*dearer, told=[row | {"kind": "shift", "state": "resolved"}]).proposals([]) == []


def later(*parts: Sequence[LevelDay], extra: int) -> tuple[Incident, DriftLook]:
    dearer = (calls(30, 500, "0.01"), calls(4, 500, "0.0135", 1350))
    [incident] = look_at(*dearer).proposals([])
    return incident, look_at(*dearer, *parts, extra=extra)


def test_it_ends_when_calls_cost_what_they_did_whatever_their_number() -> None:
    incident, look = later(calls(2, 100, "0.01"), extra=2)
    assert look.ending(incident) == "it is back at its usual level"
    incident, look = later(calls(2, 100, "0.0135", 1350), extra=2)
    assert look.ending(incident) == ""
    renewed = look.renewed(incident)
    assert [renewed.amount, renewed.expected] == [Decimal("29.7"), 22]
    assert look.ending(replace(incident, state="acknowledged")) == "somebody has seen it: it is the new level"


def used(now: bool, events: int, amount: str, tokens: int, cached: int = 0) -> LevelUse:
    quantities = {"input_tokens": Decimal(tokens - cached), "cache_read_tokens": Decimal(cached)}
    return LevelUse(
        ("openai", "gpt-4o"),
        now,
        SpanUse(
            amount=Decimal(amount), provisional=Decimal(0), events=Decimal(events), unpriced_events=0,
            quantities=quantities,
        ),
    )  # fmt: skip


def test_the_parts_of_why_it_costs_more_sum_to_the_change() -> None:
    """28 days of 100 calls with 1,000 tokens each came to 28, and 10 are expected of ten such days; in ten days 100
    calls a day took 1,500 tokens: 15, 5 of it by tokens. Then the price doubles: 15 more, by the price."""
    prices = {("openai", "gpt-4o"): {"input_tokens": Decimal("0.00001")}}
    dearer = {("openai", "gpt-4o"): {"input_tokens": Decimal("0.00002")}}
    uses = [used(False, 2800, "28", 2_800_000), used(True, 1000, "15", 1_500_000)]
    split = split_of(uses, Decimal(10), Decimal(28), prices, prices)
    assert split["change"] == "5"
    assert Decimal(split["tokens_per_call"]) == 5
    uses[1] = used(True, 1000, "30", 1_500_000)
    split = split_of(uses, Decimal(10), Decimal(28), prices, dearer)
    assert [split["change"], split["price"]] == ["20", "15"]
