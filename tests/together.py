"""What the processes of one run of the tests share: one Kafka, one Postgres, and whose turn it is.

`make test` runs workers side by side (pytest-xdist). The process that starts the run makes a folder and names it in
the environment, where its workers, and a pytest inside of a test, find it. Whoever needs the servers first starts
them. The process that made the folder stops them at the end, and with them whatever a test or a worker that was
killed left behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import asyncpg
import msgspec
import psutil

from deploy.local.home import Home
from deploy.local.processes import GRACE_S, Identity, stop
from spendmeter.platform.kafka_access import KafkaAccess
from tests.stack import Stack

VARIABLE = "SPENDMETER_TEST_RUN"
PR_SET_CHILD_SUBREAPER = 36
LEFT_S_MAX = 30.0
"""How long what was left behind may take to end in order: a supervisor stops its whole system meanwhile."""


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """The Kafka and the Postgres of the run, as each of its processes knows them."""

    root: str
    kafka: KafkaAccess
    kafka_controller_port: int
    owner_url: str
    """The superuser's URL of the maintenance database."""
    kafka_process: Identity
    postgres_process: Identity

    @property
    def home(self) -> Home:
        return Home(Path(self.root))

    @property
    def kafka_pid(self) -> int:
        return self.kafka_process.pid

    @property
    def postgres_pid(self) -> int:
        return self.postgres_process.pid


class Run:
    """One run of the tests, as one of its processes sees it."""

    def __init__(self, folder: Path, *, first: bool) -> None:
        self._folder = folder
        self._first = first
        self._servers = folder / "servers.json"
        self._inside_of_a_test = "PYTEST_CURRENT_TEST" in os.environ

    @classmethod
    def join(cls) -> Run:
        """The run that the environment names, else a new one, which it names from now on."""
        if folder := os.environ.get(VARIABLE):
            return cls(Path(folder), first=False)
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="spend meter ")
        # what `timeout` or CI sends is a Ctrl-C: tests stop what they started, and `end` the rest
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if sys.platform == "linux":  # elsewhere what loses its parent is lost to `end` as well
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return cls(Path(os.environ[VARIABLE]), first=True)

    def servers(self) -> Servers:
        """The servers of the run, both below a folder with a space in its name; who asks first starts them."""
        with self._locked("starting", fcntl.LOCK_EX):
            if not self._servers.exists():
                self._servers.write_bytes(msgspec.json.encode(_start(self._folder / "home")))
        return msgspec.json.decode(self._servers.read_bytes(), type=Servers)

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """One test's turn: beside those of other workers, or with nothing else under way. They come in the order
        in which they ask, so that one that waits to be alone is not passed by all others."""
        if self._inside_of_a_test:
            yield  # in that test's turn
            return
        with self._locked("queue", fcntl.LOCK_EX):
            room = self._locked("room", fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        with room:
            yield

    def end(self) -> list[str]:
        """Stop the servers, then what else descends from this process, and remove the folder; returns the names of
        what was left behind. Only the first process does anything."""
        if not self._first:
            return []
        os.environ.pop(VARIABLE, None)
        if self._servers.exists():
            servers = msgspec.json.decode(self._servers.read_bytes(), type=Servers)
            # not in order: the data goes too, and to write that of some hundred databases takes a while
            stop(servers.kafka_process, signal.SIGKILL, GRACE_S)
            stop(servers.postgres_process, signal.SIGQUIT, GRACE_S)
        left = _stop_descendants()
        shutil.rmtree(self._folder, ignore_errors=True)
        return left

    def _locked(self, name: str, how: int) -> TextIO:
        """A file of the run, locked until it is closed or the process ends."""
        file = (self._folder / name).open("w")
        fcntl.flock(file, how)
        return file


def _start(folder: Path) -> Servers:
    stack = Stack(folder)
    try:
        stack.start()
        with ThreadPoolExecutor(1) as elsewhere:  # here a loop of the tests may be the thread's
            elsewhere.submit(asyncio.run, _let_go(stack.owner_url)).result()
        return Servers(
            root=str(stack.home.root),
            kafka=stack.kafka,
            kafka_controller_port=stack.kafka_controller_port,
            owner_url=stack.owner_url,
            kafka_process=Identity.of(stack.kafka_pid),
            postgres_process=Identity.of(stack.postgres_pid),
        )
    except BaseException:
        stack.stop()
        raise


async def _let_go(owner_url: str) -> None:
    """Nothing of the run outlives it, so its Postgres waits for no disk. A test of a crash has servers of its own."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ALTER SYSTEM SET fsync = off")
        await owner.execute("ALTER SYSTEM SET full_page_writes = off")
        await owner.execute("SELECT pg_reload_conf()")
    finally:
        await owner.close()


def _stop_descendants() -> list[str]:
    """A supervisor is asked to end, and ends its system; what still runs after LEFT_S_MAX is killed."""
    tops = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    names = []
    for top in tops:
        with suppress(psutil.NoSuchProcess):
            names.append(" ".join(top.cmdline()[:4]))
            top.terminate()
    psutil.wait_procs(tops, LEFT_S_MAX)
    for remaining in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            remaining.kill()
    return names
