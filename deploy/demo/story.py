"""What three made-up companies did, hour by hour, before somebody looked and since: pure.

An hour is drawn from its own name, so the same hour of the same story is always the same events with the same
ids, whoever asks and however often: sent again, nothing is booked twice.
"""

import csv
import math
import random
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from deploy.demo.rhythm import Hours, share_of_day
from deploy.demo.tenants import DATA, DemoBudget
from deploy.demo.workload import Event
from spendmeter.contracts.catalog import Adjustment, Conditions, PeriodTerm

SOURCE = "demo-story"
GROWTH_A_DAY = 0.004
"""Of the work; on the first day of the demo it is what story.csv says."""
LAST_SECOND = 3_599.0
"""No run of an hour reaches into the next one."""
PAUSE_S = 20.0, 90.0
"""Between the calls of a run, and before what came of it."""
PEOPLE = {"office": 6, "shop": 60, "always": 6}
"""Whose runs they are: those of a team, or customers of the shop."""
HOUR = timedelta(hours=1)


class TeamWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that one team's software does: a row of story.csv."""

    tenant: str
    team: str
    project: str
    workflow: str
    version: str
    agent: str
    provider: str
    model: str
    runs_a_day: float
    """On a full weekday."""
    calls: int
    """Of a run."""
    prompt: int
    """Mean tokens of a prompt, cached ones among them."""
    cached: float
    answer: int
    thinks: int
    hours: Hours
    outcome: str
    success: float
    value_usd: float
    failing: float = 0.01
    """Share of calls that end in an error."""


class StoryChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the runs of a workflow are others, from a day until another."""

    tenant: str
    workflow: str
    why: str
    from_day: int
    until_day: int | None = None
    share: float = 1.0
    becomes: dict[str, str | int | float]

    def holds(self, work: TeamWork, day: int) -> bool:
        """Whether it is about this work on that day of the story."""
        named = (self.tenant, self.workflow) == (work.tenant, work.workflow)
        return named and self.from_day <= day and (self.until_day is None or day < self.until_day)


class SharedUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is used by many and names nobody: an event an hour."""

    tenant: str
    provider: str
    sku: str
    cost_class: str
    unit: str
    at_least: int
    at_most: int


class Discount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant has negotiated with a provider."""

    tenant: str
    contract: str
    provider: str
    skus: tuple[str, ...]
    factor: str
    from_day: int


class Commitment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant has bought of a provider by the month."""

    tenant: str
    contract: str
    provider: str
    quantity: str
    amount: str
    from_day: int


class StoryAct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody said, as a request to the api. `booked`: once the history is."""

    tenant: str
    method: str
    path: str
    body: Any
    booked: bool = False


class StoryData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What story.toml says; a comment there explains each."""

    changes: tuple[StoryChange, ...]
    shared: tuple[SharedUse, ...]
    budgets: tuple[DemoBudget, ...]
    discounts: tuple[Discount, ...]
    commitments: tuple[Commitment, ...]
    acts: tuple[StoryAct, ...]


def _works() -> tuple[TeamWork, ...]:
    with Path(__file__).with_name("story.csv").open(newline="") as file:
        return msgspec.convert(list(csv.DictReader(file)), tuple[TeamWork, ...], strict=False)


WORKS = _works()
STORY = msgspec.convert(tomllib.loads(Path(__file__).with_name("story.toml").read_text("utf-8")), StoryData)
_ZONES = {tenant: ZoneInfo(zone) for tenant, zone in DATA.tenants.items()}
Happened = tuple[datetime, str, Event]
"""When, of which tenant, and the event."""


def hour_of(hour: datetime, first_day: date) -> list[Happened]:
    """All that happened in [hour, hour + 1 h), `hour` a full one in UTC, in the order of time. `first_day` is
    the first one of the demo, in UTC: from it the days of the story are counted."""
    day = (hour.date() - first_day).days
    told = [each for work in WORKS for each in _runs(work, hour, day)]
    told += [_shared(shared, hour) for shared in STORY.shared]
    return sorted(told, key=lambda each: (each[0], each[2]["id"]))


def between(after: datetime, until: datetime, first_day: date) -> Iterator[Happened]:
    """What happened after the one instant, up to the other."""
    hour = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= until:
        yield from (each for each in hour_of(hour, first_day) if after < each[0] <= until)
        hour += HOUR


