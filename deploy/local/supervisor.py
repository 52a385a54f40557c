"""Starts Kafka, Postgres and the services in order, keeps them running, and stops what it started.

    python -m deploy.local.supervisor

`spendmeter up` starts it, detached, with its options in the environment. There is one per home, held by a
lock on run/lock; what it does is in run/state.json at every moment, so that a successor finds what a killed
supervisor left behind.
"""

import asyncio
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import msgspec

from deploy.local import home as homes
from deploy.local import services
from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.keeper import Keeper
from deploy.local.postgres import Postgres
from deploy.local.processes import GRACE_S, Identity, Program, bound, stop
from deploy.local.state import Board, ProcessEntry, read_state
from spendmeter.platform.kafka_access import KafkaAccess

OPTIONS_VARIABLE = "SPENDMETER_SUPERVISOR_OPTIONS"
READY_SECONDS_MAX = 120
STARTS_MAX = 5
"""A program that ends this often before it ever worked will not work: the start is given up."""
LOG_CHECK_S = 5
EMBEDDED_PORTS = {"kafka": 19092, "kafka_controller": 19093, "postgres": 15432}
DATABASE = "spendmeter"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `spendmeter up` was asked for; `kafka` and `database` None = embedded."""

    home: str
    kafka: KafkaAccess | None = None
    database: str | None = None
    demo: bool = True
    history_days: int = 0
    """How many days of a story the demo tells first; 0 = it streams at once, and much."""
    topic_prefix: str = ""
    partitions: int = 4
    ledgers: int = 1
    """How many share the partitions."""


class StartFailed(Exception):
    """The system cannot come up; the text says which part and why."""


class Supervisor:
    """One system of one home, from its first process to its last."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._home = Home(Path(options.home))
        self._facts = homes.recall(self._home)
        self._stop = threading.Event()
        self._keepers: list[Keeper] = []
        orphans = stop_orphans(self._home)  # before the board replaces the file that names them
        self._board = Board(self._home, Identity.of(os.getpid()))
        for orphan in orphans:
            self._board.say(f"stopped {orphan.name} (pid {orphan.pid}), left by a supervisor that was killed")
        self._ports = self._settle_ports()

    def run(self) -> int:
        """Starts everything, waits for SIGTERM or SIGINT, stops everything; 1 when the start failed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            self._start()
            while not self._stop.wait(LOG_CHECK_S):
                for log in self._home.logs.glob("*.log"):
                    with suppress(OSError):  # what a log's disk has is no reason to end the supervision
                        bound(log)
                self._board.catch_up()
        except StartFailed as failure:
            self._board.enter("failed", str(failure))
        except BaseException as bug:
            self._board.enter("failed", f"{type(bug).__name__}: {bug}")
            raise
        finally:
            failed = self._stop_everything()
        return 1 if failed else 0

    def _start(self) -> None:
        kafka, database = self._start_servers()
        began = time.monotonic()
        facts = self._unless_stopped(self._prepare(kafka, database))
        if facts is None:
            return
        self._say_step("topics, schema, roles, price catalog", began)
        urls = services.addresses(self._ports)
        servers = {
            **kafka.environment(),
            "DATABASE_URL": database,
            "SPENDMETER_TOPIC_PREFIX": self._options.topic_prefix,
            "SPENDMETER_PARTITIONS": str(self._options.partitions),
        }
        self._board.publish({**urls, **facts, **servers})
        programs = [self._service(name, kafka, database) for name in services.names(self._options.ledgers)]
        if self._options.demo:  # it repeats what ingest does not take yet
            programs.append(
                services.demo(port=self._ports["demo"], environment={**facts, **urls, **self._story()})
            )
        self._keep("services", programs)
        if not self._stop.is_set():
            self._board.enter("ready")

    def _story(self) -> dict[str, str]:
        """What the demo is told of its history, and where it notes how far it is."""
        return {
            "SPENDMETER_DEMO_HISTORY_DAYS": str(self._options.history_days),
            "SPENDMETER_DEMO_MARK": str(self._home.data / "demo-story.json"),
        }

    def _start_servers(self) -> tuple[KafkaAccess, str]:
        """How Kafka is reached and the owner's database URL, once both servers work."""
        broker = Kafka(
            home=self._home,
            port=self._ports["kafka"],
            controller_port=self._ports["kafka_controller"],
            cluster_id=self._facts.cluster_id,
            password=self._facts.kafka_password,
        )
        server = Postgres(
            home=self._home, port=self._ports["postgres"], password=self._facts.postgres_password
        )
        kafka, database = self._options.kafka, self._options.database
        embedded: list[Program] = [*([] if kafka else [broker]), *([] if database else [server])]
        self._keep(" and ".join(program.name for program in embedded), embedded)
        if not kafka and not self._stop.is_set():
            asyncio.run(broker.admit())
        return kafka or broker.access, database or server.url(DATABASE)

    async def _prepare(self, kafka: KafkaAccess, database: str) -> dict[str, str]:
        from deploy.local.prepare import prepare

        return await prepare(
            kafka=kafka,
            owner_url=database,
            role_secret=self._facts.role_secret,
            topic_prefix=self._options.topic_prefix,
            partitions=self._options.partitions,
            secrets_file=self._home.data / "keys.json",
            webhook_url=services.webhook_url(self._ports["demo"]) if self._options.demo else "",
            history=self._options.history_days > 0,
            say=self._board.say,
        )

    def _service(self, name: str, kafka: KafkaAccess, database: str) -> Program:
        from spendmeter.platform.roles import TEAM_READER, role_url
        from spendmeter.platform.service_keys import ACCRUALS, service_key

        role = services.DATABASE_ROLES.get(services.kind(name))
        urls = services.addresses(self._ports)
        return services.service(
            name,
            port=self._ports[name],
            kafka=kafka,
            database_url=role_url(database, role, self._facts.role_secret) if role else None,
            topic_prefix=self._options.topic_prefix,
            partitions=self._options.partitions,
            demo=self._options.demo,
            portal_url=urls["SPENDMETER_PORTAL_URL"],
            ingest_url=urls["SPENDMETER_INGEST_URL"],
            accrual_key=service_key(self._facts.role_secret, ACCRUALS),
            team_database_url=role_url(database, TEAM_READER, self._facts.role_secret),
        )

    def _keep(self, what: str, programs: Sequence[Program]) -> None:
        """Starts the programs and waits until every one works; StartFailed when one does not."""
        if not programs or self._stop.is_set():
            return
        began = time.monotonic()
        keepers = [Keeper(program, self._home, self._board) for program in programs]
        self._keepers += keepers
        for keeper in keepers:
            keeper.start()
        while waiting := [keeper for keeper in keepers if not keeper.ready.is_set()]:
            if self._stop.wait(0.05):
                return
            for keeper in waiting:
                if keeper.failure:
                    raise StartFailed(f"{keeper.program.name} {keeper.failure}")
                if keeper.restarts >= STARTS_MAX:
                    why = f"{keeper.program.name} ended {STARTS_MAX} times"
                    raise StartFailed(f"{why}; {keeper.last_words()}")
                if time.monotonic() - began > READY_SECONDS_MAX:
                    why = f"{keeper.program.name}, after {READY_SECONDS_MAX} s: {keeper.program.trouble()}"
                    raise StartFailed(f"{why}; {keeper.last_words()}")
        self._say_step(what, began)

    def _unless_stopped(self, work: Coroutine[Any, Any, dict[str, str]]) -> dict[str, str] | None:
        """The coroutine's result, or None when SIGTERM came first."""

        async def race() -> dict[str, str] | None:
            task = asyncio.ensure_future(work)
            while not task.done() and not self._stop.is_set():
                await asyncio.wait({task}, timeout=0.1)
            return task.result() if task.done() else None  # asyncio.run cancels what is left

        return asyncio.run(race())

    def _settle_ports(self) -> dict[str, int]:
        """The ports used last, or others where those are taken; a move is said and remembered."""
        wanted = {**EMBEDDED_PORTS, **services.ports(self._options.ledgers), **self._facts.ports}
        ports = homes.choose_ports(wanted)
        for name, port in ports.items():
            if port != wanted[name]:
                self._board.say(f"port {wanted[name]} is taken: {name} uses {port}")
        homes.remember(self._home, homes.with_ports(self._facts, ports))
        return ports

    def _stop_everything(self) -> bool:
        """Services first, then the servers they use; True when the start had failed."""
        failed = self._board.state.phase == "failed"
        if not failed:
            self._board.enter("stopping")
        for servers in (False, True):
            run_together(k.stop for k in self._keepers if (k.program.name in EMBEDDED_PORTS) is servers)
        if not failed:
            self._board.enter("stopped")
        return failed

    def _say_step(self, what: str, began: float) -> None:
        self._board.say(f"{what} ready ({time.monotonic() - began:.1f} s)")


