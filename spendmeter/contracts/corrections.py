"""What people want changed of the book, on `usage.corrections`: an event corrected, many priced anew.

Written by api before it answers, and brought into the book by the corrector alone. None of it changes an
entry: what comes of it are further, signed ones.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Instant, Name

Said = Annotated[str, Meta(min_length=1, max_length=500)]
ShortName = Annotated[str, Meta(min_length=1, max_length=64)]


class EventCorrection(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="spendmeter.correction.v1"
):
    """One event is to say something else (amend), or to count no longer (retract).

    In whatever order corrections of one event arrive, it ends the same: retracted if one of them retracts,
    else as the amend of the highest revision says, of equal ones the one that was asked for last."""

    id: ShortName
    """The correction's own; one that comes again changes nothing."""
    tenant: ShortName
    """The credential's, never the caller's word."""
    source: Name
    event_id: Name
    """With tenant and source: which event."""
    kind: Literal["amend", "retract"]
    revision: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """Of amends of one event the highest holds."""
    patch: Raw | UnsetType = UNSET
    """Of an amend alone: a JSON merge patch (RFC 7396) on the event's `data` as it was first booked."""
    reason: Said
    by: Said
    """Who asked for it."""
    at: Instant

    @property
    def identity(self) -> bytes:
        """The event that is meant."""
        return identity(self.tenant, self.source, self.event_id)


class Selection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events of a tenant a job prices anew; () and None = any."""

    providers: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    since: Instant | None = None
    until: Instant | None = None
    """The event's time, `until` excluded."""
    statuses: tuple[str, ...] = ()
    publication: int | None = None
    """Those alone whose new lines would name an entry of this publication."""
    missing_rate_of: str = ""
    """Those alone whose lines lack an exchange rate of this currency."""


class RerateRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="spendmeter.rerate.v1"
):
    """Events of one tenant are to be priced anew with one version of the catalog."""

    id: ShortName
    tenant: ShortName
    selection: Selection = Selection()
    version: Annotated[int, Meta(ge=1)]
    """Pinned: whatever is published meanwhile, the job prices with this one."""
    reason: Said
    by: Said
    at: Instant
    apply: bool = False
    """Whether the difference is booked as soon as it is known; else it waits for a `RerateApply`."""


class RerateApply(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.rerate_apply.v1"):
    """The difference that a job has shown is to be booked."""

    id: ShortName
    """The job's."""
    tenant: ShortName
    by: Said
    at: Instant


class RerateCancel(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.rerate_cancel.v1"):
    """A job is to end where it stands."""

    id: ShortName
    """The job's."""
    tenant: ShortName
    by: Said
    at: Instant


CorrectionRequest = EventCorrection | RerateRequest | RerateApply | RerateCancel

decode_correction = msgspec.json.Decoder(CorrectionRequest).decode
encode_correction = msgspec.json.Encoder().encode


def correction_key(request: CorrectionRequest) -> bytes:
    """Its key on the topic: the identity of its event, or the job's id."""
    return request.identity if isinstance(request, EventCorrection) else request.id.encode()
