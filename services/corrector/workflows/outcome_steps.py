"""What became of the outcomes of one run, as steps from day to day. Pure.

A step says what was added so many days after the run's last day. The sum of all steps up to a lag is how it
stood then, so that one table answers for every window in which an outcome must last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from spendmeter.book.entry import SUMS
from spendmeter.contracts.money import ZERO

OutcomeWord = Literal["open", "accepted", "refused", "reversed"]


@dataclass(frozen=True, kw_only=True)
class SaidOutcome:
    """One outcome with all that was said of it since, in order of time. currency '' = no value is stated."""

    run: str
    workflow: str
    workflow_version: str
    name: str
    currency: str
    count: Decimal
    value: Decimal
    at: datetime
    accepted: bool | None = None
    words: Sequence[tuple[datetime, OutcomeWord]] = field(default=())
    team: str = ""


class OutcomeStep(Struct, gc=False):
    """Figures of a row of `workflow_outcome_days`: what was added `lag` days after the run's day."""

    name: str
    currency: str
    lag: int
    outcomes: Decimal = ZERO
    accepted: Decimal = ZERO
    refused: Decimal = ZERO
    reversed: Decimal = ZERO
    value: Decimal = ZERO
    value_accepted: Decimal = ZERO
    value_gone: Decimal = ZERO
    runs_accepted: int = 0
    runs_alive: int = 0


_KEY = ("name", "currency", "lag")
FIGURES = tuple(name for name in OutcomeStep.__struct_fields__ if name not in _KEY)


def steps_of(outcomes: Iterable[SaidOutcome], day: date) -> list[OutcomeStep]:
    """The steps of one run whose last day is `day`; of outcomes without a run, of each alone."""
    by_name: dict[str, list[SaidOutcome]] = {}
    for each in outcomes:
        by_name.setdefault(each.name, []).append(each)
    return [step for name, those in by_name.items() for step in _of_name(name, those, day)]


def _of_name(name: str, outcomes: Sequence[SaidOutcome], day: date) -> list[OutcomeStep]:
    facts: list[tuple[int, int, int, OutcomeWord]] = []
    for place, each in enumerate(outcomes):
        stated = _lag(each.at, day)
        facts.append((stated, -1, place, _word(each.accepted)))
        facts += [
            (max(stated, _lag(at, day)), order, place, word) for order, (at, word) in enumerate(each.words)
        ]
    facts.sort()
    now: dict[int, OutcomeWord] = {}
    before: dict[str, OutcomeStep] = {}
    steps = []
    for number, (lag, _, place, word) in enumerate(facts):
        if now.get(place) != "reversed":  # for good
            now[place] = word
        if number + 1 == len(facts) or facts[number + 1][0] != lag:
            after = _standing(name, lag, outcomes, now)
            found = (_difference(after[currency], before.get(currency)) for currency in after)
            steps += [step for step in found if any(getattr(step, figure) for figure in FIGURES)]
            before = after
    return steps


def _standing(
    name: str, lag: int, outcomes: Sequence[SaidOutcome], now: dict[int, OutcomeWord]
) -> dict[str, OutcomeStep]:
    """By currency what all outcomes come to, as they are now. Runs are counted where no currency is."""
    found = {"": OutcomeStep(name, "", lag)}
    for place, word in now.items():
        said = outcomes[place]
        sums = found.setdefault(said.currency, OutcomeStep(name, said.currency, lag))
        sums.outcomes = plus(sums.outcomes, said.count)
        sums.value = plus(sums.value, said.value)
        if word != "open":
            setattr(sums, word, plus(getattr(sums, word), said.count))
        if word == "accepted":
            sums.value_accepted = plus(sums.value_accepted, said.value)
        elif word != "open":
            sums.value_gone = plus(sums.value_gone, said.value)
    words = {word for place, word in now.items() if outcomes[place].count}
    found[""].runs_accepted = int("accepted" in words)
    found[""].runs_alive = int(bool(words & {"open", "accepted"}))
    return found


def _difference(after: OutcomeStep, before: OutcomeStep | None) -> OutcomeStep:
    step = OutcomeStep(**asdict(after))
    for figure in FIGURES if before else ():
        setattr(step, figure, plus(getattr(after, figure), getattr(before, figure), -1))
    return step


def plus(one: Any, other: Any, sign: int = 1) -> Any:
    """Exactly: counts as int, amounts as Decimal whatever their digits."""
    if isinstance(one, int):
        return one + sign * other
    return SUMS.add(one, other) if sign > 0 else SUMS.subtract(one, other)


def add_figures(sums: Any, added: Any, names: Iterable[str]) -> None:
    """Add these fields of `added` to those of `sums`."""
    for name in names:
        setattr(sums, name, plus(getattr(sums, name), getattr(added, name)))


def _word(accepted: bool | None) -> OutcomeWord:
    return "open" if accepted is None else "accepted" if accepted else "refused"


def _lag(at: datetime, day: date) -> int:
    return max(0, (at.astimezone(UTC).date() - day).days)
