"""From outside the supervisor: starting it detached, and stopping it with all that it keeps."""

import os
import signal
import subprocess
import sys

import msgspec

from deploy.local.home import CLONE, Home
from deploy.local.processes import gone, launch
from deploy.local.state import SystemState, read_state
from deploy.local.supervisor import OPTIONS_VARIABLE, Options, stop_orphans

STOP_SECONDS_MAX = 60.0


def start(home: Home, options: Options) -> subprocess.Popen[bytes]:
    """Starts the supervisor in a session of its own; its output goes to logs/supervisor.log."""
    home.create()
    environment = {
        **os.environ,
        OPTIONS_VARIABLE: msgspec.json.encode(options).decode(),
        "PYTHONPATH": str(CLONE),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "deploy.local.supervisor"]
    return launch(command, home.logs / "supervisor.log", folder=CLONE, environment=environment)


def stop(home: Home) -> list[str]:
    """Stops the home's system and returns the names of what ran.

    The supervisor does it; where it was killed, or does not end in STOP_SECONDS_MAX, what it recorded is
    stopped from here.
    """
    state = read_state(home)
    if state is None:
        return []
    ran = running_names(state)
    supervisor = state.supervisor.process()
    if supervisor is not None:
        supervisor.send_signal(signal.SIGTERM)
        if not gone(state.supervisor, STOP_SECONDS_MAX):
            supervisor.kill()
    stop_orphans(home)
    return ran


def running_names(state: SystemState) -> list[str]:
    """The recorded processes that live now."""
    return [entry.name for entry in state.processes if entry.identity.process() is not None]
