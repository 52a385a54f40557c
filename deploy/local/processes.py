"""One process of the local system: how it is started, recognised later, and stopped.

A process is known by its id *and* its time of start: ids are reused, and nobody else's process may be hit.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

GRACE_S = 15.0
"""How long a process may take to stop before it is killed; a service gives itself 10 s."""
START_PRECISION_S = 0.02
LOG_BYTES_MAX = 20_000_000
"""A log that grows past this keeps its last such part as NAME.log.1."""


class Program(Protocol):
    """Something that the supervisor can keep running."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def stop_signal(self) -> signal.Signals: ...
    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts it, output appended to the log; the first start may set up its data."""
        ...

    def trouble(self) -> str | None:
        """None when it works; else what it still lacks, in words."""
        ...


@dataclass(frozen=True, kw_only=True)
class Account:
    """The operating system user that a process runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Identity:
    """`started_s`: seconds from the machine's start to the process's: no clock change moves it."""

    pid: int
    started_s: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid=pid, started_s=psutil.Process(pid).create_time() - psutil.boot_time())

    def process(self) -> psutil.Process | None:
        """The process itself, or None when it has ended (a zombie has); id 0 stands for none."""
        if self.pid == 0:
            return None
        try:
            found = psutil.Process(self.pid)
            same = abs(Identity.of(self.pid).started_s - self.started_s) < START_PRECISION_S
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def launch(
    command: Sequence[str | Path],
    log: Path,
    *,
    folder: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own, so that a terminal's Ctrl-C reaches only who handles it."""
    bound(log)
    with log.open("ab") as output:
        # Kafka's log of its first start holds what logins are checked by; logs are for the owner alone.
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )


def finish(process: subprocess.Popen[bytes], what: str, log: Path, *, seconds_max: float) -> None:
    """Waits for a command's end; RuntimeError when it fails, subprocess.TimeoutExpired when it hangs."""
    try:
        if status := process.wait(seconds_max):
            raise RuntimeError(f"{what} failed with status {status}: see {log}")
    finally:
        process.kill()


def bound(log: Path) -> None:
    """Keeps a log within LOG_BYTES_MAX twice over. Its writer appends, so cutting it under it is safe."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        with suppress(OSError):  # on a full disk the room is worth more than the old part
            shutil.copy(log, log.with_name(log.name + ".1"))  # and who may read it
        os.truncate(log, 0)


def stop(identity: Identity, sign: signal.Signals, grace_s: float) -> bool:
    """Asks a process to end and kills it after the grace; True when it ended by itself."""
    process = identity.process()
    if process is None:
        return True
    _send(process, sign)
    if gone(identity, grace_s):
        return True
    _send(process, signal.SIGKILL)
    gone(identity, grace_s)
    return False


def gone(identity: Identity, within_s: float) -> bool:
    """True once the process has ended, False when it still runs after that many seconds."""
    deadline = time.monotonic() + within_s
    while identity.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _send(process: psutil.Process, sign: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(sign)  # psutil compares the time of start once more before it sends
