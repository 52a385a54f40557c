"""The disk under broker and database is full for a while."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.faults.trial import NotHere, Scene
from tests.flow.system import eventually, usage_event

DATA_BYTES = 700 * 1024 * 1024
FULL_S = 15.0
FREED_S_MAX = 120.0
SERVICES = ("ingest", "rating", "ledger", "corrector", "alerts", "api")


@contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """`folder` on a disk of its own. NotHere where nothing may be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        raise NotHere("a full disk needs a mount, which is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Until nothing more fits; what is to be removed."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 20, 65_536, 4_096, 64):
            try:
                while out.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


async def full(scene: Scene) -> str:
    """Until the door has said 503, and some more; no service ends."""
    pids = {name: scene.process(name).pid for name in SERVICES}
    knocks = scene.folder / f"full-disk-{scene.seed}.jsonl"
    scene.logs.append(knocks)
    filler = fill(scene.system.folder / "data")

    def status() -> int:
        event = usage_event(f"full-{scene.seed}", source="full-disk")
        answered = scene.system.send(event).status_code
        submitted = {
            "id": event["id"], "source": event["source"], "tenant": "acme", **event["data"],
            "outcome": "accepted" if answered == 204 else "unknown",
        }  # fmt: skip
        with knocks.open("ab") as log:
            log.write(msgspec.json.encode(submitted) + b"\n")
        return answered

    try:
        await asyncio.to_thread(eventually, "the door says 503", lambda: status() == 503, 90, 0.5)
        await asyncio.sleep(FULL_S * scene.scale)
    finally:
        filler.unlink()
    await asyncio.to_thread(eventually, "the door opens", lambda: status() == 204, FREED_S_MAX, 0.5)
    ended = [name for name, pid in pids.items() if scene.system.process(name).pid != pid]
    assert not ended, f"{', '.join(ended)} ended"
    return f"full for {FULL_S * scene.scale:.0f} s after the first 503; no service ended"
