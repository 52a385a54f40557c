"""What people want changed of the book, on `usage.corrections`: an event corrected, many priced anew.

Written by api before it answers, and brought into the book by the corrector alone. None of it changes an
entry: what comes of it are further, signed ones.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import force_setattr

from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import NAME_CHARACTERS_MAX, Instant
from spendmeter.contracts.rated import PriceStatus

_NO_NUL = r"^[^\x00]*\Z"
"""What Postgres can hold of a text."""
Said = Annotated[str, Meta(min_length=1, max_length=500, pattern=_NO_NUL)]
ShortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NO_NUL)]
SentText = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=_NO_NUL)]
NAMES_MAX = 50
SelectedNames = Annotated[tuple[SentText, ...], Meta(max_length=NAMES_MAX)]
CatalogVersion = Annotated[int, Meta(ge=1, le=2**31 - 1)]
BOOK_MIN, BOOK_MAX = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Years that every calendar and database has; the book begins and ends within them."""


class _OfTheBooksYears(Struct, frozen=True, kw_only=True):
    """Whose instants are all in UTC, from BOOK_MIN to BOOK_MAX."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            at = getattr(self, name)
            if isinstance(at, datetime):
                if not BOOK_MIN <= at <= BOOK_MAX:
                    raise ValueError(f"`{name}` must be in the years {BOOK_MIN.year} to {BOOK_MAX.year}")
                force_setattr(self, name, at.astimezone(UTC))


class EventCorrection(
    _OfTheBooksYears,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="spendmeter.correction.v1",
):
    """One event is to say something else (amend), or to count no longer (retract).

    In whatever order corrections of one event arrive, it ends the same: retracted if one of them retracts,
    else as the amend of the highest revision says, of equal ones the one that was asked for last."""

    id: ShortName
    """The correction's own; one that comes again changes nothing."""
    tenant: ShortName
    """The credential's, never the caller's word."""
    source: SentText
    event_id: SentText
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch is not UNSET:
            _check_text(bytes(self.patch))

    @property
    def identity(self) -> bytes:
        """The event that is meant."""
        return identity(self.tenant, self.source, self.event_id)


class Selection(_OfTheBooksYears, frozen=True, kw_only=True, omit_defaults=True):
    """Which events of a tenant a job prices anew; () and None = any."""

    providers: SelectedNames = ()
    skus: SelectedNames = ()
    since: Instant | None = None
    until: Instant | None = None
    """The event's time, `until` excluded."""
    statuses: tuple[PriceStatus, ...] = ()
    publication: CatalogVersion | None = None
    """Those alone whose new lines would name an entry of this publication."""
    missing_rate_of: Annotated[str, Meta(pattern=r"^([A-Z]{3})?\Z")] = ""
    """Those alone whose lines lack an exchange rate of this currency."""


class RerateRequest(
    _OfTheBooksYears,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="spendmeter.rerate.v1",
):
    """Events of one tenant are to be priced anew with one version of the catalog."""

    id: ShortName
    tenant: ShortName
    selection: Selection = Selection()
    version: CatalogVersion
    """Pinned: whatever is published meanwhile, the job prices with this one."""
    reason: Said
    by: Said
    at: Instant
    apply: bool = False
    """Whether the difference is booked as soon as it is known; else it waits for a `RerateApply`."""


class RerateApply(
    _OfTheBooksYears, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.rerate_apply.v1"
):
    """The difference that a job has shown is to be booked."""

    id: ShortName
    """The job's."""
    tenant: ShortName
    by: Said
    at: Instant


class RerateCancel(
    _OfTheBooksYears, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.rerate_cancel.v1"
):
    """A job is to end where it stands."""

    id: ShortName
    """The job's."""
    tenant: ShortName
    by: Said
    at: Instant


CorrectionRequest = EventCorrection | RerateRequest | RerateApply | RerateCancel


def _check_text(patch: bytes) -> None:
    """A patch is passed on unread, and stored as a text."""
    try:
        patch.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"`patch` is not UTF-8: {error.reason}") from None


decode_correction = msgspec.json.Decoder(CorrectionRequest).decode
"""Whatever lies on the topic: raises msgspec.DecodeError, UnicodeDecodeError or RecursionError for what is
none of these. What it returns, the database can hold."""
encode_correction = msgspec.json.Encoder().encode


def correction_key(request: CorrectionRequest) -> bytes:
    """Its key on the topic: the identity of its event, or the job's id."""
    return request.identity if isinstance(request, EventCorrection) else request.id.encode()
