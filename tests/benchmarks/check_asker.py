"""Asks GET /v1/budgets/check at a modest rate, from a process of its own, until SIGTERM.

    KEY=sm_... [PATH_ASKED=/health] python -m tests.benchmarks.check_asker RATE URL [URL ...]

Each question goes to the next of the processes; where that one is away, at once to another, and the time
counts from the first. Prints one JSON list at the end: [sent, answered] in monotonic seconds, of each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress

import aiohttp
import uvloop

QUESTION = (
    "/v1/budgets/check?provider=openai&sku=gpt-4o&input_tokens=8000&max_output_tokens=1000"
    "&project=p&team=t&agent=swarm"
)
ASKED = os.environ.get("PATH_ASKED", QUESTION)


async def ask(http: aiohttp.ClientSession, targets: list[str], first: int) -> tuple[float, float]:
    """Once; the other processes are asked while one is away."""
    sent = time.monotonic()
    for at in range(first, first + 1_000):
        with suppress(aiohttp.ClientError, TimeoutError):
            async with http.get(targets[at % len(targets)] + ASKED) as answer:
                await answer.read()
                if answer.status == 200:
                    return sent, time.monotonic()
        await asyncio.sleep(0.01)
    raise TimeoutError("nobody answers")


async def main(rate: float, targets: list[str]) -> None:
    """Until SIGTERM, or until whoever started it is gone."""
    stop, took, number = asyncio.Event(), list[tuple[float, float]](), 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    parent = os.getppid()
    headers = {"Authorization": f"Bearer {os.environ['KEY']}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        while not stop.is_set() and os.getppid() == parent:
            took.append(await ask(http, targets, number))
            number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1 / rate)
    print(json.dumps(took))


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]), sys.argv[2:]))
