"""The process that learns: the same answer as in this one, a new process after its death, and its end with ours."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from services.alerts.bursts.learning import Explained, History, Learner, learned_from, serve

NOW = datetime(2026, 11, 23, 10, 3, 8, tzinfo=UTC)


def folded(**amounts: str) -> str:
    rows = [
        [[agent, "", "", "", "search", "gpt-4o", "openai"], amount, "0", 1]
        for agent, amount in amounts.items()
    ]
    return json.dumps(rows)


HISTORY = History(
    minutes=[
        (NOW.replace(second=0) - timedelta(minutes=9 - place), folded(triage="2", deep="100" if place == 4 else "1"))
        for place in range(9)
    ],
    explained=[
        Explained(
            scope={"agent": "deep"},
            first=NOW.replace(second=0) - timedelta(minutes=5),
            last=NOW - timedelta(minutes=5),
        )
    ],
    first_seen=None,
    now=NOW,
)  # fmt: skip


def test_what_an_anomaly_explains_teaches_nothing() -> None:
    learned = learned_from(HISTORY)
    assert learned.scopes["agent", "triage"].per_minute == 2
    assert (
        learned.scopes["agent", "deep"].scale == 2
    )  # 2 x the root of 1 a minute in events of 1; not the 100
    assert learned.scopes["team", "search"].per_minute == 3


async def test_the_process_learns_the_same_and_a_dead_one_is_started_anew() -> None:
    async with Learner() as learner:
        assert await learner.learn(HISTORY) == learned_from(HISTORY)
        process = learner._process
        assert process is not None
        process.kill()
        await process.wait()
        with pytest.raises(OSError, match="the learning process is gone"):
            await learner.learn(HISTORY)
        assert await learner.learn(HISTORY) == learned_from(HISTORY)
        process = learner._process
    assert process is not None
    assert process.returncode is not None


def test_it_ends_when_nobody_asks_any_more() -> None:
    answers = io.BytesIO()
    serve(io.BytesIO(b""), answers)
    assert answers.getvalue() == b""
