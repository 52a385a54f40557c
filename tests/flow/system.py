"""A whole Spendmeter in a folder of its own, started as people start it: `spendmeter up --detach`."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import asyncpg
import httpx
import psutil

from deploy.local import home as homes
from deploy.local import services
from deploy.local.home import CLONE, Home
from deploy.local.state import ProcessEntry, SystemState, read_state
from deploy.local.supervisor import EMBEDDED_PORTS
from spendmeter.platform.kafka_access import KafkaAccess

UP_SECONDS_MAX = 240
DOWN_SECONDS_MAX = 120
COMMAND_SECONDS_MAX = 240
"""A command that hangs; one that verifies a book beside another system's tests may take a minute."""
T = TypeVar("T")


def eventually(what: str, look: Callable[[], T], within_s: float = 60, every_s: float = 0.05) -> T:
    """What `look` says once it is true. AssertionError, saying what was awaited, when it stays false."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(every_s)
    return seen


@dataclass
class System:
    """`with System(folder) as system:`; stopped at the end, whatever happened."""

    folder: Path
    partitions: int = 4
    ledgers: int = 1
    demo: bool = False
    history_days: int = 0
    """Of the demo's story; 0 = it streams as much as three companies may."""
    environment: dict[str, str] = field(default_factory=dict)
    """On top of the caller's: every process inherits it."""

    def __enter__(self) -> System:
        self._choose_ports()
        try:
            demo = () if self.demo else ("--no-demo",)
            said = ("--history", str(self.history_days), "--ledgers", str(self.ledgers), *demo)
            self.cli("up", "--detach", *said, timeout=UP_SECONDS_MAX)
        except BaseException:
            self.cli("down", timeout=DOWN_SECONDS_MAX, check=False)
            raise
        return self

    def _choose_ports(self) -> None:
        """Ports of its own, remembered as if used before: beside a running `make up` nobody should have to move.
        Its supervisor takes others where these are not free."""
        facts = homes.recall(Home(self.folder))
        first = 20_000 + secrets.randbelow(12_000)
        names = (*EMBEDDED_PORTS, *services.ports(self.ledgers))
        ports = {name: first + 10 * at for at, name in enumerate(names)}
        homes.remember(Home(self.folder), homes.with_ports(facts, ports))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all of it; nothing where nothing runs."""
        self.cli("down", timeout=DOWN_SECONDS_MAX)

    def cli(
        self, *arguments: str | Path, timeout: float = COMMAND_SECONDS_MAX, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line. AssertionError with its output when it fails."""
        environment = {**os.environ, "SPENDMETER_PARTITIONS": str(self.partitions), **self.environment}
        environment["SPENDMETER_HOME"] = str(self.folder)
        for foreign in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
            environment.pop(foreign, None)
        command = [str(part) for part in (CLONE / "bin" / "spendmeter", *arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{arguments[0]}: {done.stdout}{done.stderr}"
        return done

    @property
    def state(self) -> SystemState:
        state = read_state(Home(self.folder))
        assert state is not None, f"nothing ever ran in {self.folder}"
        return state

    @property
    def kafka(self) -> KafkaAccess:
        return KafkaAccess.of(self.state.environment)

    @property
    def owner_url(self) -> str:
        return self.state.environment["DATABASE_URL"]

    @property
    def ingest(self) -> str:
        return self.state.environment["SPENDMETER_INGEST_URL"]

    @property
    def api(self) -> str:
        return self.state.environment["SPENDMETER_API_URL"]

    @property
    def keys(self) -> dict[str, str]:
        """Tenant to key, to send and read with; the first is SPENDMETER_API_KEY."""
        keys: dict[str, str] = json.loads(self.state.environment["SPENDMETER_DEMO_KEYS"])
        return keys

    def get(self, path: str, *, tenant: str = "acme", **query: str) -> Any:
        """The api's answer to a tenant's GET. httpx.HTTPStatusError for another status than 200."""
        headers = {"Authorization": f"Bearer {self.keys[tenant]}", "Cache-Control": "no-cache"}
        return httpx.get(self.api + path, params=query, headers=headers, timeout=30).raise_for_status().json()

    def send(self, *events: dict[str, Any], tenant: str = "acme") -> httpx.Response:
        """Post events to ingest as one batch."""
        headers = {
            "Authorization": f"Bearer {self.keys[tenant]}",
            "Content-Type": "application/cloudevents-batch+json",
        }
        return httpx.post(
            f"{self.ingest}/api/v1/events", content=json.dumps(events), headers=headers, timeout=30
        )

    async def database(self) -> asyncpg.Connection:
        """The owner's connection; the caller closes it."""
        return await asyncpg.connect(self.owner_url, command_timeout=60)

    def process(self, name: str) -> ProcessEntry:
        return next(entry for entry in self.state.processes if entry.name == name)

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> int:
        """Send a process a signal (SIGKILL by default); returns its id, which is soon nobody's."""
        entry = self.process(name)
        process = entry.identity.process()
        assert process is not None, f"{name} does not run"
        process.send_signal(sign)
        return entry.pid

    def restarted(self, name: str, old_pid: int, within_s: float = 90) -> int:
        """Wait until the supervisor has brought another process of that name up; returns its id."""

        def is_back() -> int:
            entry = self.process(name)
            return entry.pid if entry.pid not in (0, old_pid) and entry.state == "ready" else 0

        return eventually(f"{name} is back", is_back, within_s)

    def cpu_seconds(self) -> dict[str, float]:
        """CPU used so far by each process with its children (Postgres answers in children)."""
        return {entry.name: _cpu(entry.pid) for entry in self.state.processes if entry.pid}


def priced_by(system: System) -> int:
    """The publication that rating prices with, as it says itself."""
    port = system.process("rating").port
    found = re.search(
        r"^spendmeter_rating_catalog_version\S* (\d+)",
        httpx.get(f"http://127.0.0.1:{port}/metrics").text,
        re.MULTILINE,
    )
    return int(found[1]) if found else 0


def _cpu(pid: int) -> float:
    process = psutil.Process(pid)
    used = process.cpu_times()
    total = used.user + used.system + used.children_user + used.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def usage_event(id: str, *, source: str = "flow", **data: Any) -> dict[str, Any]:
    """A CloudEvent as an application sends it: gpt-4o, 1,000 tokens in and 100 out unless said otherwise."""
    data = {
        "provider": "openai",
        "sku": "gpt-4o",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    } | data
    return {
        "specversion": "1.0",
        "type": "spendmeter.usage.v1",
        "id": id,
        "source": source,
        "subject": "acme/flow",
        "data": data,
    }
