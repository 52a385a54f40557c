"""What lies on `usage.outcomes`, sorted out: what is new to us, what repeats, and what breaks a rule. Pure.

Nothing on a topic is trusted: whatever passes here passes the contract's reading and rules once more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from spendmeter.book.entry import hex_bytes
from spendmeter.contracts.events import LABELS, EventError
from spendmeter.contracts.outcomes import (
    OutcomeEvent,
    OutcomeKind,
    check_outcome_rules,
    outcome_hash,
    outcome_time,
    read_outcome,
)

REASON_CHARACTERS_MAX = 500
CONFLICT = "another outcome with the same tenant, source and id came before; that one stays"
_IN_COLUMNS = frozenset({"run", "workflow", "workflow_version"})


class OutcomeRow(Struct, frozen=True, gc=False):
    """A row of the table `outcomes`; bytes as Postgres reads them in JSON."""

    identity: str
    tenant: str
    source: str
    event_id: str
    key_id: str
    kind: OutcomeKind
    target: str | None
    name: str
    count: int
    value: Decimal
    currency: str
    accepted: bool | None
    run: str
    workflow: str
    workflow_version: str
    labels: dict[str, Any]
    hash: str
    occurred_at: datetime
    received_at: datetime | None


class OutcomeFault(Struct, frozen=True, kw_only=True):
    """A row of `outcome_faults`, but for the topic."""

    origin_offset: int
    fault: str
    tenant: str = ""
    identity: str | None = None
    source: str = ""
    event_id: str = ""
    key_id: str = ""
    reason: str


@dataclass(kw_only=True)
class OutcomeBatch:
    """Records in order, up to `position`."""

    position: int
    first: dict[str, OutcomeRow] = field(default_factory=dict)
    """By identity."""
    offsets: dict[str, int] = field(default_factory=dict)
    """Of these."""
    copies: list[tuple[int, OutcomeRow]] = field(default_factory=list)
    """Later ones of an identity in `first`."""
    rejected: list[OutcomeFault] = field(default_factory=list)
    holes: int = 0


def collect(position: int, records: Iterable[tuple[int, bytes | None]]) -> OutcomeBatch:
    """Sort `records` ((offset, value), in order) out; what lies before `position` is kept already."""
    batch = OutcomeBatch(position=position)
    for offset, value in records:
        if offset < batch.position:
            continue
        batch.holes += offset - batch.position
        batch.position = offset + 1
        try:
            row = row_of(value or b"")
        except EventError as error:
            reason = str(error)[:REASON_CHARACTERS_MAX]
            batch.rejected.append(OutcomeFault(origin_offset=offset, fault="rejected", reason=reason))
            continue
        if row.identity in batch.first:
            batch.copies.append((offset, row))
        else:
            batch.first[row.identity] = row
            batch.offsets[row.identity] = offset
    return batch


def row_of(raw: bytes) -> OutcomeRow:
    """The record as the table has it. Raises EventError."""
    event = read_outcome(raw)
    check_outcome_rules(event)
    if not event.tenant:
        raise EventError("is missing: ingest stamps it", "tenant")
    data, labels = event.data, event.data.labels
    target = event.target
    return OutcomeRow(
        hex_bytes(event.identity), event.tenant, event.source, event.id, event.keyid, event.kind,
        None if target is None else hex_bytes(target), data.name, data.count,
        Decimal(data.value.amount) if data.value else Decimal(0), data.value.currency if data.value else "",
        data.accepted, labels.run, labels.workflow, labels.workflow_version, _other_labels(event),
        hex_bytes(outcome_hash(event)), outcome_time(event), event.receivedat or None,
    )  # fmt: skip


def conflict(offset: int, row: OutcomeRow) -> OutcomeFault:
    """What is said of an outcome whose identity another one has."""
    return OutcomeFault(
        origin_offset=offset,
        fault="conflict",
        tenant=row.tenant,
        identity=row.identity,
        source=row.source,
        event_id=row.event_id,
        key_id=row.key_id,
        reason=CONFLICT,
    )


def _other_labels(event: OutcomeEvent) -> dict[str, Any]:
    labels = event.data.labels
    named = {name: getattr(labels, name) for name in LABELS if name not in _IN_COLUMNS}
    found: dict[str, Any] = {name: text for name, text in named.items() if text}
    return {**found, "own": labels.own} if labels.own else found


encode_rows = msgspec.json.Encoder().encode
