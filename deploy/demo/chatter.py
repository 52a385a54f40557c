"""Searches that are embedded, many a second beside the story, so that something is always passing by: pure.
They are a few words each and cost next to nothing, for money that came with the first look would be news to
every detector."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from deploy.demo.story import WORKS
from deploy.demo.workload import BURST_S_MAX, Event

RATE = 75.0
"""Calls a second."""
TOKENS = (4, 24)
"""Of what somebody types into a search."""
_SMALL = [work for work in WORKS if not work.answer]


@dataclass
class Chatter:
    """`take` says which calls fall due. `run` goes into every id."""

    run: str
    seed: int = 1
    rate: float = RATE
    _numbers: "count[int]" = field(default_factory=count)
    _owed: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a workload, not a secret

    def take(self, now: datetime, step_s: float) -> list[tuple[str, Event]]:
        """(tenant, event) of everything due in the `step_s` before `now`."""
        self._owed += self.rate * min(step_s, BURST_S_MAX)
        due, self._owed = int(self._owed), self._owed % 1.0
        return [self._call(now) for _ in range(due)]

    def _call(self, now: datetime) -> tuple[str, Event]:
        work = self._random.choice(_SMALL)
        data = {
            "provider": work.provider,
            "sku": work.model,
            "usage": {"input_tokens": self._random.randint(*TOKENS)},
            "labels": {
                "team": work.team,
                "project": work.project,
                "feature": work.project,
                "workflow": work.workflow,
                "workflow_version": work.version,
                "environment": "prod",
            },
            "performance": {"latency_ms": self._random.randint(20, 90), "status": "ok"},
        }
        return work.tenant, {
            "specversion": "1.0",
            "type": "spendmeter.usage.v1",
            "id": f"{self.run}-{next(self._numbers)}",
            "source": "demo",
            "subject": f"{work.tenant}/{work.project}",
            "time": now.isoformat(),
            "data": data,
        }
