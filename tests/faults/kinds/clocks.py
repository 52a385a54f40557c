"""The clock of a machine steps by an hour, either way, under workers that are at work: what a thing costs does not follow."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.trial import NotHere, Scene
from tests.faults.workers import beside

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1")
STEPS = ("+3600", "-3600", "+0")
STEP_S = 8.0
SEEN_AFTER_S = 1


async def steps(scene: Scene) -> str:
    """A rater and a ledger whose clock steps, beside those whose clock does not; what is elapsed they measure rightly."""
    clock = scene.folder / f"clock-{scene.seed}"
    clock.write_text("+0")
    environment = {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": str(SEEN_AFTER_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_XRESET": "0",
    }
    with (
        beside(scene.system, "rating", **environment) as rating,
        beside(scene.system, "ledger", **environment) as ledger,
    ):
        for step in STEPS:
            clock.write_text(step)
            await asyncio.sleep(STEP_S * scene.scale + SEEN_AFTER_S)
        assert rating.is_running(), "the rater ended"
        assert ledger.is_running(), "the ledger ended"
    return f"a rater's and a ledger's clock went {', '.join(STEPS[:2])} s and back"


def _library() -> str:
    """Where Debian and Fedora put it."""
    found = [str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    if not found:
        raise NotHere("needs libfaketime")
    return found[0]
