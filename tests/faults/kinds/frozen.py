"""A process stands still for longer than anybody waits, is succeeded, and wakes up: what it still holds adds nothing.
And the database does, with what waits for it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psutil

from deploy.local.processes import GRACE_S
from tests.faults.correcting import TWICE, Correcting
from tests.faults.deliveries import receiving, told_of_a_budget
from tests.faults.loading import accepted, under_load
from tests.faults.trial import Scene
from tests.faults.workers import beside
from tests.hardship.takeover import freeze_inside

FROZEN_S = (60.0, 90.0)
DATABASE_FROZEN_S = 60.0
GROWTH_MIB_MAX = 100
WAITING = ("ingest", "rating", "ledger", "corrector", "alerts", "api")
ENDED = ("ingest", "ledger", "corrector", "alerts", "api", "reservations", "reconciler")
AWAKE_S = 5.0
"""After it woke up: long enough to send whatever it still held."""


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """They and their children do nothing meanwhile."""
    every = [each for process in processes for each in (process, *process.children(recursive=True))]
    for each in every:
        each.suspend()
    try:
        yield
    finally:
        for each in every:
            if each.is_running():
                each.resume()


def zombie_s(scene: Scene) -> float:
    return scene.random.uniform(*FROZEN_S) * scene.scale


async def rating(scene: Scene) -> str:
    """Another one takes its partitions over meanwhile."""
    frozen, seconds = scene.process("rating"), zombie_s(scene)
    with beside(scene.system, "rating"):
        with stopped(frozen):
            await asyncio.sleep(seconds)
        await asyncio.sleep(AWAKE_S)
        assert frozen.is_running(), "it woke up and ended"
    return f"frozen for {seconds:.0f} s, another in its place"


async def ledger(scene: Scene) -> str:
    """Frozen between its statements and its COMMIT."""
    seconds = zombie_s(scene)
    with beside(scene.system, "ledger"):
        frozen, began = await freeze_inside(scene.owner, [scene.process("ledger")])
        try:
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        finally:
            frozen.resume()
        await asyncio.sleep(AWAKE_S)
        assert frozen.is_running(), "it woke up and ended"
    return f"frozen inside a transaction for {seconds:.0f} s, another in its place"


async def corrector(scene: Scene) -> str:
    """While it prices anew; its successor does the rest of the job."""
    seconds, name = zombie_s(scene), f"zombie-{scene.seed}"
    corrections = await corrections_of(scene, name)
    await corrections.ask(scene.system, scene.owner)
    while not await scene.watch.is_rerating():
        await asyncio.sleep(0.005)
    frozen = scene.process("corrector")
    with stopped(frozen), beside(scene.system, "corrector"):
        await asyncio.sleep(seconds)
        await corrections.settle(scene.owner)
    await asyncio.sleep(AWAKE_S)
    assert frozen.is_running(), "it woke up and ended"
    assert await scene.owner.fetchval(TWICE, name) == 0, "something is corrected twice by one request"
    return f"frozen in a job for {seconds:.0f} s, which another one finished"


async def corrections_of(scene: Scene, name: str) -> Correcting:
    """Of events that are sent for it, to a log that the final `verify` reads."""
    log, since = scene.folder / f"{name}.jsonl", datetime.now(UTC)
    with under_load(scene.system, log, scene.seed + 500_000, "1000", 3) as load:
        await asyncio.to_thread(accepted, load)
    scene.logs.append(log)
    return Correcting.of(name, since, log)


async def alerts(scene: Scene) -> str:
    """Frozen when a budget breaks: another one tells of it, and it alone."""
    seconds, budget = zombie_s(scene), uuid4()
    with receiving() as receiver:
        receiver.may_answer.set()
        with beside(scene.system, "alerts"):
            frozen = scene.process("alerts")
            with stopped(frozen):
                async with told_of_a_budget(scene.owner, receiver, budget, f"zombie {scene.seed}"):
                    began = time.monotonic()
                    assert await asyncio.to_thread(receiver.arrived.wait, seconds), "nobody told of it"
                    told_s = time.monotonic() - began
                    await asyncio.sleep(max(0.0, seconds - told_s))
                    frozen.resume()
                    await asyncio.sleep(AWAKE_S)
            assert frozen.is_running(), "it woke up and ended"
        opened = await scene.owner.fetchval("SELECT count(*) FROM incidents WHERE rule_id = $1", str(budget))
    assert opened == 1, f"{opened} incidents of one budget and threshold"
    bodies = dict(receiver.received)
    assert all(bodies[delivery] == body for delivery, body in receiver.received)
    return f"frozen for {seconds:.0f} s; told of by the other after {told_s:.1f} s, one incident"


async def database(scene: Scene) -> str:
    """Timeouts and a growing lag, and nobody's memory grows with it."""
    before = {name: scene.process(name).memory_info().rss for name in WAITING}
    seconds = DATABASE_FROZEN_S * scene.scale
    with stopped(scene.process("postgres")):
        await asyncio.sleep(seconds)
        grown = {name: scene.process(name).memory_info().rss - was >> 20 for name, was in before.items()}
    worst = max(grown, key=lambda name: grown[name])
    assert grown[worst] < GROWTH_MIB_MAX, f"{worst} grew by {grown[worst]} MiB"
    return f"frozen for {seconds:.0f} s; {worst} grew most, by {grown[worst]} MiB"


async def ended_meanwhile(scene: Scene) -> str:
    """SIGTERM to all that have the database, while it does not answer: each ends within its grace."""
    processes = {name: scene.process(name) for name in ENDED}
    with stopped(scene.process("postgres")):
        await asyncio.sleep(scene.random.uniform(1, 3))
        began = time.monotonic()
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        took: dict[str, float] = {}
        while len(took) < len(processes):
            for name, process in processes.items():
                if name not in took and not process.is_running():
                    took[name] = time.monotonic() - began
            left = sorted(set(processes) - set(took))
            assert time.monotonic() - began < GRACE_S, f"{', '.join(left)} did not end within {GRACE_S:.0f} s"
            await asyncio.sleep(0.05)
    for name, process in processes.items():
        await asyncio.to_thread(scene.system.restarted, name, process.pid)
    worst = max(took, key=lambda name: took[name])
    return f"the last to end was {worst}, after {took[worst]:.1f} s of {GRACE_S:.0f}"
