"""The disk of a running system is full: no service ends, nothing is lost, it is said, and all resumes by itself."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.flow.book import settled
from tests.flow.system import System, eventually, usage_event

LOGS_BYTES = 4 * 1024 * 1024
DATA_BYTES = 420 * 1024 * 1024
SERVICES = ("ingest", "rating", "ledger", "corrector", "alerts", "api")
REFUSED = 200
"""Requests of which each one costs ingest a line."""


@contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """`folder` on a disk of its own. Skipped, by name, where nothing may be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a full disk needs a mount, which is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose logs and whose data are on small disks of their own."""
    home = tmp_path_factory.mktemp("full") / "home"
    with disk(home / "logs", LOGS_BYTES), disk(home / "data", DATA_BYTES), System(home) as system:
        yield system


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 20, 65_536, 4_096, 64):
            try:
                while out.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def refused(system: System) -> None:
    key = {"Authorization": f"Bearer {system.keys['acme']}", "Content-Type": "application/json"}
    with httpx.Client(headers=key, timeout=30) as client:
        for _ in range(REFUSED):
            assert client.post(f"{system.ingest}/api/v1/events", content=b"{}").status_code == 400


async def test_services_go_on_with_a_full_disk_under_their_logs_and_the_last_line_says_so(
    running: System,
) -> None:
    pids = {entry.name: entry.pid for entry in running.state.processes}
    logs = running.folder / "logs"
    filler = fill(logs)
    refused(running)
    log = logs / "ingest.log"
    lines = log.read_text().splitlines(keepends=True)
    assert all(line.endswith("\n") and json.loads(line) for line in lines)
    last = json.loads(lines[-1])
    assert last["event"] == "the log cannot be written: lines are lost"
    assert last["error"] == "No space left on device"
    assert running.send(*(usage_event(f"full-{n}", source="full-disk") for n in range(30))).status_code == 204
    owner = await running.database()
    assert dict(await settled(owner, "full-disk", 30)) == {"booked": 30}
    await owner.close()
    assert {entry.name: entry.pid for entry in running.state.processes} == pids
    filler.unlink()
    refused(running)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert "log lines were lost" in events
    assert events[-1] == "request refused"


async def test_a_full_disk_under_broker_and_database_is_said_and_all_resumes_by_itself(
    running: System,
) -> None:
    pids = {name: running.process(name).pid for name in SERVICES}
    filler = fill(running.folder / "data")
    events = [usage_event(f"data-{n}", source="full-data") for n in range(30)]
    eventually("the door says 503", lambda: running.send(*events).status_code == 503, 90, 0.5)
    eventually("status names it", lambda: "not ready" in running.cli("status", check=False).stdout, 90, 0.5)
    filler.unlink()
    eventually("the door takes them", lambda: running.send(*events).status_code == 204, 120, 0.5)
    owner = await running.database()
    counted = await settled(owner, "full-data", 30)
    await owner.close()
    assert counted["booked"] == 30  # and any number of copies, for a 503 may have been too late
    assert counted.keys() <= {"booked", "duplicate"}
    assert {name: running.process(name).pid for name in SERVICES} == pids
