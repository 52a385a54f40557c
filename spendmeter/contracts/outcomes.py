"""The outcome event: what work achieved, said apart from what it used, and what became of it later.

It crosses `usage.outcomes`, has no price and no series, and is one of three: an outcome, a verdict on an
earlier one, or its reversal. `read_outcome` is how one is read, at the door and again by who keeps it.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from spendmeter.contracts.event_identity import canonical, canonical_amount, identity
from spendmeter.contracts.event_reading import check_amount, decoded, holds_nul
from spendmeter.contracts.events import (
    NAME_CHARACTERS_MAX,
    Amount,
    EventError,
    Instant,
    Label,
    Labels,
    Name,
    time_in_utc,
)
from spendmeter.contracts.gate import check_labels, check_visible

OUTCOME_TYPE = "spendmeter.outcome.v1"
OUTCOME_BYTES_MAX = 16 * 1024
OutcomeKind = Literal["outcome", "verdict", "reversal"]
_Named = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]


class OutcomeData(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was achieved (`name`); or what is to be thought of an earlier outcome (`verdict_on`, `accepted`);
    or that it was none after all (`reverses`)."""

    name: _Named = ""
    """In the caller's own terms: refund_resolved."""
    count: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    value: Amount | None = None
    accepted: bool | None = None
    """Whether who received the work took it; None = nobody has said."""
    verdict_on: _Named = ""
    """The id of an earlier outcome: `accepted` is about that one, and the latest verdict holds."""
    reverses: _Named = ""
    """The id of an earlier outcome that counts no longer, for good."""
    target_source: _Named = ""
    """The source of that one; '' = this event's own."""
    labels: Labels = Labels()


class OutcomeEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One outcome, verdict or reversal. The caller gives the first group; ingest stamps the second."""

    specversion: Literal["1.0"]
    type: Annotated[str, Meta(max_length=128)]
    id: Name
    source: Name
    subject: Name
    data: OutcomeData
    time: Instant | UnsetType = UNSET

    tenant: Annotated[str, Meta(max_length=64)] = ""
    keyid: Label = ""
    receivedat: Instant | UnsetType = UNSET

    @property
    def kind(self) -> OutcomeKind:
        """Which of the three it is."""
        if self.data.reverses:
            return "reversal"
        return "verdict" if self.data.verdict_on else "outcome"

    @property
    def identity(self) -> bytes:
        """What makes two submissions one outcome."""
        return identity(self.tenant, self.source, self.id)

    @property
    def target(self) -> bytes | None:
        """The identity of the earlier one that it is about; None = of none. That may be an outcome event, or
        a usage event that states an outcome."""
        named = self.data.reverses or self.data.verdict_on
        return identity(self.tenant, self.data.target_source or self.source, named) if named else None


encode_outcome = msgspec.json.Encoder().encode
decode_outcome: Callable[[bytes], OutcomeEvent] = msgspec.json.Decoder(
    OutcomeEvent, float_hook=Decimal
).decode


def read_outcome(raw: bytes, decode: Callable[[bytes], OutcomeEvent] = decode_outcome) -> OutcomeEvent:
    """Decode and check everything but the time and the labels. Raises EventError. `decode` may be stricter:
    `known_fields` has one."""
    if len(raw) > OUTCOME_BYTES_MAX:
        raise EventError(f"an outcome may have at most {OUTCOME_BYTES_MAX} bytes, this one has {len(raw)}")
    event: OutcomeEvent = decoded(decode, raw)
    _check(event)
    if holds_nul(raw):
        raise EventError("holds a NUL character (U+0000)")
    return event


def check_outcome_rules(event: OutcomeEvent) -> None:
    """Hold its texts against the gate's rules, and put its labels into normal form C. Raises EventError."""
    check_labels(event.data.labels)
    check_visible(event.data.name, "data.name")


def outcome_time(event: OutcomeEvent) -> datetime:
    """When it happened, in UTC. Raises EventError."""
    return time_in_utc(event.time)


def outcome_hash(event: OutcomeEvent) -> bytes:
    """BLAKE2b-128 over what the outcome says: times, the key, the user and what is folded stay out, for a
    retry may carry others."""
    data, labels = event.data, event.data.labels
    # In this order for ever: a field that joins must not change the hash of what is kept.
    content: tuple[object, ...] = (
        *(event.type, event.tenant, event.source, event.id, event.subject),
        *(data.name, data.count, canonical_amount(data.value), data.accepted),
        *(data.verdict_on, data.reverses, data.target_source or event.source),
        *(labels.team, labels.project, labels.feature, labels.workflow, labels.workflow_version),
        *(labels.run, labels.agent, labels.environment, labels.own),
    )
    return blake2b(canonical(content), digest_size=16).digest()


def _check(event: OutcomeEvent) -> None:
    data = event.data
    if event.type != OUTCOME_TYPE:
        raise EventError(f"is unknown: an outcome's is {OUTCOME_TYPE!r}", "type")
    if data.value is not None:
        check_amount(data.value, "data.value.amount")
    if not (data.reverses or data.verdict_on):
        if not data.name:
            raise EventError(
                "is missing: an outcome has a name, unless it is about an earlier one", "data.name"
            )
        if data.target_source:
            raise EventError(
                "names a source, and neither verdict_on nor reverses an id", "data.target_source"
            )
        return
    if data.reverses and data.verdict_on:
        raise EventError("and verdict_on are never in one event: send two", "data.reverses")
    if data.name or data.count != 1 or data.value is not None:
        field = "name" if data.name else "count" if data.count != 1 else "value"
        raise EventError(
            "is the earlier outcome's: an event about one does not state it again", f"data.{field}"
        )
    if data.verdict_on and data.accepted is None:
        raise EventError("is missing: a verdict is true or false", "data.accepted")
    if data.reverses and data.accepted is not None:
        raise EventError("is no word of a reversal, which says that there was no outcome", "data.accepted")
    if event.target == identity(event.tenant, event.source, event.id):
        field = "reverses" if data.reverses else "verdict_on"
        raise EventError("names the event itself: name an earlier one", f"data.{field}")
