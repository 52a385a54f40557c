"""How long the partitions of a ledger stand still that was frozen inside a transaction, under load.

python -m tests.hardship.takeover      prints one JSON object: {"takeover_s": ...}
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil

from tests.faults.loading import under_load
from tests.faults.workers import beside, ports_of
from tests.flow.system import System

LOAD_EVENTS_PER_S = 400
LOAD_S = 120
"""Long enough for whatever the measurement waits for; it is ended before."""
SMALL = ("--request-events", "100")
"""Events at a steady rate, on all partitions."""
MOMENT_S_MAX = 60.0
"""How long to look for the moment at which a ledger stands inside a transaction."""
TAKEN_OVER_S_MAX = 90.0
FREEZE_S = 0.03
"""Long enough for statements under way to end and to show as `idle in transaction`."""
SEEN_S = 2.0
"""Under this load every partition that is not frozen moves within it."""
INSIDE = (
    "SELECT client_port FROM pg_stat_activity WHERE application_name = 'spendmeter-ledger' "
    "AND state = 'idle in transaction' AND backend_xid IS NOT NULL"
)


def measure(system: System) -> dict[str, float]:
    """`takeover_s`: from the freeze until every partition of the frozen ledger has moved again."""
    return asyncio.run(_measure(system))


async def _measure(system: System) -> dict[str, float]:
    owner = await system.database()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="takeover") as folder,
            beside(system, "ledger") as second,
            under_load(system, Path(folder) / "sent.jsonl", 1, str(LOAD_EVENTS_PER_S), LOAD_S, *SMALL),
        ):
            first = system.process("ledger").identity.process()
            assert first is not None, "the ledger does not run"
            frozen, began = await freeze_inside(owner, [first, second])
            try:
                return {"takeover_s": round(await until_all_move(owner, began), 2)}
            finally:
                frozen.resume()
    finally:
        await owner.close()


async def freeze_inside(
    owner: asyncpg.Connection, ledgers: list[psutil.Process]
) -> tuple[psutil.Process, float]:
    """Stop one of the ledgers where it has written and not committed; which, and when."""
    deadline = time.monotonic() + MOMENT_S_MAX
    while time.monotonic() < deadline:
        for ledger in ledgers:
            ledger.suspend()
            began = time.monotonic()
            time.sleep(FREEZE_S)
            inside = {port for (port,) in await owner.fetch(INSIDE)}
            if inside & ports_of(ledger):
                return ledger, began
            ledger.resume()
            time.sleep(FREEZE_S)
    raise AssertionError(f"no ledger was met inside a transaction within {MOMENT_S_MAX} s")


async def until_all_move(owner: asyncpg.Connection, began: float) -> float:
    """Seconds from `began` until every partition that stood still has moved."""
    before = await positions(owner)
    time.sleep(SEEN_S)
    after = await positions(owner)
    still = {partition for partition, at in before.items() if after[partition] == at}
    assert still, "the frozen ledger had no partition"
    while True:
        now = await positions(owner)
        if all(now[partition] > before[partition] for partition in still):
            return time.monotonic() - began
        assert time.monotonic() - began < TAKEN_OVER_S_MAX, f"partitions {still} stand still"
        time.sleep(0.05)


async def positions(owner: asyncpg.Connection) -> dict[int, int]:
    """next_origin by partition."""
    rows = await owner.fetch("SELECT partition, next_origin FROM positions")
    return {row["partition"]: row["next_origin"] for row in rows}


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="takeover"))
    with System(folder / "home") as system:
        print(json.dumps(measure(system)))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
