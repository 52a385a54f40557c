"""Every part is killed once under load; `make kill` does it five times each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.harness import UNBOOKED_MIN, VICTIMS, Harness
from tests.faults.kill import PRIVATE_WEBHOOKS
from tests.flow.system import System

VERIFIED_S_MAX = 900
"""All that was sent in all rounds, beside whatever else runs."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    folder = tmp_path_factory.mktemp("faults")
    with System(folder / "home", environment=PRIVATE_WEBHOOKS) as system:
        yield Harness(system, folder, rate=4_000, load_s=2.5)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_crash_under_load_costs_and_adds_nothing(harness: Harness, victim: str) -> None:
    done = await harness.round(victim, seed=VICTIMS.index(victim) + 1)
    print(done)
    assert done.unbooked >= UNBOOKED_MIN
    assert done.pid_after != done.pid_before


@pytest.mark.timeout(VERIFIED_S_MAX)
async def test_after_all_of_these_crashes_verify_finds_nothing(harness: Harness) -> None:
    """Once for all: nothing of the book is ever changed, so what a crash spoils stays to be found."""
    code, report = await asyncio.to_thread(harness.verify)
    found = {name: line["named"] for name, line in report["invariants"].items() if line["found"]}
    assert (code, found, report["verdict"]) == (0, {}, "clean"), report
