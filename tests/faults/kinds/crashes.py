"""A process is killed where it stands: the crashes of `make kill`, one of each."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tests.faults.compared import compared, unproved
from tests.faults.harness import VICTIMS, Harness
from tests.faults.trial import FAILURES, Outcome, Stage, worded
from tests.faults.watch import watching

CRASHES = {f"kill {victim}": victim for victim in VICTIMS}
RATE = 3_000
LOAD_S = 5.0


async def crash(stage: Stage, name: str, seed: int) -> Outcome:
    """One crash. The ledger is killed before its COMMIT, or between that and the commit in Kafka."""
    harness = Harness(stage.system, stage.folder, rate=RATE, load_s=LOAD_S, logs=stage.logs)
    told = Outcome(name=name, seed=seed, at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}")
    try:
        done = await harness.round(CRASHES[name], seed)
        seen = f"{done.unbooked:,} events unbooked at the kill" + (f"; {done.seen}" if done.seen else "")
        told = msgspec.structs.replace(told, recovery_s=round(done.recovery_s, 1), seen=seen)
    except FAILURES as failure:
        told = msgspec.structs.replace(told, wrong=worded(failure))
    log = stage.folder / f"sent-{seed}.jsonl"
    async with watching(stage.system) as watch:
        found = await compared(watch.owner, log, seed)
        told = msgspec.structs.replace(told, wrong=told.wrong or found.wrong or await unproved(watch.owner))
    return msgspec.structs.replace(told, events=found.events, lost=found.lost, doubled=found.doubled)
