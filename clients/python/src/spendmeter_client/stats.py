"""What became of what was recorded: every event ends as sent or as dropped, and until then it waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("spendmeter")
REASONS_TOLD_MAX = 100
"""So many different reasons are logged, once each; the callback is told of every drop."""


@dataclass(frozen=True)
class Stats:
    """`recorded` = `sent` + `dropped` + `waiting`. Sent means that the server holds it."""

    recorded: int = 0
    sent: int = 0
    dropped: int = 0
    waiting: int = 0
    dropped_by: dict[str, int] = field(default_factory=dict)
    """How many were dropped, by the word that `Drop.why` has."""


@dataclass(frozen=True)
class Drop:
    """Events that are not sent again. `why` is one of the words below, `reason` the server's, or the rule."""

    count: int
    why: str
    reason: str


FULL = "buffer full"
INVALID = "invalid"
REFUSED = "refused"
UNDELIVERED = "not delivered before the end"
UNCONFIGURED = "not configured"
CLOSED = "closed"
FAULT = "fault of the client"
OnDrop = Callable[[Drop], None]


class Drops:
    """Tells of drops: each to the callback, each reason to the log once. It counts nothing."""

    def __init__(self, on_drop: OnDrop | None) -> None:
        self._on_drop = on_drop
        self._logged: set[str] = set()

    def tell(self, drop: Drop) -> None:
        """Never raises."""
        said = f"{drop.why}: {drop.reason}"
        self.log_once(said, f"dropped {drop.count} event(s), {said} (logged once; Meter.stats counts on)")
        if self._on_drop is not None and drop.count:
            try:
                self._on_drop(drop)
            except Exception as error:  # noqa: BLE001 a callback may not end the delivery
                log.error("on_drop raised %s", type(error).__name__)  # noqa: TRY400 its text may hold anything

    def log_once(self, said: str, line: str = "") -> None:
        """Log it, or the line for it, where it was not said before."""
        if said not in self._logged and len(self._logged) < REASONS_TOLD_MAX:
            self._logged.add(said)
            log.warning("%s", line or said)
