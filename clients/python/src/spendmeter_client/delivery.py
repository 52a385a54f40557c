"""The way to the server: one thread takes batches from the buffer and sends each until it has an end.

Sent again with the same ids: while there is no answer, and for 408, 425, 429 and 5xx. A 400 that names bad
events drops these and sends the others again; a 413 sends halves; any other refusal drops the batch.
"""

from __future__ import annotations

import email.utils
import json
import random
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from spendmeter_client.buffer import Buffer, Waiting
from spendmeter_client.stats import FAULT, REFUSED, UNDELIVERED, Drop, Drops, log
from spendmeter_client.wire import Answer, Unreachable, Wire

LATER = frozenset({408, 425, 429})
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.2, 30.0
RETRY_AFTER_S_MAX = 300.0
HURRIED_S = 0.25
"""Between two attempts while somebody waits in flush() or close()."""
REASON_CHARACTERS_MAX = 300
BAD_EVENTS_SHOWN_MAX = 20


class Group(NamedTuple):
    """What one request carries, and how often it was sent in vain."""

    path: str
    events: list[Waiting]
    attempt: int


class Delivery:
    """Of one process: a forked child has a new one."""

    def __init__(self, buffer: Buffer, wire: Wire, drops: Drops) -> None:
        self._buffer, self._wire, self._drops = buffer, wire, drops
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._deadline = float("inf")

    @property
    def started(self) -> bool:
        return self._thread is not None

    def ensure_running(self) -> None:
        """Start the thread where there is none. Where none can start any more, `close` delivers."""
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spendmeter", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None

    def close(self, timeout_s: float) -> None:
        """Send what waits, for so long; what then still waits is dropped."""
        self._deadline = time.monotonic() + timeout_s
        self._buffer.close()
        if self._thread is None:
            self._run()
        elif self._thread is not threading.current_thread():
            self._thread.join(timeout_s + HURRIED_S)
        if left := self._buffer.abandon(UNDELIVERED):
            self._drops.tell(Drop(left, UNDELIVERED, f"the server did not take them within {timeout_s:g} s"))
        if waiting := self._buffer.stats().waiting:
            log.warning(
                "%s event(s) were under way at the end: whether the server has them is unknown", waiting
            )

    def _run(self) -> None:
        while (batch := self._buffer.take()) and time.monotonic() < self._deadline:
            self._deliver(batch)
            self._tell_overflow()
        if batch:
            self._drop(batch, UNDELIVERED, "the process ended before")
        self._wire.close()

    def _deliver(self, batch: Sequence[Waiting]) -> None:
        """Until each of them is sent or dropped."""
        by_path: dict[str, list[Waiting]] = {}
        for event in batch:
            by_path.setdefault(event[0], []).append(event)
        groups = [Group(path, events, 0) for path, events in by_path.items()]
        while groups:
            group = groups.pop(0)
            try:
                groups[:0] = self._try(group)
            except Exception as error:  # noqa: BLE001 one batch may not end the delivery of all others
                self._drop(group.events, FAULT, type(error).__name__)

    def _try(self, group: Group) -> list[Group]:
        """Send it once; what of it is to be sent again."""
        path, events, attempt = group
        answer = self._attempt(path, events)
        if answer is not None and answer.status < 300:
            if answer.unknown:
                self._drops.log_once(f"the server does not know, and did not keep: {answer.unknown}")
            self._buffer.settle(sent=len(events))
            return []
        if answer is None or answer.status in LATER or answer.status >= 500:
            self._tell_overflow()
            if self._wait(attempt, answer.retry_after if answer else ""):
                return [Group(path, events, attempt + 1)]
            self._drop(events, UNDELIVERED, "the process ended before")
            return []
        if answer.status == 413 and len(events) > 1:
            half = len(events) // 2
            return [Group(path, events[:half], 0), Group(path, events[half:], 0)]
        left = self._without_refused(events, answer)
        return [Group(path, left, 0)] if left else []

    def _wait(self, attempt: int, retry_after: str) -> bool:
        """Until the next attempt; False where the process ends before. Who waits in flush or close hurries
        it, but not where the server says when."""
        asked_s = _retry_after_s(retry_after)
        began = time.monotonic()
        wait_s = _backoff_s(attempt) if asked_s is None else min(asked_s, RETRY_AFTER_S_MAX) + _spread_s()
        while True:
            hurried = asked_s is None and self._buffer.hurried
            until = began + (min(wait_s, HURRIED_S) if hurried else wait_s)
            if until > self._deadline:
                return False
            if (left := until - time.monotonic()) <= 0:
                return True
            self._buffer.wait_while_unhurried(left)

    def _attempt(self, path: str, events: Sequence[Waiting]) -> Answer | None:
        try:
            return self._wire.post(path, b"[" + b",".join(body for _, body in events) + b"]")
        except Unreachable as trouble:
            self._drops.log_once(f"the server does not answer ({trouble}); it is asked again until it does")
            return None

    def _without_refused(self, events: list[Waiting], answer: Answer) -> list[Waiting]:
        """What of a refused batch may be sent again."""
        problem = _problem(answer)
        bad = _bad_events(problem, len(events))
        if answer.status != 400 or not bad:
            detail = problem.get("detail") or problem.get("title") or ""
            self._drop(events, REFUSED, f"{answer.status} {detail}"[:REASON_CHARACTERS_MAX])
            return []
        counts: dict[str, int] = {}
        for reason in bad.values():
            counts[reason] = counts.get(reason, 0) + 1
        for reason, count in counts.items():
            self._drop(events[:count], REFUSED, reason)
        return [event for index, event in enumerate(events) if index not in bad]

    def _tell_overflow(self) -> None:
        if overflow := self._buffer.overflow():
            self._drops.tell(overflow)

    def _drop(self, events: Sequence[Waiting], why: str, reason: str) -> None:
        self._drops.tell(Drop(len(events), why, reason))
        self._buffer.settle(dropped=len(events), why=why)


def _backoff_s(attempt: int) -> float:
    """A random part of a bound that doubles: clients do not all come back at once."""
    bound = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(attempt, 20))
    return random.uniform(bound / 2, bound)  # noqa: S311 no secret


def _spread_s() -> float:
    return random.uniform(0, BACKOFF_S_MIN)  # noqa: S311


def _retry_after_s(said: str) -> float | None:
    """Seconds, or a date; None = neither."""
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {}


def _bad_events(problem: dict[str, Any], count: int) -> dict[int, str]:
    """Place in the batch to what is wrong there."""
    bad: dict[int, str] = {}
    errors = problem.get("errors")
    for error in errors if isinstance(errors, list) else ():
        index = error.get("index") if isinstance(error, dict) else None
        if type(index) is int and 0 <= index < count:
            said = f"{error.get('field') or 'event'}: {error.get('reason')}"
            bad.setdefault(index, said[:REASON_CHARACTERS_MAX])
    return bad
