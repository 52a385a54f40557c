"""A worker whose code raises: `python -m tests.faults.kinds.broken SERVICE CALLS` is the service until it has worked that
often, and a fault puts it beside the supervisor's."""

from __future__ import annotations

import asyncio
import runpy
import sys
from importlib import import_module
from typing import Any

from tests.faults.trial import Scene
from tests.faults.workers import end, start

BREAKS = {"ledger": ("services.ledger.lane", "collect"), "rating": ("services.rating.rounds", "links")}
"""What raises: of the ledger once a batch, of rating once a round, with what was polled in hand."""
CALLS = (3, 30)
ENDED_S_MAX = 60.0
SAID = "a bug on purpose"


async def raising(scene: Scene) -> str:
    """One worker of each service, in its own turn: it ends, and what it held is booked by the others."""
    said = []
    for name in BREAKS:
        calls = scene.random.randint(*CALLS)
        process, _ = start(scene.system, name, command=("-m", __name__, name, str(calls)))
        try:
            status = await asyncio.to_thread(process.wait, ENDED_S_MAX)
        finally:
            end(process)
        assert status != 0, f"{name} ended with {status}"
        said.append(f"{name} raised after {calls} calls and ended with status {status}")
    return "; ".join(said)


def main(name: str, calls: int) -> None:
    module, function = BREAKS[name]
    room = import_module(module)
    whole, left = getattr(room, function), calls

    def until_it_breaks(*said: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError(SAID)
        return whole(*said, **named)

    setattr(room, function, until_it_breaks)
    sys.argv = [f"services.{name}"]
    runpy.run_module(f"services.{name}", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
