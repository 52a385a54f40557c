"""Run as a process by a test: tries what the guard of Apprise's process forbids, and says what came of it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from services.alerts.notify.apprise_child import Refusals


def tried(name: str, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        print(f"{name}: {type(error).__name__}")
    else:
        print(f"{name}: done")


if __name__ == "__main__":
    Refusals().guard(allow_private=False)
    tried("open /etc/passwd", lambda: Path("/etc/passwd").read_text())
    tried("Popen", lambda: subprocess.Popen(["true"]))
    tried("connect 10.0.0.1", lambda: socket.create_connection(("10.0.0.1", 9), timeout=1))
    tried("connect a unix socket", lambda: socket.socket(socket.AF_UNIX).connect("/run/anything"))
