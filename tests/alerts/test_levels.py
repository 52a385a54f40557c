"""Days that lastingly cost more are told, once, with what they come to; chance, weekends and prices are not."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.alerts.incidents.incident import Incident, resolved
from services.alerts.levels.changes import LevelChange, changes_of
from services.alerts.levels.days import LevelDay, LevelDays
from services.alerts.levels.folding import causes_of
from services.alerts.levels.lasting import most_lasting
from services.alerts.levels.prices import PricedUse, ServedUnit, at_todays_prices
from services.alerts.levels.shifts import ShiftLook, causes_among, told_levels
from services.alerts.levels.words import ShiftWording
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.contracts.alert_rules import AlertRule, default_rule

RULE = default_rule("shift")
BERLIN = ZoneInfo("Europe/Berlin")
LAST = date(2026, 11, 22)
"""A Sunday."""
NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
AGENT, TEAM = ("agent", "a1"), ("team", "search")


def amounts(*parts: tuple[int, object]) -> list[Decimal]:
    """So many days of so much each."""
    return [Decimal(str(amount)) for number, amount in parts for _ in range(number)]


def week_by_week(weeks: int, work: object = 100, off: object = 20) -> list[Decimal]:
    return amounts((5, work), (2, off)) * weeks


def days_of(by_scope: Mapping[DetectorScope, Sequence[Decimal]], last: date = LAST) -> LevelDays:
    number = max(map(len, by_scope.values()))
    return LevelDays(
        first=last - timedelta(days=number - 1),
        number=number,
        by_scope={
            scope: {
                place: LevelDay(effective=amount, worth=amount, calls=100)
                for place, amount in enumerate(days, number - len(days))
            }
            for scope, days in by_scope.items()
        },
    )


def look_at(
    by_scope: Mapping[DetectorScope, Sequence[Decimal]],
    told: Sequence[Mapping[str, Any]] = (),
    *,
    last: date = LAST,
    rule: AlertRule = RULE,
) -> ShiftLook:
    days, levels = days_of(by_scope, last), told_levels(told)
    rose = [change for change in changes_of(rule, days, levels) if change is not None]
    return ShiftLook(
        tenant="acme", now=NOW + (last - LAST), zone=BERLIN, currency="USD", rule=rule, days=days,
        causes=causes_among(rose, days, levels), wording=ShiftWording(zone=BERLIN),
    )  # fmt: skip


def row_of(incident: Incident) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in ("kind", "state", "scope", "details", "opened_at")}


# How sure it is


def test_a_lasting_double_is_sure_after_three_days_of_a_weekly_rhythm() -> None:
    """Weeks of 5 x 100 and 2 x 20; then Friday 200 and a weekend of 40: 280 where 140 were expected."""
    days = [*week_by_week(5)[:-3], *amounts((1, 200), (2, 40))]
    held = most_lasting(days)
    assert held is not None
    assert held.days == 3
    assert [held.amount, held.expected] == [280, 140]
    assert held.chance < 1e-4
    assert held.goes_on
    assert not held.slow


def test_a_usual_day_is_the_mean_of_a_usual_week_whatever_days_are_looked_at() -> None:
    """540 in 7 days are 77.142857; twice as much, since two weekend days came to 80 for 40, is not believed: they
    are 20 a day more."""
    held = most_lasting([*week_by_week(5)[:-2], *amounts((2, 40))])
    assert held is not None
    assert held.usual_per_day == Decimal("77.142857142857")
    assert held.per_day == held.usual_per_day + 20


def test_one_dear_day_is_no_level() -> None:
    held = most_lasting([*amounts((40, 100)), *amounts((1, 900), (1, 101))])
    assert held is not None
    assert held.chance > 0.01


def test_what_is_over_again_does_not_go_on() -> None:
    held = most_lasting([*amounts((40, 100)), *amounts((6, 200), (1, 100))])
    assert held is not None
    assert not held.goes_on


def test_a_leak_of_three_percent_a_day_is_slow_and_sure() -> None:
    """1.03^20 = 1.81 after 20 days."""
    leak = [Decimal(f"{100 * 1.03**number:.2f}") for number in range(1, 21)]
    held = most_lasting([*week_by_week(5, 100, 100), *leak])
    assert held is not None
    assert held.slow
    assert held.goes_on
    assert held.chance < 1e-4


def test_less_than_two_weeks_say_nothing() -> None:
    assert most_lasting(amounts((13, 100), (2, 300))) is None
    assert most_lasting(amounts((14, 100), (2, 300))) is not None


def test_what_began_lately_has_no_usual_day() -> None:
    assert most_lasting(amounts((40, 0), (10, 100))) is None


@pytest.mark.parametrize("noise", [0.1, 0.4, 0.8])
def test_chance_alone_is_as_rare_as_it_says(noise: float) -> None:
    """300 scopes of nothing but noise, of days that resemble the day before: about 3 below 1 %, 15 at the most."""
    chance = random.Random(f"{noise}")
    seen = []
    for _ in range(300):
        days, memory = [], 0.0
        for number in range(56):
            memory = 0.3 * memory + math.sqrt(0.91) * chance.gauss(0, noise)
            days.append(Decimal(f"{(100 if number % 7 < 5 else 30) * math.exp(memory):.2f}"))
        held = most_lasting(days)
        assert held is not None
        seen.append(held.chance)
    assert sum(each < 0.01 for each in seen) <= 15
    assert sum(each < 1e-5 for each in seen) == 0


# What is told


def test_a_shift_is_told_with_a_day_now_a_usual_day_and_what_it_came_to() -> None:
    """28 days of 100 and then 5 of 250: 1,250 where 500 were expected, 2.5 times."""
    look = look_at({TENANT: amounts((30, 400), (5, 550)), AGENT: amounts((30, 100), (5, 250))})
    [incident] = look.proposals([])
    assert (incident.kind, incident.scope, incident.severity) == ("shift", {"agent": "a1"}, "warning")
    assert [incident.amount, incident.expected] == [1250, 500]
    assert incident.began_at == datetime(2026, 11, 17, 23, tzinfo=UTC)  # midnight in Berlin
    assert incident.title == "agent a1 lastingly costs 250 USD a day, usually 100"
    assert incident.summary == (
        "acme: agent a1 costs 250.00 USD a day, 2.5 times the usual 100.00 USD, since 2026-11-18 "
        "(Europe/Berlin), by what was used at today's prices. By the end of 2026-11-22 it has spent 1,250.00 USD "
        "since 2026-11-18 (Europe/Berlin), 500.00 USD expected. In 30 days this comes to 7,500.00 USD, where "
        "3,000.00 USD were usual."
    )


def test_one_cause_is_one_message_named_by_what_tells_most() -> None:
    """Agent, team, model and tenant rise by the same 150 a day."""
    scopes = (TENANT, TEAM, ("sku", "gpt-4o"), AGENT)
    look = look_at({scope: amounts((30, 100 + 50 * n), (5, 250 + 50 * n)) for n, scope in enumerate(scopes)})
    [incident] = look.proposals([])
    assert incident.scope == {"agent": "a1"}
    assert "With it rose team search, model gpt-4o." in incident.summary


def test_two_agents_that_rise_are_two_messages_where_each_holds_its_own() -> None:
    """150 and 60 of the tenant's 210: the first holds less than 80 %, so the team that holds all is told; of
    agents in two teams the tenant is."""
    other = ("agent", "a2")
    rises = {TENANT: amounts((30, 500), (5, 710)), AGENT: amounts((30, 100), (5, 250))}
    look = look_at(rises | {other: amounts((30, 100), (5, 160))})
    assert [incident.scope for incident in look.proposals([])] == [{}]
    larger = {TENANT: amounts((30, 500), (5, 680)), AGENT: amounts((30, 100), (5, 250))}
    look = look_at(larger | {other: amounts((30, 50), (5, 80))})
    assert [incident.scope for incident in look.proposals([])] == [{"agent": "a1"}, {"agent": "a2"}]


def test_what_is_little_money_or_little_growth_is_not_told() -> None:
    """2 % of the tenant's 1,000 a day are 20; 1.2 times is less than 1.3."""
    tenant = {TENANT: amounts((35, 1000))}
    assert look_at(tenant | {AGENT: amounts((30, 10), (5, 25))}).proposals([]) == []
    assert look_at(tenant | {AGENT: amounts((30, 200), (5, 240))}).proposals([]) == []
    cheap = replace(RULE, changed={"share_min": "0", "amount_min": "5"})
    assert len(look_at(tenant | {AGENT: amounts((30, 10), (5, 25))}, rule=cheap).proposals([])) == 1


