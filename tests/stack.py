"""A real Kafka and a real Postgres in a folder of their own: what tests and benchmarks run against.

    with Stack(folder) as stack:
        stack.kafka        # KafkaAccess("127.0.0.1:23012", SASL_PLAINTEXT, username="spendmeter")
        stack.owner_url    # "postgresql://postgres:...@127.0.0.1:23013/postgres", the maintenance database
        stack.kill("kafka"); stack.start("kafka")

Nothing is supervised: what a test kills stays dead until it says otherwise.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from deploy.local import home as homes
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.processes import GRACE_S, Identity, Program, stop
from spendmeter.platform.kafka_access import KafkaAccess

READY_SECONDS_MAX = 90
STARTS_MAX = 5
PARTS = ("kafka", "postgres")


def own_database(owner_url: str, whose: str) -> str:
    """The URL of a database of its own, which `migrate` makes, beside the one that `owner_url` names."""
    return f"{owner_url.rpartition('/')[0]}/{whose}_{uuid4().hex[:8]}"


class Stack:
    """Kafka and Postgres (or one of them) on free ports, both below one folder."""

    def __init__(self, folder: Path, parts: Iterable[str] = PARTS) -> None:
        self.home = homes.Home(folder)
        facts = homes.recall(self.home)
        # below the ports that the system gives to clients: a client that retries a dead server's port from
        # that range can be given the very port as its own, connect to itself and keep it from the server
        first = 20_000 + secrets.randbelow(12_000)
        ports = homes.choose_ports(dict.fromkeys(("kafka", "kafka_controller", "postgres"), first))
        self._kafka = Kafka(
            home=self.home,
            port=ports["kafka"],
            controller_port=ports["kafka_controller"],
            cluster_id=facts.cluster_id,
            password=facts.kafka_password,
        )
        self._postgres = Postgres(home=self.home, port=ports["postgres"], password=facts.postgres_password)
        homes.remember(self.home, facts)
        self._parts: dict[str, Program] = {
            program.name: program for program in (self._kafka, self._postgres) if program.name in set(parts)
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kafka(self) -> KafkaAccess:
        """How clients reach the broker."""
        return self._kafka.access

    @property
    def kafka_controller_port(self) -> int:
        return self._kafka.controller_port

    @property
    def owner_url(self) -> str:
        """The superuser's URL of the maintenance database `postgres`."""
        return self._postgres.url()

    @property
    def kafka_pid(self) -> int:
        return self._running["kafka"].pid

    @property
    def postgres_pid(self) -> int:
        return self._running["postgres"].pid

    def start(self, *names: str) -> None:
        """Starts the parts (all by default) at the same time; returns when each accepts connections."""
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(self._start, name) for name in names or self._parts]:
                started.result()

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> None:
        """Sends one part a signal and waits for its end (Postgres: SIGQUIT is "immediate")."""
        process = self._running.pop(name)
        process.send_signal(sign)
        process.wait(GRACE_S)

    def restart(self, name: str, sign: signal.Signals = signal.SIGKILL) -> None:
        self.kill(name, sign)
        self.start(name)

    def stop(self) -> None:
        """Stops what runs, the broker first: its clients need no database, the others' do."""
        for name in [name for name in PARTS if name in self._running]:
            process = self._running.pop(name)
            if process.poll() is None:
                stop(Identity.of(process.pid), self._parts[name].stop_signal, GRACE_S)
            process.wait()

    def _start(self, name: str) -> None:
        program, log = self._parts[name], self.home.logs / f"{name}.log"
        deadline = time.monotonic() + READY_SECONDS_MAX
        for attempt in range(1, STARTS_MAX + 1):
            process = self._running[name] = program.spawn(log)
            while process.poll() is None:
                if program.trouble() is None:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{name} {program.trouble()} after {READY_SECONDS_MAX} s: see {log}")
                time.sleep(0.05)
            time.sleep(0.2 * attempt)  # a killed server's children may need a moment to let go of its memory
        raise RuntimeError(f"{name} ended {STARTS_MAX} times while starting: see {log}")

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
