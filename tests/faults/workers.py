"""Workers beside the supervisor's: another process of a service, whose environment is changed where a fault needs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import httpx
import psutil

from deploy.local.home import CLONE
from tests.flow.system import System, eventually
from tests.ports import free_port

READY_S_MAX = 60.0
GRACE_S = 30.0


def start(
    system: System, name: str, *, command: Sequence[str] = (), before: Sequence[str] = (), **environment: str
) -> tuple[subprocess.Popen[bytes], int]:
    """A process of the service, with the environment of the supervisor's but for its port and what is said here,
    and that port. `command` is what Python runs instead of the service, `before` what stands before Python."""
    first = system.process(name).identity.process()
    assert first is not None, f"{name} does not run"
    port = free_port()
    environment = first.environ() | {"SPENDMETER_PORT": str(port)} | environment
    run = [*before, sys.executable, *(command or ("-m", f"services.{name}"))]
    with (system.folder / "logs" / f"{name}-beside.log").open("ab") as log:
        return subprocess.Popen(run, cwd=CLONE, env=environment, stdout=log, stderr=log), port


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def beside(
    system: System, name: str, *, before: Sequence[str] = (), **environment: str
) -> Iterator[psutil.Process]:
    """Another worker that has joined; it is ended afterwards, however it stands."""
    process, port = start(system, name, before=before, **environment)
    try:
        eventually(f"a second {name} is ready", lambda: ready(port), READY_S_MAX)
        yield psutil.Process(process.pid)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, in the end by SIGKILL; nothing where it has ended."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            return
        process.kill()
        process.wait()


def ports_of(process: psutil.Process) -> set[int]:
    """Of its own ends of what it is connected by: how Postgres tells its sessions apart."""
    return {each.laddr.port for each in process.net_connections("tcp") if each.laddr}
