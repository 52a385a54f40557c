"""What each row of a bill makes necessary, given what the book was told of it before. Pure.

Whatever is told is repeated harmlessly: events and corrections have ids that follow from the row alone, so an
import that was interrupted, or is run again, ends the same.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from services.api.imports.focus import DETAILS
from services.api.imports.rows import BilledRow
from spendmeter.contracts.events import CHARGE_TYPE, LABELS

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_OPTIONAL = ("billed", "correction", "until", "quantity", "unit", "description")
"""Fields of a charge that a bill may leave out: an amend takes away what is no longer said."""


class KnownRow(Struct, frozen=True, kw_only=True):
    """A row of `billed_rows`."""

    row_id: str
    source: str
    event_id: str
    generation: int
    revision: int
    hash: str
    is_told: bool
    is_retracted: bool
    amended: int = -1
    """The highest revision of any amend of its event, a person's too; -1 = there is none."""

    @property
    def is_refused(self) -> bool:
        """Whether ingest did not take it, so that nobody has it."""
        return self.is_retracted and not self.is_told


class ToldRow(Struct, frozen=True, kw_only=True):
    """What is to be written of a row, and told of it: as an event, as an amend of one, or both."""

    row: BilledRow
    outcome: str
    """new, same, amended, returned, left."""
    event_id: str
    generation: int = 0
    revision: int = 0
    sends: bool = False
    amends: bool = False
    supersedes: str = ""

    @property
    def is_told(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.sends or self.amends)


def to_tell(row: BilledRow, known: KnownRow | None, *, may_correct: bool) -> ToldRow:
    """`may_correct`: whether the caller may change what is booked; a row that is restated is left else."""
    if known is None:
        return ToldRow(row=row, outcome="new", event_id=row.event_id, sends=True)
    stands = ToldRow(
        row=row,
        outcome="same",
        event_id=known.event_id,
        generation=known.generation,
        revision=known.revision,
        supersedes=_before(known),
    )
    if known.is_refused:
        return replace(stands, outcome="returned" if known.generation else "new", sends=True)
    if known.is_retracted:
        generation = known.generation + 1
        return ToldRow(
            row=row,
            outcome="returned",
            event_id=f"{row.event_id}/{generation}",
            generation=generation,
            sends=True,
            supersedes=known.event_id,
        )
    same = known.hash == row.hash
    if same and known.is_told:
        return stands
    if not same and not may_correct:
        return replace(stands, outcome="left")
    # What was not acknowledged the broker may hold or not, event and amend alike: both are sent again.
    return replace(
        stands,
        outcome="new" if same and not known.revision else "amended",
        revision=known.revision if same else max(known.revision, known.amended) + 1,
        sends=not known.is_told,
        amends=not same or known.revision > 0,
    )


def _before(known: KnownRow) -> str:
    """Whose place the event of a row took that came back; '' = it is the first of its row."""
    if not known.generation:
        return ""
    first, _, _ = known.event_id.rpartition("/")
    return first if known.generation == 1 else f"{first}/{known.generation - 1}"


def event_of(told: ToldRow, tenant: str) -> dict[str, Any]:
    """The charge, as ingest takes it."""
    row = told.row
    event = {
        "specversion": "1.0",
        "type": CHARGE_TYPE,
        "id": told.event_id,
        "source": row.source,
        "subject": row.provider[:256],
        "time": row.time,
        "tenant": tenant,
        "data": row.data,
    }
    return event | ({"supersedes": told.supersedes} if told.supersedes else {})


def patch_of(row: BilledRow, own: Sequence[str]) -> Raw:
    """A merge patch that makes an event say what the row says, and no more. `own`: the names of all
    dimensions that the tenant ever declared."""
    data: dict[str, Any] = _decode(row.data)
    labels: Mapping[str, str] = data.pop("labels")
    charge: dict[str, Any] = data["charge"]
    details: Mapping[str, str] = charge.get("details", {})
    patched: dict[str, Any] = {name: labels.get(name) for name in LABELS if name != "user"}
    if own:
        patched["own"] = {name: labels.get(name) for name in own}
    charge |= {name: charge.get(name) for name in _OPTIONAL}
    charge["details"] = {name: details.get(name) for name in DETAILS}
    return Raw(_encode(data | {"labels": patched}))


def amend_id(told: ToldRow) -> str:
    """Of the amend of a row. What a bill said before it may say again: so its revision counts as well."""
    return correction_id("amend", told.row.row_id, told.generation, f"{told.revision}/{told.row.hash}")


def correction_id(kind: str, row_id: str, generation: int, said: str = "") -> str:
    """The same for the same row and what is said of it: asked for twice it is done once. Its parts are
    hashed, for a correction's id is short."""
    parts = f"{kind}/{row_id}/{generation}/{said}".encode()
    return f"bill-{kind}-{blake2b(parts, digest_size=16).hexdigest()}"
