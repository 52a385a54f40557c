"""Keeps one program running: starts it, notes when it works, starts it again when it dies, stops it."""

import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import Any

import msgspec

from deploy.local.home import Home
from deploy.local.jars import JarRefused
from deploy.local.processes import GRACE_S, Identity, Program, stop
from deploy.local.state import Board, ProcessEntry, ProcessState

BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
STABLE_S = 30.0
"""A process that lived this long was healthy: its next death counts as the first again."""
LOOK_INTERVAL_S = 2.0
"""How often a program that runs is asked whether it works."""
SAID_AFTER_S = 5.0
"""One that does not for so long is worth a message: a busy machine is late for once."""
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
            self._note("ready", trouble="", worked_s=time.monotonic())
            self.ready.set()
        status = self._look_until_end(process)
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"(pid {process.pid}) {how}"

    def _look_until_end(self, process: subprocess.Popen[bytes]) -> int:
        """Keeps asking whether it works, and says when it no longer does and when it does again."""
        said = False
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_INTERVAL_S)
            trouble, silent_s = self.program.trouble() or "", time.monotonic() - self._entry.worked_s
            if self._ending.is_set():
                continue
            if not trouble:
                if said:
                    self._board.say(f"{self.program.name} works again, after {silent_s:.0f} s")
                said = False
                # on disk only where it was in trouble, or the file would be written every two seconds
                self._entry = msgspec.structs.replace(self._entry, worked_s=time.monotonic())
                if self._entry.trouble:
                    self._note("ready", trouble="")
            elif trouble != self._entry.trouble:
                self._note("ready", trouble=trouble)
            if trouble and not said and silent_s >= SAID_AFTER_S:
                self._board.say(f"{self.program.name} has not worked for {silent_s:.0f} s: {trouble}")
                said = True

    def _note(self, state: ProcessState, **changes: Any) -> None:
        self._entry = msgspec.structs.replace(self._entry, state=state, **changes)
        self._board.put(self._entry)
