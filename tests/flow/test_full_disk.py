"""The disk of a running system is full: no service ends, nothing is lost, it is said, and all resumes by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.faults.kinds.disks import SERVICES, disk, fill
from tests.faults.trial import NotHere
from tests.flow.book import settled
from tests.flow.system import System, eventually, usage_event

LOGS_BYTES = 4 * 1024 * 1024
DATA_BYTES = 420 * 1024 * 1024
REFUSED = 200
"""Requests of which each one costs ingest a line."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose logs and whose data are on small disks of their own."""
    home = tmp_path_factory.mktemp("full") / "home"
    with ExitStack() as disks:
        try:
            for name, size in (("logs", LOGS_BYTES), ("data", DATA_BYTES)):
                disks.enter_context(disk(home / name, size))
        except NotHere as why:
            pytest.skip(str(why))
        yield disks.enter_context(System(home))


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