def test_a_rule_with_a_filter_watches_that_scope_alone() -> None:
    rule = replace(RULE, id="r1", filter={"team": "search"})
    rises = amounts((30, 100), (5, 250))
    look = look_at({TENANT: rises, TEAM: rises, AGENT: rises}, rule=rule)
    assert [incident.scope for incident in look.proposals([])] == [{"team": "search"}]


def test_at_most_three_are_told_a_day_the_dearest_first() -> None:
    scopes = {("agent", f"a{n}"): amounts((30, 100 * n), (5, 250 * n)) for n in range(1, 6)}
    look = look_at({TENANT: amounts((30, 1500), (5, 1500))} | scopes)
    assert [incident.scope["agent"] for incident in look.proposals([])] == ["a5", "a4", "a3"]


# What was told


def opened_once() -> Incident:
    [incident] = look_at({TENANT: amounts((35, 900)), AGENT: amounts((30, 100), (5, 250))}).proposals([])
    return incident


def test_what_is_told_is_not_told_again_tomorrow() -> None:
    incident = opened_once()
    tomorrow = {TENANT: amounts((36, 900)), AGENT: amounts((30, 100), (6, 250))}
    look = look_at(tomorrow, [row_of(incident)], last=LAST + timedelta(days=1))
    assert look.proposals([incident]) == []
    assert look.ending(incident) == ""
    renewed = look.renewed(incident)
    assert [renewed.amount, renewed.expected, renewed.details["days"]] == [1500, 600, 6]
    assert renewed.details["per_day"] == "250"


