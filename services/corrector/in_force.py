"""What the book says of events that are to be corrected."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.rated import PriceStatus
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "corrections.sql")
SEQ_MAX = 1_000
"""An entry above it is neither amended nor priced anew: `seq` can count some more, and what is left is for
the retraction, which is always possible."""
TOO_OFTEN = "was corrected too often: retract it, and send it anew with `supersedes`"


class EntryInForce(Struct, frozen=True, kw_only=True, gc=False):
    """An entry in force, as the book has it; its event is the last one stated."""

    occurred_at: datetime
    identity: bytes
    seq: int
    origin_partition: int
    origin_offset: int
    correction_id: str | None
    """What it was written for; None = it is as first booked."""
    tenant: str
    series_id: bytes
    catalog_version: int
    accounting_period: date
    status: PriceStatus
    currency: str
    list: Decimal
    contracted: Decimal
    effective: Decimal
    event: str
    lines: str
    recorded_at: datetime
    first_recorded_at: datetime
    """When the event was booked."""

    def received_at(self, event: UsageEvent) -> datetime:
        """By which rules its event is judged and its quantities are counted."""
        return self.first_recorded_at if event.receivedat is UNSET else event.receivedat


class CorrectedState(Struct, frozen=True, kw_only=True):
    """What corrections have made of an event so far, beside its entries: a row of corrected_identities."""

    revision: int | None = None
    amend_at: datetime | None = None
    """When it was asked for."""
    amend_id: str | None = None
    amended_hash: bytes | None = None
    """Of the amend that holds, though it may have changed nothing; None = there was none."""
    catalog_version: int = 0
    """At least so new a catalog has priced it."""
    retracted_at: datetime | None = None


class EventState(Struct, frozen=True, kw_only=True):
    """An event that was booked, as it stands now."""

    entry: EntryInForce | None
    """In force; None = it was retracted."""
    tenant: str
    first_event: str
    """As it was first booked."""
    first_hash: bytes
    corrected: CorrectedState = CorrectedState()
    raised_by: str | None = None
    """The patch of the sender's own later word: people's amends are laid on what it makes of the event."""
    held: str | None = None
    """The patch of the person's amend that holds."""

    @property
    def hash(self) -> bytes:
        """Of what it says now."""
        return self.corrected.amended_hash or self.first_hash


async def read_states(connection: Any, identities: Collection[bytes]) -> Mapping[bytes, EventState]:
    """By identity; those that were never booked are left out."""
    rows = await connection.fetch(SQL["states"], list(identities))
    return {row["identity"]: _state(row) for row in rows}


async def read_archived(connection: Any, identities: Collection[bytes]) -> Mapping[bytes, date]:
    """Of those of which there is no state, the months that are archived."""
    rows = await connection.fetch(SQL["archived"], list(identities)) if identities else []
    return {row["identity"]: row["month"] for row in rows}


def _state(row: Any) -> EventState:
    entry = None
    if row["seq"] is not None:
        entry = EntryInForce(**{name: row[name] for name in EntryInForce.__struct_fields__})
    corrected = {name: row[f"corrected_{name}"] for name in CorrectedState.__struct_fields__}
    return EventState(
        entry=entry,
        tenant=row["first_tenant"],
        first_event=row["first_event"],
        first_hash=row["hash"],
        corrected=CorrectedState(**corrected)
        if corrected["catalog_version"] is not None
        else CorrectedState(),
        raised_by=row["raised_by"],
        held=row["held"],
    )
