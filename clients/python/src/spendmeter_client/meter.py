"""`Meter`: what an application calls. It waits for no network, and raises for nothing that it is given."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any

from spendmeter_client.answers import skeleton
from spendmeter_client.buffer import Buffer
from spendmeter_client.delivery import Delivery
from spendmeter_client.events import BadCall, Circumstances, answer_event, new_id, usage_event
from spendmeter_client.processes import closed_at_exit, forget, renewed_in_children
from spendmeter_client.seen import Seen
from spendmeter_client.stats import CLOSED, INVALID, UNCONFIGURED, Drop, Drops, OnDrop, Stats
from spendmeter_client.streams import MeteredStream
from spendmeter_client.wire import Wire

EVENTS_PATH = "/api/v1/events"
ANSWERS_PATH = "/api/v1/usage"

UNREAD_CHUNKS = "chunks of a stream could not be read, and are not metered"


class Meter:
    """One for a process; threads, tasks and forked children share it.

    Without an address or a key it meters nothing, says so once, and counts: an application runs without a
    server, too.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        source: str | None = None,
        *,
        labels: Mapping[str, Any] | None = None,
        buffer_events_max: int = 100_000,
        buffer_bytes_max: int = 64 * 1024 * 1024,
        linger_s: float = 1.0,
        timeout_s: float = 15.0,
        exit_s: float = 5.0,
        on_drop: OnDrop | None = None,
    ) -> None:
        """`url`, `key` and `source` (which application this is) default to SPENDMETER_URL, SPENDMETER_KEY and
        SPENDMETER_SOURCE; `labels` go under those of each call.

        `linger_s`: how long an event waits for others; `timeout_s`: for an answer; `exit_s`: how long the end
        of the process may take. `on_drop` is called with each Drop, mostly in the delivering thread.
        """
        self._url = url or os.environ.get("SPENDMETER_URL", "")
        self._key = key or os.environ.get("SPENDMETER_KEY", "")
        self._source = source or os.environ.get("SPENDMETER_SOURCE") or "python"
        self._labels = dict(labels or {})
        self._new_buffer = partial(
            Buffer, events_max=buffer_events_max, bytes_max=buffer_bytes_max, linger_s=linger_s
        )
        self._timeout_s, self.exit_s = timeout_s, exit_s
        self._drops = Drops(on_drop)
        self.renew()
        renewed_in_children(self)

    def record(
        self,
        *,
        provider: str,
        model: str,
        usage: Mapping[str, Any],
        labels: Mapping[str, Any] | None = None,
        id: str | None = None,
        time: datetime | None = None,
        latency_ms: float | None = None,
        outcome: str | Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Meter one use in our own units, which are disjoint (`input_tokens`, `cache_read_tokens`, ...).

        Returns its id, '' where it was dropped; the same id again is the same use. `time` defaults to now;
        `outcome` is a name, or a table of name, count and value. `more`, as in an event: source, subject,
        status, cost_class, context, reported_cost.
        """
        try:
            around = self._around(labels, id, time, latency_ms, outcome, more)
            body = usage_event(provider, model, usage, around)
        except Exception as error:  # noqa: BLE001 whatever it was given
            return self._invalid(error)
        return self._put(EVENTS_PATH, body, around.id)

    def response(
        self,
        provider: str,
        response: Any,
        *,
        model: str | None = None,
        labels: Mapping[str, Any] | None = None,
        id: str | None = None,
        time: datetime | None = None,
        latency_ms: float | None = None,
        outcome: str | Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Meter what a vendor's SDK returned, an object or a table; returns as `record` does.

        Its ids, model, usage and the kinds of tools that it charges for leave the process; content never
        does. `model`: where the answer does not say it (Bedrock).
        """
        try:
            around = self._around(labels, id, time, latency_ms, outcome, _given(model=model) | more)
            body = answer_event(provider, skeleton(response), around)
        except Exception as error:  # noqa: BLE001 whatever it was given
            return self._invalid(error)
        return self._put(ANSWERS_PATH, body, around.id)

    def stream(
        self,
        provider: str,
        stream: Iterable[Any] | AsyncIterable[Any],
        *,
        model: str | None = None,
        labels: Mapping[str, Any] | None = None,
        id: str | None = None,
        **more: Any,
    ) -> MeteredStream:
        """The same stream, metered when it ends.

        Where it is left or breaks before, or never says what it used: by what it said last and the length of
        what it sent, as an estimate; `input_tokens` is what was sent to the model, if you know. `for`,
        `async for`, `with` and the stream's own attributes work as before.
        """

        def ended(seen: Seen, left: bool, latency_ms: float) -> None:
            if seen.unread:
                self._drops.log_once(f"{UNREAD_CHUNKS}: {seen.unread}")
            said = {"latency_ms": latency_ms} | seen.left_open(left) | more
            self.response(provider, seen.answer(), model=model, labels=labels, id=id, **said)

        return MeteredStream(stream, ended)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was recorded before is sent or dropped; False where the time is over before."""
        return self._delivery is None or self._buffer.drained(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Send what waits, for at most so long (exit_s), and take no more. Called for you at exit."""
        if self._delivery is not None and not self._buffer.closed:
            self._delivery.close(self.exit_s if timeout_s is None else timeout_s)
        forget(self)

    @property
    def stats(self) -> Stats:
        """Of this process."""
        return self._buffer.stats()

    def renew(self) -> None:
        """Start anew, with an empty buffer: what a parent recorded before the fork, the parent sends."""
        self._buffer = self._new_buffer()
        self._delivery = self._connected()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _around(
        self,
        labels: Mapping[str, Any] | None,
        id: str | None,
        time: datetime | None,
        latency_ms: float | None,
        outcome: str | Mapping[str, Any] | None,
        more: Mapping[str, Any],
    ) -> Circumstances:
        labelled = self._labels | dict(labels) if labels and self._labels else labels or self._labels
        return Circumstances(id or new_id(), self._source, labelled, time, latency_ms, outcome, more)

    def _put(self, path: str, body: bytes, id: str) -> str:
        delivery = self._delivery
        if delivery is None:
            self._buffer.refuse(UNCONFIGURED)
            return ""
        if self._buffer.closed:
            self._buffer.refuse(CLOSED)
            return ""
        if not delivery.started:
            closed_at_exit(self)
            delivery.ensure_running()
        return id if self._buffer.put((path, body)) else ""

    def _invalid(self, error: Exception) -> str:
        self._buffer.refuse(INVALID)
        reason = str(error) if isinstance(error, BadCall) else type(error).__name__
        self._drops.tell(Drop(1, INVALID, reason))
        return ""

    def _connected(self) -> Delivery | None:
        if not (self._url and self._key):
            self._drops.tell(
                Drop(0, UNCONFIGURED, "set SPENDMETER_URL and SPENDMETER_KEY, or pass url and key")
            )
            return None
        try:
            wire = Wire(self._url, self._key, timeout_s=self._timeout_s)
        except ValueError as error:
            self._drops.tell(Drop(0, UNCONFIGURED, str(error)))
            return None
        return Delivery(self._buffer, wire, self._drops)


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
