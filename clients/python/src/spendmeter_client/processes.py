"""Meters at the end of a process, and in one that was forked from it."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol


class Lasting(Protocol):
    """What has to be told of both."""

    def renew(self) -> None:
        """In a forked child, before anything else runs there."""

    def close(self) -> None:
        """Before the process ends."""


_meters: weakref.WeakSet[Lasting] = weakref.WeakSet()
_open: set[Lasting] = set()
"""Held until closed: the last word of a meter that the application has let go of is sent, too."""
_changing = threading.RLock()
_exits: set[str] = set()


def renewed_in_children(meter: Lasting) -> None:
    """Have it told in every child forked from now on."""
    with _changing:
        _meters.add(meter)


def closed_at_exit(meter: Lasting) -> None:
    """Have it closed when this process ends. Processes of multiprocessing and workers of celery leave without
    atexit: they have ways of their own to tell."""
    with _changing:
        _open.add(meter)
        for name, tell in _TELLING.items():
            if name in sys.modules and name not in _exits:
                _exits.add(name)
                tell(sys.modules[name])


def forget(meter: Lasting) -> None:
    """It is closed."""
    with _changing:
        _open.discard(meter)


def _close_all() -> None:
    for meter in list(_open):
        meter.close()


_TELLING: dict[str, Callable[[Any], object]] = {
    "atexit": lambda module: module.register(_close_all),
    "multiprocessing.util": lambda module: module.Finalize(None, _close_all, exitpriority=100),
    "celery.signals": lambda module: module.worker_process_shutdown.connect(_close_on_signal, weak=False),
}
"""By module, where it is loaded: how it is asked to close all when a process of its ends."""


def _close_on_signal(**_said: object) -> None:
    _close_all()


def _renew_in_child() -> None:
    global _changing
    _changing = threading.RLock()  # whoever held it is not here
    _exits.clear()
    _open.clear()
    for meter in list(_meters):
        meter.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
