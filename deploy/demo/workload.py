"""What three made-up companies use, as CloudEvents: pure, and one seed gives the same but for the times."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

RUNAWAY_FIRST_S = 80.0
"""By then a whole minute of ordinary spending has closed, which is what the anomaly rule needs to know."""
RUNAWAY_EVERY_S = 15 * 60.0
RUNAWAY_LASTS_S = 40.0
RUNAWAY_CALLS_PER_S = 4.0
RUNAWAY_CONTEXT = (40_000, 5_000, 190_000)
"""Tokens of the first call, growth a call, and where the context window ends."""
RUNAWAY_LABELS = {
    "team": "research",
    "project": "exploration",
    "feature": "exploration",
    "workflow": "deep-research",
    "workflow_version": "v2",
    "agent": "deep-research",
    "environment": "prod",
}
BURST_S_MAX = 2.0
"""After a pause (ingest was away) at most this much is made up for."""

_CACHE_WRITES = "claude-"


@dataclass(frozen=True)
class Flow:
    """One thing that one team's software does, over and over."""

    weight: float
    tenant: str
    team: str
    feature: str
    workflow: str
    provider: str
    model: str
    prompt: int
    """Mean tokens of the prompt, cached ones among them."""
    answer: int
    reasons: int
    """1 = the model thinks before it answers, in tokens of its own."""
    cached: float
    """Share of the prompt that a cache serves."""
    outcome: str
    success: float
    value_usd: float
    """What one success is worth."""
    agent: str
    """'' = no agent."""


def _flows() -> tuple[Flow, ...]:
    """The rows of flows.csv; a column's type is the field's."""
    types: dict[str, Any] = {"float": float, "int": int, "str": str}
    with Path(__file__).with_name("flows.csv").open(newline="") as file:
        return tuple(
            Flow(**{field.name: types[str(field.type)](row[field.name]) for field in fields(Flow)})
            for row in csv.DictReader(file)
        )


_FLOWS = _flows()
Event = dict[str, Any]


