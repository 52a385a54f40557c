"""A file of calls as usage events: every row is held to the rules of the door before the first is sent."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cli._trace_rows import BadSample, BadTrace, SampleRow
from spendmeter.contracts.event_reading import check_time, read_event
from spendmeter.contracts.events import EventError, UsageEvent
from spendmeter.contracts.gate import check_rules

BAD_SHOWN_MAX = 10
TOO_OLD = "with --keep-time"
RowsAgain = Callable[[], Iterator[SampleRow | BadSample]]


@dataclass(kw_only=True)
class Summary:
    """What a file holds."""

    events: int = 0
    usage: dict[str, Decimal] = field(default_factory=dict)
    models: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)
    bad: list[BadSample] = field(default_factory=list)
    """The first BAD_SHOWN_MAX."""
    bad_count: int = 0
    begin: datetime | None = None
    end: datetime | None = None
    untimed: int = 0
    """Events of which the file does not say when they were, by no clock at all."""


class Trace:
    """The events of a file. Ids come from the content, the row and the template, where no column has them."""

    def __init__(
        self, file: Path, rows: RowsAgain, template: dict[str, Any], *, keep_time: bool, horizon: timedelta
    ) -> None:
        self._rows, self._template, self._keep_time = rows, template, keep_time
        self._horizon = horizon
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        options = json.dumps([template["data"], keep_time], sort_keys=True).encode()
        self._prefix = f"{content[:32]}-{hashlib.sha256(options).hexdigest()[:8]}"

    def summary(self, now: datetime, shown: int) -> Summary:
        """Read all of it. Raises BadTrace."""
        found = Summary()
        for row in self._rows():
            event = self._event(row) if isinstance(row, SampleRow) else None
            reason = row.reason if isinstance(row, BadSample) else self._fault(row, event or {}, now, found)
            if reason:
                found.bad_count += 1
                found.bad += (
                    [BadSample(line=row.line, reason=reason)] if len(found.bad) < BAD_SHOWN_MAX else []
                )
            elif event is not None and len(found.first) < shown:
                found.first.append(event)
        return found

    def events(self, now: datetime, *, skip_bad: bool) -> Iterator[tuple[float, dict[str, Any]]]:
        """Each with its seconds after the first. Bad rows are looked for only where they are skipped."""
        began: float | None = None
        for row in self._rows():
            if isinstance(row, BadSample):
                continue
            event = self._event(row)
            if skip_bad and self._fault(row, event, now, Summary()):
                continue
            at = row.offset_s or 0.0
            began = at if began is None else began
            yield max(0.0, at - began), event

    def _event(self, row: SampleRow) -> dict[str, Any]:
        said = row.fields.get("data", {})
        data = self._template["data"] | said | {"usage": row.usage}
        data["labels"] = self._template["data"].get("labels", {}) | said.get("labels", {})
        event = self._template | {"id": row.fields.get("id", f"{self._prefix}-{row.line}"), "data": data}
        if self._keep_time and row.at is not None:
            event["time"] = row.at.isoformat()
        return event

    def _check_time(self, at: datetime, now: datetime) -> None:
        try:
            check_time(at, now, self._horizon)
        except EventError as error:
            raise EventError(f"{at.isoformat()} {TOO_OLD}: {error.reason}", "time") from None

    def _fault(self, row: SampleRow, event: dict[str, Any], now: datetime, found: Summary) -> str:
        """Why the door would refuse it; '' = it would not, and it is counted in `found`."""
        if self._keep_time and row.at is None:
            return "time: is not in the file, so --keep-time cannot be kept"
        try:
            read = read_event(json.dumps(event).encode())
            check_rules(read, False)
            if self._keep_time and row.at is not None:
                self._check_time(row.at, now)
        except EventError as error:
            return f"{error.field}: {error.reason}" if error.field else error.reason
        _count(found, row, read)
        return ""


def due_batches(
    events: Iterable[tuple[float, dict[str, Any]]], speed: float, tick_s: float, most: int
) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """Events that are due within the same tick, so fast; each batch with the second at which all of it is."""
    due, batch = 0.0, list[dict[str, Any]]()
    for offset_s, event in events:
        at = math.ceil(round(offset_s / speed / tick_s, 6)) * tick_s
        if batch and (at > due or len(batch) == most):
            yield due, batch
            batch = []
        due = max(at, due)
        batch.append(event)
    if batch:
        yield due, batch


def _count(found: Summary, row: SampleRow, event: UsageEvent) -> None:
    found.events += 1
    found.models[f"{event.data.provider}/{event.data.sku}"] += 1
    for unit, quantity in event.data.usage.items():
        found.usage[unit] = found.usage.get(unit, Decimal()) + quantity
    found.untimed += row.offset_s is None
    if row.at is not None:
        at = row.at.astimezone(UTC)
        found.begin = min(found.begin or at, at)
        found.end = max(found.end or at, at)


def refuse_bad(file: Path, found: Summary) -> None:
    """Raises BadTrace that names the first bad rows."""
    if not found.bad_count:
        return
    lines = [f"{file}, line {row.line}: {row.reason}" for row in found.bad]
    if more := found.bad_count - len(found.bad):
        lines.append(f"and {more:,} more")
    raise BadTrace("\n".join(lines))
