"""The disk under the logs of a running system is full: nobody ends, nothing is lost, and the logs say so."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flow.book import settled
from tests.flow.system import System, usage_event

LOGS_BYTES = 4 * 1024 * 1024
REFUSED = 200
"""Requests of which each one costs ingest a line."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home's folder of logs on a small disk of its own. Skipped, by name, where nothing may be mounted."""
    folder = tmp_path_factory.mktemp("full") / "home" / "logs"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={LOGS_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a full disk needs a mount, which is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def running(logs: Path) -> Iterator[System]:
    with System(logs.parent) as system:
        yield system


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (65_536, 4_096, 64):
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
    running: System, logs: Path
) -> None:
    pids = {entry.name: entry.pid for entry in running.state.processes}
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
