"""Late events, corrections in any order, jobs and a price that changes meanwhile, on a running system; then all of its
topics once more from their beginning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.repriced import Repricing
from tests.flow.replay import held, replay
from tests.flow.system import System

EVENTS, RATE = 6_000, 600


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system in which nobody else books: what is of today is rolled up when it is over."""
    with System(tmp_path_factory.mktemp("repriced") / "home") as running:
        yield running


@pytest.mark.timeout(900)  # with what starts a system of its own, beside whatever else runs
async def test_jobs_while_events_arrive_and_prices_change_leave_what_the_last_prices_come_to(
    alone: System, tmp_path: Path
) -> None:
    """`python -m tests.faults.repriced` does it with a million events."""
    figures = await Repricing(
        system=alone, folder=tmp_path, events=EVENTS, rate=RATE, days=1, seed=4_711
    ).run()
    assert figures["rerated"] > 0


@pytest.mark.timeout(900)
async def test_every_topic_once_more_from_its_beginning_leaves_every_table_as_it_was(alone: System) -> None:
    before = await held(alone)
    assert before["entries"] and before["corrections"] and before["rerate_jobs"]
    again = await replay(alone)
    assert all(again.values()), again
    assert await held(alone) == before
    verified = alone.cli("verify", check=False)
    assert verified.stdout.startswith("Nothing is wrong"), verified.stdout + verified.stderr
