"""Budgets that roll, that lie within each other, whose usage comes late, and that are one for each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.budgets.breaches import BudgetLook, counters_needed, hours_needed
from services.alerts.budgets.budgets import Budget, trouble
from services.alerts.budgets.late import (
    ToldPeriod,
    counters_of_late,
    crossed_late,
    ending_of_late,
    late_periods,
)
from services.alerts.budgets.templates import (
    TOLD_MAX,
    ValueLook,
    ValueSum,
    bounded,
    budgets_of,
    calendar_of,
    counters_of,
    floor_of,
)
from services.alerts.counting.counters import CounterKey, Counters, CounterSum, counter_key, edges
from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.words import Wording, rolled_out
from spendmeter.contracts.terms import Terms, Timeline

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UTC_CALENDAR = Timeline([(None, Terms())])
WORDING = Wording(zone=ZoneInfo("UTC"))
BUDGET = Budget(
    id="b1", tenant="acme", name="All", filter={}, amount=Decimal(100), currency="USD", period="month",
    thresholds_percent=(Decimal(80), Decimal(100)), revision=1, updated_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
ROLLING = replace(BUDGET, period="rolling", last_hours=24)
SEARCH = replace(BUDGET, id="b2", name="Search", filter={"team": "search"}, amount=Decimal(50))
ALL, OF_SEARCH = counter_key({}, "USD"), counter_key({"team": "search"}, "USD")


def counted(spent: Mapping[CounterKey, Mapping[datetime, str]], now: datetime, since: datetime) -> Counters:
    """Counters whose parts hold these amounts, by an instant in the part."""
    counters = Counters()
    counters.lay_out(edges(since, now, UTC_CALENDAR, since))
    for part in counters.parts:
        sums = {
            key: CounterSum(
                sum((Decimal(a) for at, a in of.items() if part.start <= at < part.end), Decimal(0)),
                Decimal(0),
            )
            for key, of in spent.items()
        }
        counters.put(part, sums, 0.0)
    newest = {key: CounterSum(Decimal(of[now]), Decimal(0)) for key, of in spent.items() if now in of}
    counters.take_open({now: newest}, now)
    return counters


def look_at(
    spent: Mapping[datetime, str],
    now: datetime = NOW,
    budget: Budget = ROLLING,
    complete: timedelta | None = timedelta(),
) -> BudgetLook:
    return BudgetLook(
        now=now,
        calendar=UTC_CALENDAR,
        budgets=[budget],
        counters=counted({ALL: spent}, now, now - 3 * DAY),
        wording=WORDING,
        complete_through=None if complete is None else now - complete,
    )


def test_hours_of_a_window_that_rolls_stay_apart_and_of_older_days_none() -> None:
    since = hours_needed([BUDGET, ROLLING], NOW, UTC_CALENDAR)
    # 24 hours with the one that runs begin at 11:00 of the day before; an hour more, for a book that is behind.
    assert since == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert hours_needed([BUDGET], NOW, UTC_CALENDAR) is None
    assert min(counters_needed([BUDGET, ROLLING], NOW, UTC_CALENDAR).values()).day == 1
    cut = edges(datetime(2026, 11, 20, tzinfo=UTC), NOW, UTC_CALENDAR, since)
    lengths = [end - start for start, end in cut]
    # The 20th and 21st whole; 24 hours of the 22nd; ten of today's, and half an hour in minutes.
    assert lengths == [DAY] * 2 + [HOUR] * 34 + [timedelta(minutes=1)] * 30


def test_the_last_hours_are_told_once_while_they_are_over_their_threshold() -> None:
    spent = {NOW - 23 * HOUR: "60", NOW - 30 * HOUR: "500", NOW - 2 * HOUR: "45"}
    (incident,) = look_at(spent).proposals([])
    # 60 + 45; the 500 are 30 hours old.
    assert incident.title == "budget All passed 100 %: 105 of 100 USD spent in 24 hours"
    assert incident.details["last_hours"] == 24
    again = look_at(spent | {NOW + HOUR: "70"}, NOW + HOUR)
    assert again.proposals([incident]) == []
    assert again.ending(incident) == ""
    assert not again.has_fallen(incident)
    assert again.ending(replace(incident, rule_revision=2)) == "the budget was changed or deleted"


def test_the_last_hours_are_over_below_nine_tenths_of_the_threshold_and_then_armed_again() -> None:
    (incident,) = look_at({NOW: "105"}).proposals([])
    after = NOW + 25 * HOUR
    assert not look_at({NOW + 2 * HOUR: "90"}, after).has_fallen(incident)
    assert look_at({NOW + 2 * HOUR: "89.99"}, after).has_fallen(incident)
    ended = resolved(replace(incident, amount=Decimal("89.99")), rolled_out(incident), after)
    # What is left is over 80 %, but it came down to that: known, and told to nobody.
    (lower,) = look_at({NOW + 2 * HOUR: "89.99"}, after).proposals([ended])
    assert (lower.threshold_percent, lower.told) == (80, False)
    (second,) = look_at({NOW + 2 * HOUR: "101"}, after).proposals([ended, lower])
    assert (second.threshold_percent, second.told, second.id != incident.id) == (100, True, True)


def test_where_the_book_is_behind_no_window_has_come_down() -> None:
    (incident,) = look_at({NOW: "105"}).proposals([])
    after = NOW + 24 * HOUR  # the hour of the 105 has just left the window
    assert look_at({NOW: "105"}, after).has_fallen(incident)
    assert not look_at({NOW: "105"}, after, complete=HOUR).has_fallen(incident)
    assert not look_at({}, after, complete=None).has_fallen(incident)
    assert not look_at({}, after, complete=2 * HOUR).has_fallen(incident)


def test_one_jump_over_a_budget_and_the_one_around_it_is_one_message_of_the_inner_one() -> None:
    look = BudgetLook(
        now=NOW, calendar=UTC_CALENDAR, budgets=[BUDGET, SEARCH], wording=WORDING,
        counters=counted({ALL: {NOW - HOUR: "101"}, OF_SEARCH: {NOW - HOUR: "41"}}, NOW, NOW - 25 * DAY),
    )  # fmt: skip
    outer, inner = look.proposals([])
    assert (outer.told, inner.told) == (False, True)
    assert inner.title == "budget Search passed 80 %: 41 of 50 USD spent; with it All passed 100 %"
    assert "With it budget 'All' passed 100 % (101.00 of 100.00 USD)." in inner.summary
    assert "told with budget 'Search'" in outer.summary
    assert inner.severity == "critical"  # as severe as the severest
    assert inner.details["with"] == [
        {"budget": "b1", "name": "All", "threshold_percent": "100", "amount": "101", "expected": "100"}
    ]


def test_budgets_that_are_broken_one_after_the_other_are_two_messages() -> None:
    spent = {ALL: {NOW - HOUR: "101"}, OF_SEARCH: {NOW - HOUR: "41"}}
    look = BudgetLook(
        now=NOW, calendar=UTC_CALENDAR, budgets=[BUDGET, SEARCH], wording=WORDING,
        counters=counted(spent, NOW, NOW - 25 * DAY),
    )  # fmt: skip
    _, inner = look.proposals([])
    (outer,) = look.proposals([inner])
    assert (outer.told, outer.details.get("told_with")) == (True, None)


def test_brothers_are_told_apart_and_the_dearer_one_names_what_is_around_both() -> None:
    ads = replace(SEARCH, id="b3", name="Ads", filter={"team": "ads"})
    of_ads = counter_key({"team": "ads"}, "USD")
    spent = {ALL: {NOW - HOUR: "130"}, OF_SEARCH: {NOW - HOUR: "60"}, of_ads: {NOW - HOUR: "70"}}
    look = BudgetLook(
        now=NOW, calendar=UTC_CALENDAR, budgets=[BUDGET, SEARCH, ads], wording=WORDING,
        counters=counted(spent, NOW, NOW - 25 * DAY),
    )  # fmt: skip
    told = {each.rule_name: (each.told, "with" in each.details) for each in look.proposals([])}
    assert told == {"All": (False, False), "Search": (True, False), "Ads": (True, True)}


def test_periods_that_are_over_are_looked_at_for_45_days_and_none_before_a_change() -> None:
    day = replace(BUDGET, period="day")
    assert len(late_periods(day, NOW, UTC_CALENDAR)) == 45
    changed = replace(day, updated_at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert [start.day for start, _ in late_periods(changed, NOW, UTC_CALENDAR)] == [22, 21, 20]
    october = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    assert late_periods(BUDGET, NOW, UTC_CALENDAR) == [october]
    assert late_periods(BUDGET, october[1] + timedelta(minutes=4), UTC_CALENDAR)[0] != october  # closes still
    assert late_periods(ROLLING, NOW, UTC_CALENDAR) == []
    launch = replace(BUDGET, period="custom", starts_on=date(2026, 11, 1), ends_on=date(2026, 11, 15))
    assert [end.day for _, end in late_periods(launch, NOW, UTC_CALENDAR)] == [15]
    assert late_periods(launch, NOW + 60 * DAY, UTC_CALENDAR) == []


def test_what_is_booked_after_a_period_is_told_once_if_it_crosses() -> None:
    october = datetime(2026, 10, 15, tzinfo=UTC)
    since = counters_of_late([BUDGET], NOW, UTC_CALENDAR)[ALL]
    assert since == datetime(2026, 10, 1, tzinfo=UTC)

    def crossed(spent: str, told: dict[ToldPeriod, Decimal]) -> list[Incident]:
        counters = counted({ALL: {october: spent, NOW - HOUR: "500"}}, NOW, since)
        return crossed_late([BUDGET], told, counters, NOW, UTC_CALENDAR)

    period = ToldPeriod("b1", 1, since)
    assert crossed("79.99", {}) == []
    assert crossed("99", {period: Decimal(80)}) == []
    (incident,) = crossed("100", {period: Decimal(80)})
    assert (incident.threshold_percent, incident.severity, incident.amount) == (100, "warning", 100)
    worded = WORDING.with_words(incident)
    assert worded.title == "budget All passed 100 % after its period was over: 100 of 100 USD spent"
    assert crossed("300", {period: Decimal(100)}) == []
    assert ending_of_late(incident, [BUDGET], NOW + 23 * HOUR) == ""
    assert ending_of_late(incident, [BUDGET], NOW + DAY) == "its period was over when it was told"
    assert ending_of_late(incident, [], NOW) == "the budget was changed or deleted"


EACH = replace(BUDGET, each="agent", period="day", amount=Decimal(10))
TODAY = datetime(2026, 11, 23, tzinfo=UTC)


def value(name: str, spent: str, first_at: datetime | None = None) -> ValueSum:
    return ValueSum(name, CounterSum(Decimal(spent), Decimal(0)), first_at)


def template_look(
    values: list[ValueSum], template: Budget = EACH, before: ValueLook | None = None, now: datetime = NOW
) -> BudgetLook:
    calendar = calendar_of(template, UTC_CALENDAR)
    start = None if template.each == "run" else TODAY.replace(day=1 if template.period == "month" else 23)
    counters = counters_of(template, {start: values}, start or TODAY, before)
    budgets = budgets_of(template, values, calendar)
    return BudgetLook(now=now, calendar=calendar, budgets=budgets, counters=counters, wording=WORDING)


def test_a_template_is_a_budget_for_every_value_told_apart() -> None:
    look = template_look([value("ranker", "12"), value("triage", "8"), value("idle", "7.99")])
    told = look.proposals([])
    assert [(each.scope, each.threshold_percent) for each in told] == [
        ({"agent": "ranker"}, 100),
        ({"agent": "triage"}, 80),
    ]
    assert told[0].title == "budget All of agent ranker passed 100 %: 12 of 10 USD spent"
    assert len({each.id for each in told}) == 2
    assert look.proposals(told) == []
    assert template_look([value("ranker", "20")]).outgrown(told)[0][0].scope == {"agent": "ranker"}
    assert template_look([value("ranker", "9.99")]).has_fallen(told[0])


def test_how_fast_a_value_goes_is_since_the_look_before_and_never_more_than_is_known() -> None:
    assert floor_of(EACH) == 4  # half of 80 % of 10
    before = ValueLook(NOW - timedelta(seconds=36), {"ranker": Decimal(11)}, Decimal(4))
    look = template_look([value("ranker", "12"), value("triage", "9")], before=before)
    ranker, triage = look.proposals([])
    assert ranker.rate_per_hour == 100  # 1 in 36 s
    assert triage.rate_per_hour == 500  # it was below 4 then: at least 5 in 36 s
    first = template_look([value("ranker", "21")])
    assert first.proposals([])[0].rate_per_hour == 2  # 21 in 10 h 30 min


def test_a_run_is_one_thing_whatever_days_it_spans() -> None:
    template = replace(EACH, each="run", period="week")
    began = TODAY - timedelta(minutes=10)
    (incident,) = template_look([value("r1", "12", began)], template).proposals([])
    assert incident.period_start == TODAY - DAY
    later = template_look([value("r1", "13", began)], template, now=NOW + DAY)
    assert later.proposals([incident]) == []
    assert later.ending(incident) == ""
    assert later.ending(replace(incident, period_end=NOW)) == "its period is over"


def test_a_users_month_is_that_of_utc() -> None:
    berlin = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin"), currency="EUR"))])
    template = replace(BUDGET, each="user", currency="EUR")
    bounds = template.bounds(NOW, calendar_of(template, berlin))
    assert bounds == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert calendar_of(EACH, berlin) is berlin


def test_of_more_values_than_are_told_the_number_is_told() -> None:
    values = [value(f"a{number}", str(100 + number)) for number in range(TOLD_MAX + 3)]
    proposed = template_look(values).proposals([])
    bounds = (TODAY, TODAY + DAY)
    told = bounded(EACH, bounds, proposed, [], NOW)
    assert len(told) == TOLD_MAX + 1
    beyond = WORDING.with_words(told[-1])
    # The three smallest: 100 + 101 + 102, of three budgets of 10.
    assert (beyond.amount, beyond.expected, beyond.severity) == (303, 30, "critical")
    assert beyond.title.startswith("budget All: 3 more values of agent passed 80 %")
    assert {each.scope["agent"] for each in told[:-1]}.isdisjoint({"a0", "a1", "a2"})


def test_a_template_of_an_unknown_dimension_is_not_watched() -> None:
    assert trouble(replace(EACH, each="agnet"), "USD").endswith("agnet: not a dimension")
    assert trouble(replace(EACH, each="user"), "USD") == ""
    assert trouble(replace(EACH, each="tier", own=frozenset({"tier"})), "USD") == ""
