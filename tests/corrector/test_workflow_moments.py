"""Moments of workflows, worked out by hand: whose a run is, on which day, and what became of its outcomes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.corrector.workflows.moments import DayMoments, RunDaySum, WorkflowVersion
from services.corrector.workflows.outcome_steps import SaidOutcome, steps_of

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
V2 = WorkflowVersion("refund", "v2")


def row(ai: str = "1", *, at: datetime = NOON, **said: Any) -> RunDaySum:
    given = {
        "day": at.date(), "run": "r1", "workflow": "refund", "workflow_version": "v2", "team": "web",
        "currency": "USD", "events": 1, "unpriced_events": 0, "calls": 1, "failed_calls": 0, "ai": Decimal(ai),
        "human": Decimal(0), "adjacent": Decimal(0), "of_which_provisional": Decimal(0),
        "labour_hours": Decimal(0), "first_at": at, "last_at": at,
    }  # fmt: skip
    return RunDaySum(**{**given, **said})


def outcome(after_days: float = 0, words: Any = (), **said: Any) -> SaidOutcome:
    """Stated so long after noon; `words` as long after that noon, too."""
    given: dict[str, Any] = {
        "run": "r1", "workflow": "", "workflow_version": "", "name": "done", "currency": "",
        "count": Decimal(1), "value": Decimal(0), "at": NOON + timedelta(days=after_days),
    }  # fmt: skip
    spoken = [(NOON + timedelta(days=days), word) for days, word in words]
    return SaidOutcome(**{**given, **said}, words=spoken)


def add(day: DayMoments, rows: list[RunDaySum], outcomes: list[SaidOutcome]) -> dict[Any, Any]:
    """Count a run; the moments that there are then."""
    day.add_run(rows, outcomes)
    return dict(day.costs)


def standing(outcomes: list[SaidOutcome], lag: int) -> tuple[int, ...]:
    """(outcomes, accepted, refused, reversed, runs accepted, runs alive) as of `lag`."""
    steps = [step for step in steps_of(outcomes, DAY) if step.lag <= lag]
    names = ("outcomes", "accepted", "refused", "reversed", "runs_accepted", "runs_alive")
    return tuple(int(sum(getattr(step, name) for step in steps)) for name in names)


def test_an_outcome_stands_as_it_did_so_many_days_after_the_run() -> None:
    kept = [outcome(words=[(3, "accepted"), (10, "reversed")])]
    assert standing(kept, 2) == (1, 0, 0, 0, 0, 1)
    assert standing(kept, 3) == (1, 1, 0, 0, 1, 1)
    assert standing(kept, 9) == (1, 1, 0, 0, 1, 1)
    assert standing(kept, 10) == (1, 0, 0, 1, 0, 0)


def test_a_reversal_is_for_good_and_of_verdicts_the_latest_holds() -> None:
    assert standing([outcome(words=[(1, "reversed"), (2, "accepted")])], 30) == (1, 0, 0, 1, 0, 0)
    assert standing([outcome(accepted=True, words=[(1, "refused"), (2, "accepted")])], 1) == (
        1,
        0,
        1,
        0,
        0,
        0,
    )
    assert standing([outcome(accepted=True, words=[(1, "refused"), (2, "accepted")])], 2) == (
        1,
        1,
        0,
        0,
        1,
        1,
    )


def test_a_word_of_a_fast_clock_counts_when_the_outcome_is_stated_and_a_late_outcome_is_late() -> None:
    assert standing([outcome(2, [(1, "accepted")])], 1) == (0, 0, 0, 0, 0, 0)
    assert standing([outcome(2, [(1, "accepted")])], 2) == (1, 1, 0, 0, 1, 1)


def test_a_run_succeeds_once_however_much_it_achieved() -> None:
    two = [outcome(accepted=True), outcome(words=[(1, "accepted"), (2, "reversed")], count=Decimal(3))]
    assert standing(two, 1) == (4, 4, 0, 0, 1, 1)
    assert standing(two, 2) == (4, 1, 0, 3, 1, 1)


def test_values_go_with_their_outcomes_each_currency_by_itself() -> None:
    worth = [
        outcome(currency="USD", value=Decimal("4.20"), words=[(1, "accepted"), (5, "reversed")]),
        outcome(currency="EUR", value=Decimal(3), accepted=True),
    ]
    found: dict[Any, Any] = {
        (step.currency, step.lag): (step.value, step.value_accepted, step.value_gone)
        for step in steps_of(worth, DAY)
        if step.currency
    }
    usd = Decimal("4.20")
    assert found == {
        ("USD", 0): (usd, 0, 0),
        ("USD", 1): (0, usd, 0),
        ("USD", 5): (0, -usd, usd),
        ("EUR", 0): (3, 3, 0),
    }


def test_a_run_that_spans_midnight_is_wholly_of_its_last_day() -> None:
    """0.40 on the 2nd, 0.60 on the 3rd, 0.10 of a person; done at 12:00, begun at 23:00 the day before."""
    day = DayMoments(DAY)
    late = NOON - timedelta(hours=13)
    rows = [row("0.40", at=late), row("0.60", failed_calls=1)]
    person = row("0", human=Decimal("0.10"), calls=0, labour_hours=Decimal("0.5"), workflow="")
    [(key, moment)] = add(day, [*rows, person], [outcome(accepted=True)]).items()
    assert key == (V2, "web", "USD")
    assert (moment.runs, moment.events, moment.calls, moment.failed_calls) == (1, 3, 2, 1)
    assert (moment.ai, moment.human, moment.labour_hours) == (1, Decimal("0.10"), Decimal("0.5"))
    assert (moment.cycle_runs, moment.cycle_s) == (1, 13 * 3600)


def test_what_names_no_version_is_of_the_one_that_most_of_the_run_names() -> None:
    day = DayMoments(DAY)
    rows = [
        row(workflow_version="v1"),
        row("2", events=3),
        row("5", workflow_version=""),
        row("7", workflow=""),
    ]
    found = add(day, rows, [])
    assert {flow.version: moment.ai for (flow, *_), moment in found.items()} == {"v1": 1, "v2": 14}


def test_a_run_of_two_currencies_is_one_run_and_its_amounts_are_never_added() -> None:
    day = DayMoments(DAY)
    day.add_run([row("1", events=2), row("3", currency="EUR", unpriced_events=1)], [])
    found: Any = {
        key[2]: (each.runs, each.events, each.unpriced_events, each.ai) for key, each in day.costs.items()
    }
    assert found == {"USD": (1, 3, 0, 1), "EUR": (0, 0, 1, 3)}


def test_a_run_of_two_teams_is_of_the_one_that_has_most_events_and_nobody_only_where_there_is_no_other() -> (
    None
):
    day = DayMoments(DAY)
    day.add_run([row(team="web"), row(team="core", events=2), row(team="", events=9)], [])
    assert [key[1] for key in day.costs] == ["core"]


def test_what_names_no_run_costs_and_counts_as_none_and_so_does_an_outcome_without_one() -> None:
    day = DayMoments(DAY)
    day.add_without_run(row("0", run="", adjacent=Decimal(12)))
    day.add_outcome_without_run(outcome(run="", workflow="refund", workflow_version="v2", team="web"))
    [moment] = dict[Any, Any](day.costs).values()
    assert (moment.runs, moment.adjacent, moment.without_run) == (0, 12, 12)
    [(key, step)] = dict[Any, Any](day.steps).items()
    assert (key[0], key[1], step.outcomes) == (V2, "web", 1)


def test_a_run_that_names_no_workflow_is_of_the_one_that_its_outcome_names_or_of_none() -> None:
    day = DayMoments(DAY)
    day.add_run([row(workflow="", workflow_version="")], [outcome(workflow="refund", workflow_version="v2")])
    day.add_run([row(workflow="", workflow_version="")], [outcome()])
    assert {key[0]: each.runs for key, each in day.costs.items()} == {V2: 1}


def test_amounts_are_exact_whatever_their_digits() -> None:
    day = DayMoments(DAY)
    large = "123456789012345678.123456789012"
    day.add_run([row(large)], [])
    day.add_run([row("0.000000000001", run="r2")], [])
    assert next(iter(day.costs.values())).ai == Decimal("123456789012345678.123456789013")


def test_the_dearest_runs_of_a_day_are_kept_with_what_they_achieved() -> None:
    """500 runs of 1 to 500: one of twenty is 25, from 500 down to 476."""
    day = DayMoments(DAY)
    for number in range(1, 501):
        day.add_run([row(str(number), run=f"r{number}")], [outcome(accepted=True)])
    dear: list[Any] = [run for _, _, run in day.dear()]
    assert (len(dear), dear[0].cost, dear[-1].cost) == (25, 500, 476)
    assert dear[0].outcomes[0]["accepted"] == 1