def test_what_doubles_over_what_was_told_is_told_again() -> None:
    """Told was 150 a day over 100; 450 are 350 over it."""
    incident = opened_once()
    later = {TENANT: amounts((38, 900)), AGENT: amounts((30, 100), (5, 250), (3, 450))}
    look = look_at(later, [row_of(incident)], last=LAST + timedelta(days=3))
    [grown] = look.proposals([incident])
    assert (grown.id, grown.number) == (incident.id, 1)
    assert grown.title == "agent a1 lastingly costs 450 USD a day, usually 100; told were 250"


def test_it_ends_when_two_days_are_back_at_the_usual_level() -> None:
    incident = opened_once()
    for days, ending in ((1, ""), (2, "it is back at its usual level")):
        back = {TENANT: amounts((35 + days, 900)), AGENT: amounts((30, 100), (5, 250), (days, 100))}
        look = look_at(back, [row_of(incident)], last=LAST + timedelta(days=days))
        assert look.ending(incident) == ending
        assert look.renewed(incident).details["back"] is bool(ending)


def test_two_days_off_are_no_end() -> None:
    """A shift of work days, 250 for 100, on a weekend without spend."""
    work = [*amounts((5, 100), (2, 0)) * 4, *amounts((5, 250))]
    incident = look_at({TENANT: amounts((33, 900)), AGENT: work}, last=date(2026, 11, 20)).proposals([])[0]
    weekend = look_at({TENANT: amounts((35, 900)), AGENT: [*work, *amounts((2, 0))]}, [row_of(incident)])
    assert weekend.ending(incident) == ""


def test_a_level_that_somebody_has_seen_is_the_new_one_until_it_is_left() -> None:
    incident = replace(opened_once(), state="acknowledged")
    day = {TENANT: amounts((36, 900)), AGENT: amounts((30, 100), (6, 250))}
    look = look_at(day, [row_of(incident)], last=LAST + timedelta(days=1))
    assert look.ending(incident) == "somebody has seen it: it is the new level"
    over = [row_of(replace(incident, state="resolved"))]
    later = {TENANT: amounts((45, 900)), AGENT: amounts((30, 100), (15, 250))}
    assert look_at(later, over, last=LAST + timedelta(days=10)).proposals([]) == []
    again = {TENANT: amounts((50, 900)), AGENT: amounts((30, 100), (15, 250), (5, 500))}
    [second] = look_at(again, over, last=LAST + timedelta(days=15)).proposals([])
    assert second.details["usual_per_day"] == "250"


def test_after_two_weeks_it_is_the_new_level() -> None:
    incident = opened_once()
    day = {TENANT: amounts((49, 900)), AGENT: amounts((30, 100), (19, 250))}
    look = look_at(day, [row_of(incident)], last=LAST + timedelta(days=14))
    assert look.ending(incident) == "it is the new level, for 14 days now"


def test_what_was_told_with_another_is_known_too() -> None:
    [incident] = look_at(
        {TENANT: amounts((35, 900)), AGENT: amounts((30, 100), (5, 250)), TEAM: amounts((30, 300), (5, 450))}
    ).proposals([])
    assert set(told_levels([row_of(incident)])) == {AGENT, TEAM}


# Prices


def priced(day: int, entry: str, quantity: str, effective: str) -> PricedUse:
    key = ServedUnit(provider="openai", sku="gpt-4o", unit="input_tokens", tier="", region="", batch=False)
    at = date(2026, 11, day)
    return PricedUse(day=at, key=key, entry=entry, quantity=Decimal(quantity), effective=Decimal(effective))


GPT = ("openai", "gpt-4o")


