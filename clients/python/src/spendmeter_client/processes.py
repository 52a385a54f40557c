"""Meters at the end of a process, and in one that was forked from it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import Protocol


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
    """Have it closed when this process ends. Processes of multiprocessing, and of celery's billiard, leave
    without atexit: they have lists of their own."""
    with _changing:
        _open.add(meter)
        for name in ("atexit", "multiprocessing.util", "billiard.util"):
            module = sys.modules.get(name)
            if module is None or name in _exits:
                continue
            _exits.add(name)
            if module is atexit:
                atexit.register(_close_all)
            else:
                module.Finalize(None, _close_all, exitpriority=100)


def forget(meter: Lasting) -> None:
    """It is closed."""
    with _changing:
        _open.discard(meter)


def _close_all() -> None:
    for meter in list(_open):
        meter.close()


def _renew_in_child() -> None:
    global _changing
    _changing = threading.RLock()  # whoever held it is not here
    _exits.clear()
    _open.clear()
    for meter in list(_meters):
        meter.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
