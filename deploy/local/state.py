"""What runs now, as the supervisor last wrote it: the only thing that its readers and its successor know."""

import threading
import time
from contextlib import suppress
from typing import Any, Literal

import msgspec

from deploy.local.home import Home, write_private
from deploy.local.processes import Identity

MESSAGES_MAX = 200

ProcessState = Literal["starting", "ready", "restarting", "stopped"]
Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]


class ProcessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process; `pid` is 0 while there is none."""

    name: str
    port: int
    log: str
    pid: int = 0
    started_s: float = 0.0
    restarts: int = 0
    state: ProcessState = "starting"
    trouble: str = ""
    """What it lacks since it last worked, in words; '' = it works."""
    worked_s: float = 0.0
    """When it was last seen to work, by the monotonic clock, which is one for all processes of a machine."""

    @property
    def identity(self) -> Identity:
        return Identity(pid=self.pid, started_s=self.started_s)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person wants to know: a step that took so long, a port that moved, a restart."""

    number: int
    at: float
    text: str


class SystemState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of state.json. `environment`: what `spendmeter env` prints, hence the file's mode 0600."""

    supervisor_pid: int
    supervisor_started_s: float
    phase: Phase = "starting"
    failure: str = ""
    messages: tuple[Message, ...] = ()
    environment: dict[str, str] = {}
    processes: tuple[ProcessEntry, ...] = ()

    @property
    def supervisor(self) -> Identity:
        return Identity(pid=self.supervisor_pid, started_s=self.supervisor_started_s)

    @property
    def running(self) -> bool:
        """True while its supervisor lives."""
        return self.supervisor.process() is not None


def read_state(home: Home) -> SystemState | None:
    """The last state of the home's system; None when it never ran, or ran under another release's format."""
    try:
        return msgspec.json.decode(home.state.read_bytes(), type=SystemState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


class Board:
    """The supervisor's side: every change is on disk, if it takes anything, before the call returns."""

    def __init__(self, home: Home, supervisor: Identity) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._messages = 0
        self._processes: dict[str, ProcessEntry] = {}
        self._state = SystemState(supervisor_pid=supervisor.pid, supervisor_started_s=supervisor.started_s)
        self._replace()

    @property
    def state(self) -> SystemState:
        return self._state

    def say(self, text: str) -> None:
        """Adds a message; the oldest goes when there are MESSAGES_MAX."""
        with self._lock:
            self._messages += 1
            message = Message(number=self._messages, at=time.time(), text=text)
            kept = (*self._state.messages, message)[-MESSAGES_MAX:]
            self._replace(messages=kept)
        with suppress(OSError):
            print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.at)), text, flush=True)

    def enter(self, phase: Phase, failure: str = "") -> None:
        with self._lock:
            self._replace(phase=phase, failure=failure)

    def publish(self, environment: dict[str, str]) -> None:
        with self._lock:
            self._replace(environment=environment)

    def put(self, entry: ProcessEntry) -> None:
        """Adds the process or replaces what was known of it."""
        with self._lock:
            self._processes[entry.name] = entry
            self._replace(processes=tuple(self._processes.values()))

    def catch_up(self) -> None:
        """Write what could not be written when it changed."""
        with self._lock:
            if self._behind:
                self._replace()

    def _replace(self, **changes: Any) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._behind = True
        with suppress(OSError):  # a full disk must not end the supervision: `catch_up` writes it all
            write_private(self._home.state, msgspec.json.encode(self._state).decode())
            self._behind = False