def negotiated(now: datetime) -> list[Adjustment | PeriodTerm]:
    """The story's discounts and commitments, of a demo whose first day is that of `now`."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    commitments = [
        PeriodTerm(
            tenant=each.tenant,
            layer="contract",
            contract=each.contract,
            effect="spend_commitment",
            provider=each.provider,
            quantity=each.quantity,
            amount=each.amount,
            when=Conditions(effective_from=midnight + timedelta(days=each.from_day)),
            source="the demo's story",
            recorded_at=now,
        )
        for each in STORY.commitments
    ]
    discounts = [
        Adjustment(
            tenant=each.tenant,
            layer="contract",
            contract=each.contract,
            kind="contracted",
            name=each.contract,
            provider=each.provider,
            skus=each.skus,
            factor=each.factor,
            when=Conditions(effective_from=midnight + timedelta(days=each.from_day)),
            source="the demo's story",
            recorded_at=now,
        )
        for each in STORY.discounts
    ]
    return [*discounts, *commitments]


def _runs(work: TeamWork, hour: datetime, day: int) -> Iterator[Happened]:
    name = f"{hour:%Y%m%dT%H}-{work.team}-{work.workflow}"
    chance = random.Random(f"{work.tenant}/{name}")  # noqa: S311 - a story, not a secret
    share = share_of_day(work.hours, hour.astimezone(_ZONES[work.tenant]))
    expected = work.runs_a_day * share * max(0.2, 1 + GROWTH_A_DAY * day)
    for number in range(int(expected + chance.random())):
        yield from _run(_as_of(work, day, chance), hour, f"{name}-{number}", chance)


def _as_of(work: TeamWork, day: int, chance: random.Random) -> TeamWork:
    for change in STORY.changes:
        if change.holds(work, day) and chance.random() < change.share:
            changed: dict[str, Any] = dict(change.becomes)
            work = msgspec.structs.replace(work, **changed)
    return work


def _run(work: TeamWork, hour: datetime, run: str, chance: random.Random) -> Iterator[Happened]:
    """Its calls, and what came of them."""
    labels = {"team": work.team, "project": work.project, "feature": work.project, "workflow": work.workflow}
    labels |= {"workflow_version": work.version, "run": run, "environment": "prod"}
    labels |= {"agent": work.agent} if work.agent else {}
    user = {"user": f"{work.team}-{chance.randrange(PEOPLE[work.hours])}"}
    at_s = chance.uniform(0, LAST_SECOND - work.calls * PAUSE_S[1])
    for call in range(work.calls):
        yield _told(work.tenant, hour, at_s, _usage(work, labels | user, chance), f"{run}-{call}")
        at_s += chance.uniform(*PAUSE_S)
    if work.outcome:
        won = chance.random() < work.success
        data: dict[str, Any] = {"name": work.outcome, "accepted": won, "labels": labels}
        if won and work.value_usd:
            data["value"] = {"amount": f"{work.value_usd:.2f}", "currency": "USD"}
        yield _told(work.tenant, hour, at_s, data, f"{run}-outcome", kind="outcome")


def _usage(work: TeamWork, labels: dict[str, str], chance: random.Random) -> dict[str, Any]:
    prompt = max(20, int(chance.lognormvariate(math.log(work.prompt), 0.25)))
    cached = int(prompt * min(0.95, work.cached * chance.uniform(0.85, 1.1))) // 128 * 128
    usage = {"input_tokens": prompt - cached}
    if cached:
        usage["cache_read_tokens"] = cached
    if work.answer:
        usage["output_tokens"] = max(1, int(chance.gauss(work.answer, work.answer / 5)))
    if work.thinks:
        usage["reasoning_tokens"] = int(work.answer * chance.uniform(0.5, 2))
    ok = chance.random() >= work.failing
    spoken = usage.get("output_tokens", 0) + usage.get("reasoning_tokens", 0)
    latency_ms = 180 + prompt // 60 + int(9 * spoken * chance.uniform(0.8, 1.4))
    return {
        "provider": work.provider,
        "sku": work.model,
        "usage": usage,
        "labels": labels,
        "performance": {"latency_ms": latency_ms, "status": "ok" if ok else "error"},
    }


def _shared(shared: SharedUse, hour: datetime) -> Happened:
    name = f"{hour:%Y%m%dT%H}-{shared.provider}-{shared.sku}"
    chance = random.Random(f"{shared.tenant}/{name}")  # noqa: S311
    data = {
        "cost_class": shared.cost_class,
        "provider": shared.provider,
        "sku": shared.sku,
        "usage": {shared.unit: chance.randint(shared.at_least, shared.at_most)},
        "labels": {"environment": "prod"},
    }
    return _told(shared.tenant, hour, 1_800, data, name)


def _told(
    tenant: str, hour: datetime, at_s: float, data: dict[str, Any], id: str, *, kind: str = "usage"
) -> Happened:
    at = hour + timedelta(milliseconds=int(1_000 * min(at_s, LAST_SECOND)))
    event = {
        "specversion": "1.0",
        "type": f"spendmeter.{kind}.v1",
        "id": id,
        "source": SOURCE,
        "subject": f"{tenant}/{data.get('labels', {}).get('project', 'shared')}",
        "time": at.isoformat(),
        "data": data,
    }
    return at, tenant, event