def stop_orphans(home: Home) -> list[ProcessEntry]:
    """Stops, in order, what the home's last supervisor recorded and did not live to stop; returns those."""
    state = read_state(home)
    orphans = [entry for entry in state.processes if entry.identity.process()] if state else []
    for servers in (False, True):
        run_together(
            partial(stop, entry.identity, _STOP_SIGNALS.get(entry.name, signal.SIGTERM), GRACE_S)
            for entry in orphans
            if (entry.name in EMBEDDED_PORTS) is servers
        )
    return orphans


_STOP_SIGNALS = {Postgres.name: Postgres.stop_signal}


def run_together(calls: Iterable[Callable[[], object]]) -> None:
    """Makes the calls in threads of their own and waits for all."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hold_lock(home: Home) -> TextIO | None:
    """The open lock file, held until it is closed or the process ends; None when another holds it."""
    home.create()
    lock = (home.run / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def main() -> int:
    """Runs one home's system until SIGTERM: 0, or 1 when it could not start or runs already."""
    options = msgspec.json.decode(os.environ.pop(OPTIONS_VARIABLE), type=Options)
    lock = hold_lock(Home(Path(options.home)))
    if lock is None:
        print(f"{options.home}: a supervisor runs already", file=sys.stderr)
        return 1
    with lock:
        return Supervisor(options).run()


if __name__ == "__main__":
    raise SystemExit(main())
