"""Keeps one program running: starts it, notes when it works, starts it again when it dies, stops it."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from typing import Any

import msgspec

from deploy.local.home import Home
from deploy.local.kafka_jars import JarRefused
from deploy.local.processes import GRACE_S, Identity, Program, stop
from deploy.local.state import Board, ProcessEntry, ProcessState

BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
STABLE_S = 30.0
"""A process that lived this long was healthy: its next death counts as the first again."""
LAST_LINES = 8
START_ERRORS = (JarRefused, RuntimeError, OSError, subprocess.SubprocessError)


def backoff_s(deaths: int) -> float:
    """How long to wait after that many deaths in a row: 0.25, 0.5, 1 ... 30 s."""
    return min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(deaths - 1, 20))


class Keeper:
    """One program in a thread of its own, from `start` to `stop`."""

    def __init__(self, program: Program, home: Home, board: Board) -> None:
        self.program = program
        self.ready = threading.Event()
        """Set when it works for the first time."""
        self.failure = ""
        """Why it could not even be started, the last time that happened."""
        self._board = board
        self._log = home.logs / f"{program.name}.log"
        self._entry = ProcessEntry(name=program.name, port=program.port, log=str(self._log))
        self._ending = threading.Event()
        self._spawning = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name=program.name, daemon=True)

    @property
    def restarts(self) -> int:
        return self._entry.restarts

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text("utf-8", "replace").splitlines() if self._log.exists() else []
        return "\n".join([f"the end of {self._log}:", *lines[-LAST_LINES:]])

    def start(self) -> None:
        self._note("starting")
        self._thread.start()

    def stop(self) -> None:
        """Ends the process: its own stop signal, a grace, then SIGKILL."""
        self._ending.set()
        with self._spawning:
            running = self._entry.identity
        if not stop(running, self.program.stop_signal, GRACE_S):
            self._board.say(f"{self.program.name} did not stop within {GRACE_S} s and was killed")
        self._thread.join(GRACE_S)
        self._note("stopped", pid=0, started_s=0.0)

    def _keep(self) -> None:
        deaths = 0
        while not self._ending.is_set():
            began = time.monotonic()
            process = self._spawn()
            ended = self._watch(process) if process else self.failure
            if self._ending.is_set():
                return
            deaths = 1 if time.monotonic() - began > STABLE_S else deaths + 1
            pause = backoff_s(deaths)
            self._note("restarting", pid=0, started_s=0.0, restarts=self._entry.restarts + 1)
            self._board.say(f"{self.program.name} {ended}: restart {self._entry.restarts} in {pause:g} s")
            self._ending.wait(pause)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._spawning:  # `stop` must see either no process or the recorded one
            if self._ending.is_set():
                return None
            try:
                process = self.program.spawn(self._log)
                self._note("starting", pid=process.pid, started_s=Identity.of(process.pid).started_s)
            except START_ERRORS as trouble:
                self.failure = f"cannot start: {trouble}"
                return None
            return process

    def _watch(self, process: subprocess.Popen[bytes]) -> str:
        """Waits for the process's end and says how it ended; notes on the way that it works."""
        while process.poll() is None and self.program.trouble() is not None:
            time.sleep(0.05)
        if process.poll() is None:
            self._note("ready")
            self.ready.set()
        status = process.wait()
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"(pid {process.pid}) {how}"

    def _note(self, state: ProcessState, **changes: Any) -> None:
        self._entry = msgspec.structs.replace(self._entry, state=state, **changes)
        self._board.put(self._entry)
