"""Workers join and leave all the time, each time taking the partitions of all others away."""

from __future__ import annotations

import asyncio
import subprocess
import time

from tests.faults.trial import Scene
from tests.faults.workers import end, start

STORM_S = 120.0
EVERY_S = 3.0
AT_ONCE_MAX = 2
"""Beside the supervisor's, of each service."""


async def storm(scene: Scene) -> str:
    """Ledgers and raters; who leaves is told to, or is killed."""
    joined: list[tuple[str, subprocess.Popen[bytes]]] = []
    joins = leaves = kills = 0
    until = time.monotonic() + STORM_S * scene.scale
    try:
        while time.monotonic() < until:
            name = scene.random.choice(("ledger", "ledger", "rating"))
            present = [each for each in joined if each[0] == name]
            if len(present) < AT_ONCE_MAX and (not present or scene.random.random() < 0.5):
                joined.append((name, start(scene.system, name)[0]))
                joins += 1
            else:
                leaving = scene.random.choice(present)
                joined.remove(leaving)
                if scene.random.random() < 0.5:
                    leaving[1].kill()
                    kills += 1
                else:
                    leaving[1].terminate()
                    leaves += 1
                await asyncio.to_thread(leaving[1].wait, 30)
            await asyncio.sleep(EVERY_S)
    finally:
        for _, process in joined:
            await asyncio.to_thread(end, process)
    return f"{joins} joined, {leaves} left and {kills} were killed, one every {EVERY_S:.0f} s"