def test_a_price_that_doubles_is_no_shift() -> None:
    """100 units for 1 until the 10th, by another entry for 2 from then on: the days before are worth twice."""
    factors = at_todays_prices([priced(9, "old", "100", "1"), priced(10, "new", "50", "1")])
    assert factors == {(date(2026, 11, 9), GPT): 2}


def test_a_dearer_use_of_the_same_price_list_is_no_price() -> None:
    """Long context has an entry of its own: half of the 10th's units at twice the price."""
    used = [priced(9, "short", "100", "1"), priced(10, "short", "50", "0.5"), priced(10, "long", "50", "1")]
    assert at_todays_prices(used) == {}


def test_a_contract_that_changes_is_a_price_though_the_entry_stays() -> None:
    """20 % less for the same entry: what came to 1 would come to 0.8."""
    factors = at_todays_prices([priced(9, "e", "100", "1"), priced(10, "e", "200", "1.6")])
    assert factors == {(date(2026, 11, 9), GPT): Decimal("0.8")}


def test_what_roundings_make_of_a_price_is_no_change() -> None:
    assert at_todays_prices([priced(9, "e", "3", "0.000001"), priced(10, "e", "3000001", "1.0000003")]) == {}


def changes(*rises: tuple[DetectorScope, int]) -> list[LevelChange]:
    return [
        replace(look_at({scope: amounts((30, 10), (5, 10 + over))}).causes[0].told, scope=scope)
        for scope, over in rises
    ]


def test_opposite_moves_hide_nothing() -> None:
    """The tenant did not rise, for something else fell: the agent is told all the same."""
    [cause] = causes_of(changes((AGENT, 100), (("workflow", "w"), 100)), Decimal(0))
    assert cause.told.scope == AGENT
    assert [each.scope for each in cause.folded] == [("workflow", "w")]


def test_a_smaller_rise_of_another_dimension_is_told_where_something_is_untold() -> None:
    """Of the tenant's 140 the agent holds 100: a team's 40 may be something else; 100 of it cannot."""
    told = [cause.told.scope for cause in causes_of(changes((AGENT, 100), (TEAM, 40)), Decimal(140))]
    assert told == [AGENT, TEAM]
    assert [
        each.told.scope for each in causes_of(changes((TEAM, 100)), Decimal(110), [(AGENT, Decimal(100))])
    ] == []


# How it is said


def test_what_is_beyond_the_largest_values_is_said_so_and_linked_nowhere() -> None:
    [incident] = look_at(
        {TENANT: amounts((35, 500)), ("team", "~others"): amounts((30, 100), (5, 250))}
    ).proposals([])
    assert (
        incident.title
        == "everything beyond the largest values of team lastingly costs 250 USD a day, usually 100"
    )
    assert incident.suggested_action.startswith("Group the spend of these days by team")
    assert ShiftWording(zone=BERLIN, portal_url="https://spend.example").with_words(incident).link == ""


def test_a_slow_rise_is_told_as_one() -> None:
    leak = [Decimal(f"{100 * 1.03**number:.2f}") for number in range(1, 21)]
    [incident] = look_at({TENANT: amounts((55, 900)), AGENT: [*amounts((35, 100)), *leak]}).proposals([])
    assert incident.title.startswith("agent a1 costs more day by day: now ")
    assert "It rises day by day, rather than once." in incident.summary


def test_prices_are_told_apart_from_the_rise() -> None:
    """The days before came to 80 and would come to 100 at today's prices: 20 more a day."""
    look = look_at({TENANT: amounts((35, 900)), AGENT: amounts((30, 100), (5, 250))})
    cheaper = {
        place: replace(day, effective=Decimal(80)) if place < 30 else day
        for place, day in look.days.by_scope[AGENT].items()
    }
    days = replace(look.days, by_scope={**look.days.by_scope, AGENT: cheaper})
    [incident] = replace(look, days=days).proposals([])
    assert (
        "Prices come on top: the days before would cost 20.00 USD more a day at today's." in incident.summary
    )


def test_what_is_over_says_what_it_came_to() -> None:
    incident = opened_once()
    back = {TENANT: amounts((37, 900)), AGENT: amounts((30, 100), (5, 250), (2, 100))}
    look = look_at(back, [row_of(incident)], last=LAST + timedelta(days=2))
    over = resolved(look.renewed(incident), look.ending(incident), look.now)
    words = look.wording.with_words(over)
    assert words.title == "Over: agent a1 is back at its usual 100 USD a day"
    assert words.summary == (
        "Over: it is back at its usual level. acme: agent a1 spent 1,450.00 USD since 2026-11-18 (Europe/Berlin), "
        "700.00 USD expected."
    )
