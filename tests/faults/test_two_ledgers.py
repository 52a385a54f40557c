"""Two ledgers share the partitions of a running system, and faults of the network and the database come to both; a fast
part of `make faults`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import asyncpg
import httpx
import pytest

from tests.faults.matrix import FAULTS
from tests.faults.trial import Fault, Scene, Stage
from tests.faults.workers import ready
from tests.flow.system import System, eventually

LEDGERS = ("ledger", "ledger-2")
VERIFIED_S_MAX = 300
SCALE = 0.2
BOOKED = re.compile(r"^spendmeter_ledger_events_total\{[^}]*\} (\d+)", re.MULTILINE)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("two")
    with System(folder / "home", ledgers=2) as system:
        yield Stage(system, folder, scale=SCALE)


def booked_by(system: System, name: str) -> int:
    """Events since it was started."""
    text = httpx.get(f"http://127.0.0.1:{system.process(name).port}/metrics", timeout=10).text
    return sum(map(int, BOOKED.findall(text)))


async def both_book(scene: Scene) -> str:
    """Each of them some, of all partitions together."""
    before = {name: booked_by(scene.system, name) for name in LEDGERS}

    def have() -> bool:
        return all(booked_by(scene.system, name) > before[name] for name in LEDGERS)

    await asyncio.to_thread(eventually, "both book", have, 60, 0.2)
    return "both book"


async def killed_in_turn(scene: Scene) -> str:
    """Whoever is left has all partitions, and shares them again with whoever comes back."""
    for name in LEDGERS:
        old = scene.system.kill(name)
        await asyncio.to_thread(scene.system.restarted, name, old)
        await both_book(scene)
    return "each survived the other's end"


async def one_at_a_time(owner: asyncpg.Connection) -> dict[str, bool]:
    """What one of them does for both: moments go forward alone, and rollups are what the minutes say."""
    backwards = """SELECT EXISTS (SELECT FROM (SELECT next_offsets AS now, lag(next_offsets) OVER (ORDER BY at) AS before,
        lag(partitions) OVER (ORDER BY at) = partitions AS comparable FROM moments) AS m
        WHERE comparable AND EXISTS (SELECT FROM unnest(now, before) AS o (a, b) WHERE a < b))"""
    otherwise = """SELECT EXISTS (SELECT FROM rollups r WHERE size = 'five_minutes' AND part = 0
        AND NOT EXISTS (SELECT FROM touched t WHERE t.size = r.size AND t.tenant = r.tenant AND t.bucket = r.bucket)
        AND effective <> (SELECT sum(effective) FROM rollups_minute m WHERE m.tenant = r.tenant AND m.shard >= 0
            AND m.series_id = r.series_id AND m.currency = r.currency
            AND m.bucket >= r.bucket AND m.bucket < r.bucket + interval '5 minutes'))"""
    questions = {"moments go backwards": backwards, "rollups differ": otherwise}
    return {what: await owner.fetchval(question) for what, question in questions.items()}


async def right(stage: Stage, name: str, fault: Fault, seed: int) -> None:
    outcome = await stage.trial(name, fault, seed)
    print(outcome)
    assert (outcome.wrong, outcome.lost, outcome.doubled, outcome.not_run) == ("", 0, 0, "")
    assert outcome.events


async def test_two_ledgers_share_the_work_and_survive_each_others_kill(stage: Stage) -> None:
    await right(stage, "shared", Fault(act=both_book), 1)
    await right(stage, "killed in turn", Fault(act=killed_in_turn), 2)
    owner = await stage.system.database()
    assert await one_at_a_time(owner) == {"moments go backwards": False, "rollups differ": False}
    await owner.close()


@pytest.mark.parametrize(
    "name", ["connection cut inside COMMIT", "read-only database", "worker's code raises"]
)
async def test_a_fault_under_load_costs_and_adds_nothing(stage: Stage, name: str) -> None:
    await right(stage, name, FAULTS[name], 10 + [*FAULTS].index(name))


@pytest.mark.timeout(VERIFIED_S_MAX)
async def test_after_all_of_them_verify_finds_nothing_and_both_ledgers_work(stage: Stage) -> None:
    code, report = await asyncio.to_thread(stage.verify)
    found = {name: line["named"] for name, line in report["invariants"].items() if line["found"]}
    assert (code, found, report["verdict"]) == (0, {}, "clean"), report
    assert [ready(stage.system.process(name).port) for name in LEDGERS] == [True, True]