@dataclass
class Workload:
    """`take` says which events fall due. `run` goes into every id: another demo is other money."""

    run: str
    seed: int = 1
    rate: float = 75.0
    """Events a second in the middle of the day's shape; 0 = only the agent that runs away."""
    runaway_every_s: float = RUNAWAY_EVERY_S
    _numbers: Iterator[int] = field(default_factory=count)
    _owed: float = 0.0
    _runaway_owed: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a workload, not a secret
        self._weights = [flow.weight for flow in _FLOWS]

    def take(self, now: datetime, elapsed_s: float, step_s: float) -> list[tuple[str, Event]]:
        """(tenant, event) of everything due in the `step_s` before `now`, `elapsed_s` after the start."""
        step_s = min(step_s, BURST_S_MAX)
        self._owed += self.rate * day_shape(now) * step_s
        due, self._owed = int(self._owed), self._owed % 1.0
        events = [self._usage(now) for _ in range(due)]
        since = (elapsed_s - RUNAWAY_FIRST_S) % self.runaway_every_s
        if elapsed_s >= RUNAWAY_FIRST_S and since < RUNAWAY_LASTS_S:
            self._runaway_owed += RUNAWAY_CALLS_PER_S * step_s
            calls, self._runaway_owed = int(self._runaway_owed), self._runaway_owed % 1.0
            episode = int((elapsed_s - RUNAWAY_FIRST_S) // self.runaway_every_s)
            events += [self._runaway(now, episode, since) for _ in range(calls)]
        return events

    def _usage(self, now: datetime) -> tuple[str, Event]:
        flow = self._random.choices(_FLOWS, self._weights)[0]
        kind = self._random.random()
        if kind < 0.12:
            return flow.tenant, self._database(now, flow)
        if kind < 0.15:
            return flow.tenant, self._searches(now, flow)
        return flow.tenant, self._call(now, flow)

    def _call(self, now: datetime, flow: Flow) -> Event:
        chance = self._random
        second = chance.random() < 0.5  # v2 runs beside v1: shorter prompts, better results
        prompt = max(20, int(chance.lognormvariate(math.log(flow.prompt), 0.4) * (0.8 if second else 1.0)))
        prompt = min(prompt, 150_000)
        cached = int(prompt * flow.cached * chance.random()) // 128 * 128
        usage = {
            "input_tokens": prompt - cached,
            "output_tokens": max(1, int(chance.gauss(flow.answer, flow.answer / 4))),
        }
        if cached:
            usage["cache_read_tokens"] = cached
        if flow.model.startswith(_CACHE_WRITES) and chance.random() < 0.15:
            usage["cache_write_5m_tokens"] = usage["input_tokens"] // 2
            usage["input_tokens"] -= usage["cache_write_5m_tokens"]
        if flow.reasons:
            usage["reasoning_tokens"] = int(usage["output_tokens"] * chance.uniform(0.5, 4))
        data: dict[str, Any] = {"provider": flow.provider, "sku": flow.model, "usage": usage}
        data["labels"] = self._labels(flow) | {"workflow_version": "v2" if second else "v1"}
        data["performance"] = {"latency_ms": 200 + 9 * usage["output_tokens"], "status": "ok"}
        if chance.random() < 1 / 3:  # the last call of its run
            won = chance.random() < min(1.0, flow.success * (1.1 if second else 1.0))
            data["outcome"] = {"name": flow.outcome if won else f"{flow.outcome}_failed", "count": 1}
            if won and flow.value_usd:
                data["outcome"]["value"] = {"amount": f"{flow.value_usd:.2f}", "currency": "USD"}
        return self._event(now, flow.tenant, flow.feature, data)

    def _database(self, now: datetime, flow: Flow) -> Event:
        usage = {"read_units": self._random.randint(5, 400), "write_units": self._random.randint(0, 60)}
        sku = "dynamodb-on-demand"
        if flow.tenant != "acme":
            sku, usage = "aurora-standard", {"io_requests": self._random.randint(50, 5000)}
        data = {
            "cost_class": "database",
            "provider": "aws",
            "sku": sku,
            "usage": usage,
            "labels": self._labels(flow),
        }
        return self._event(now, flow.tenant, flow.feature, data)

    def _searches(self, now: datetime, flow: Flow) -> Event:
        data = {"cost_class": "tool", "provider": "openai", "sku": "gpt-4o", "labels": self._labels(flow)}
        return self._event(
            now, flow.tenant, flow.feature, data | {"usage": {"searches": self._random.randint(1, 3)}}
        )

    def _runaway(self, now: datetime, episode: int, since_s: float) -> tuple[str, Event]:
        """An agent that feeds its own answer back to itself: every call is dearer than the one before."""
        first, growth, window = RUNAWAY_CONTEXT
        prompt = min(window, first + int(growth * since_s * RUNAWAY_CALLS_PER_S))
        labels = RUNAWAY_LABELS | {"run": f"{self.run}-loop-{episode}"}
        usage = {"input_tokens": prompt, "output_tokens": 600}
        data = {"provider": "anthropic", "sku": "claude-opus-4-5", "usage": usage, "labels": labels}
        return "acme", self._event(now, "acme", "exploration", data)

    def _labels(self, flow: Flow) -> dict[str, str]:
        chance = self._random
        labels = {"team": flow.team, "project": flow.feature, "feature": flow.feature}
        labels |= {"workflow": flow.workflow, "run": f"{self.run}-{chance.randrange(10**6)}"}
        labels |= {"user": f"user-{chance.randrange(500)}"}
        labels |= {"environment": "prod" if chance.random() < 0.9 else "staging"}
        return labels | ({"agent": flow.agent} if flow.agent else {})

    def _event(self, now: datetime, tenant: str, feature: str, data: dict[str, Any]) -> Event:
        return {
            "specversion": "1.0",
            "type": "spendmeter.usage.v1",
            "id": f"{self.run}-{next(self._numbers)}",
            "source": "demo",
            "subject": f"{tenant}/{feature}",
            "time": now.isoformat(),
            "data": data,
        }


def day_shape(now: datetime) -> float:
    """Between 0.7 at four in the morning (UTC) and 1.3 at four in the afternoon: never asleep."""
    hour = now.hour + now.minute / 60
    return 1.0 - 0.3 * math.cos((hour - 4) / 24 * math.tau)
