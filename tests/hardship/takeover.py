"""How long the partitions of a ledger stand still that was frozen inside a transaction, under load.

python -m tests.hardship.takeover      prints one JSON object: {"takeover_s": ...}
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil

from deploy.local.home import CLONE
from tests.flow.system import System, eventually

LOAD_EVENTS_PER_S = 400
LOAD_S = 120
"""Long enough for whatever the measurement waits for; it is ended before."""
JOINED_S_MAX = 60.0
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
        with second_ledger(system) as second, load(system):
            first = system.process("ledger").identity.process()
            assert first is not None, "the ledger does not run"
            frozen, began = await freeze_inside(owner, [first, second])
            try:
                return {"takeover_s": round(await until_all_move(owner, began), 2)}
            finally:
                frozen.resume()
    finally:
        await owner.close()


@contextmanager
def second_ledger(system: System) -> Iterator[psutil.Process]:
    """Another ledger beside the supervisor's, with the same environment but for its port; it has joined."""
    first = system.process("ledger").identity.process()
    assert first is not None, "the ledger does not run"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = first.environ() | {"SPENDMETER_PORT": str(port)}
    with (system.folder / "logs" / "ledger-2.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ledger"], cwd=CLONE, env=environment, stdout=log, stderr=log
        )

    def ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually("the second ledger is ready", ready, JOINED_S_MAX)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


@contextmanager
def load(system: System) -> Iterator[Path]:
    """Events at a steady rate, on all partitions; yields the log of what was sent."""
    folder = Path(tempfile.mkdtemp(prefix="takeover"))
    keys, sent = folder / "keys.json", folder / "sent.jsonl"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(system.keys))
    command = [sys.executable, "-m", "tests.benchmarks.load", "--ingest", system.ingest, "--keys", str(keys)]
    command += ["--rate", str(LOAD_EVENTS_PER_S), "--seconds", str(LOAD_S), "--seed", "1", "--out", str(sent)]
    process = subprocess.Popen(
        command, cwd=CLONE, env=os.environ | {"PYTHONPATH": str(CLONE)}, stdout=subprocess.DEVNULL
    )
    try:
        yield sent
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


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
            if inside & {each.laddr.port for each in ledger.net_connections("tcp") if each.laddr}:
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
