"""The entrance of our own events: `POST /api/v1/events`, CloudEvents one or many."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from starlette.responses import Response

from services.ingest.accept import (
    EVENTS_MAX,
    AcceptedEvents,
    Submission,
    accept,
    accept_each,
    is_single,
    split,
)
from services.ingest.content_type import FORMS
from services.ingest.entrances import (
    DROPPED,
    Entrance,
    Incoming,
    answer_empty,
    dropped_header,
    refuse_with_problem,
)
from services.ingest.foreign_events import (
    LagoAccepted,
    LagoRefused,
    accept_foreign,
    accept_lago,
    answer_lago,
    as_structured,
    refuse_lago,
)
from services.ingest.refused import BadEvent, RequestRefused
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.events import EVENT_TYPE, UsageEvent
from spendmeter.contracts.meters import OWN_TYPES
from spendmeter.contracts.outcomes import OUTCOME_TYPE, OutcomeEvent, outcome_hash

PATH = "/api/v1/events"
PREFER = "prefer"
REPRESENTATION = "return=representation"


class SubmissionReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event at the door. Whether it is a duplicate, only the ledger can know."""

    index: int
    """Its place in the request, from 0."""
    id: str | None = None
    source: str | None = None
    """Not there where what was sent does not name them."""
    status: Literal["accepted", "rejected"]
    field: str = ""
    """Of a rejected one: what of it breaks the rule."""
    reason: str = ""
    hash: str = ""
    """Of an accepted one: 32 hex digits, the same for the same content."""


class _Named(Struct, frozen=True):
    id: Any = None
    source: Any = None


_OWN_MARK = OWN_TYPES.encode()
"""What a body with events of our own has, however early; without it, all of it may be others'."""
_encode = msgspec.json.Encoder().encode
_decode_named: Callable[[bytes], _Named] = msgspec.json.Decoder(_Named).decode


def read_own(incoming: Incoming, submission: Submission) -> AcceptedEvents:
    """The events of the request, all of them or none; with `Prefer: return=representation`, those that are
    good. Raises RequestRefused."""
    incoming = as_structured(incoming)
    if wants_receipts(incoming.headers):
        parts = _parts(incoming)
        mixed = accept_foreign(parts, submission, partly=True)
        return accept_each(enumerate(parts), submission) if mixed is None else mixed
    marked = _OWN_MARK in incoming.body
    if not marked and (others := _of_others(incoming, submission)) is not None:
        return others
    try:
        return accept(incoming.body, FORMS[incoming.media_type], submission)
    except RequestRefused as refused:
        if not marked or refused.status is not HTTPStatus.BAD_REQUEST:
            raise
        if (others := _of_others(incoming, submission)) is None:
            raise
        return others


def answer_own(incoming: Incoming, accepted: AcceptedEvents) -> Response:
    """204, or 200 with a receipt for each event, in the order of the request. Lago's clients are answered in
    Lago's shape."""
    if isinstance(accepted, LagoAccepted):
        return answer_lago(accepted)
    if not wants_receipts(incoming.headers):
        return answer_empty(incoming, accepted)
    parts = _parts(as_structured(incoming))
    told = [
        *map(_of_accepted, accepted.places, accepted.events, map(content_hash, accepted.events)),
        *map(_of_accepted, accepted.outcome_places, accepted.outcomes, map(outcome_hash, accepted.outcomes)),
        *_of_refused(parts, accepted.refused),
    ]
    told += _of_nothing(parts, {receipt.index for receipt in told})
    receipts = sorted(told, key=lambda receipt: receipt.index)
    headers = {"Preference-Applied": REPRESENTATION, **dropped_header(accepted)}
    return Response(_encode(receipts), media_type="application/json", headers=headers)


def refuse_own(url: str, media_type: str, refused: RequestRefused) -> Response:
    """A problem document; Lago's clients are refused in Lago's shape."""
    if isinstance(refused, LagoRefused):
        return refuse_lago(refused)
    return refuse_with_problem(url, media_type, refused)


def wants_receipts(headers: Mapping[str, str]) -> bool:
    """Whether the sender asks for a receipt of each event (RFC 7240)."""
    asked = headers.get(PREFER, "").lower().replace(" ", "").split(",")
    return REPRESENTATION in {preference.partition(";")[0] for preference in asked}


def _parts(incoming: Incoming) -> list[bytes | Raw]:
    if is_single(incoming.body, FORMS[incoming.media_type]):
        return [incoming.body]
    return list(split(incoming.body))


def _of_others(incoming: Incoming, submission: Submission) -> AcceptedEvents | None:
    """What of a request that is not all ours goes on, by meters; None where all of it should be ours."""
    lago = accept_lago(incoming.body, submission)
    return accept_foreign(_parts(incoming), submission) if lago is None else lago


def _of_nothing(parts: Sequence[bytes | Raw], told: Collection[int]) -> Iterator[SubmissionReceipt]:
    """Of what neither is an event nor was refused: it costs nothing."""
    for index in set(range(len(parts))).difference(told):
        named = _named(bytes(parts[index]))
        yield SubmissionReceipt(
            index=index,
            id=_text(named.id),
            source=_text(named.source),
            status="accepted",
            reason="costs nothing",
        )


def _of_accepted(index: int, event: UsageEvent | OutcomeEvent, digest: bytes) -> SubmissionReceipt:
    return SubmissionReceipt(
        index=index, id=event.id, source=event.source, status="accepted", hash=digest.hex()
    )


def _of_refused(parts: Sequence[bytes | Raw], refused: Iterable[BadEvent]) -> Iterator[SubmissionReceipt]:
    for bad in refused:
        index = bad["index"] or 0
        named = _named(bytes(parts[index]))
        yield SubmissionReceipt(
            index=index,
            id=_text(named.id),
            source=_text(named.source),
            status="rejected",
            field=bad["field"],
            reason=bad["reason"],
        )


def _named(raw: bytes) -> _Named:
    """Id and source, so far as what was sent names them."""
    try:
        return _decode_named(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Named()


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None


_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "type": EVENT_TYPE,
    "id": "req-8f14e45f",
    "source": "checkout-bot",
    "subject": "acme/checkout",
    "data": {
        "provider": "openai",
        "sku": "gpt-4o",
        "usage": {"input_tokens": 2000, "cache_read_tokens": 8000, "output_tokens": 1000},
        "labels": {"team": "payments", "feature": "assistant"},
    },
}
_OUTCOME: dict[str, Any] = {
    "specversion": "1.0",
    "type": OUTCOME_TYPE,
    "id": "refund-4711",
    "source": "helpdesk",
    "subject": "acme/helpdesk",
    "data": {"name": "refund_resolved", "accepted": True, "labels": {"workflow": "refund", "run": "run-81"}},
}
_ONE = {"anyOf": [{"$ref": "#/components/schemas/UsageEvent"}, {"$ref": "#/components/schemas/OutcomeEvent"}]}
_MANY = {"type": "array", "items": _ONE, "maxItems": EVENTS_MAX}
_RECEIPTS = {"type": "array", "items": {"$ref": "#/components/schemas/SubmissionReceipt"}}
_DROPPED_HEADER = {
    "description": "Paths of fields that nobody knows, and that were not kept; absent: none",
    "schema": {"type": "string", "example": "data.labels.costcenter, data.cost"},
}

OWN_EVENTS = Entrance(
    path=PATH,
    name="own",
    read=read_own,
    answer=answer_own,
    refuse=refuse_own,
    media_types=tuple(FORMS),
    openapi={
        "summary": "Send usage events and outcomes",
        "description": "204 means that the log holds every one of them. With `Prefer: return=representation`,"
        " 200 and a receipt for each: then one bad event does not refuse the others. CloudEvents of other"
        " types are taken where a meter knows them (/v1/meters), in structured or binary mode; so is a body"
        " of Lago's with `event` or `events`, which is answered in Lago's shape.",
        "parameters": [
            {
                "name": "Prefer",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "example": REPRESENTATION},
                "description": "Ask for a receipt of each event",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _ONE, "example": _EXAMPLE},
                "application/cloudevents-batch+json": {"schema": _MANY, "example": [_EXAMPLE, _OUTCOME]},
                "application/json": {"schema": {"anyOf": [_ONE, _MANY]}, "example": _EXAMPLE},
            },
        },
        "responses": {
            "200": {
                "description": "What became of each event, where a receipt was asked for",
                "content": {
                    "application/json": {
                        "schema": _RECEIPTS,
                        "example": [
                            {
                                "index": 0,
                                "id": "req-8f14e45f",
                                "source": "checkout-bot",
                                "status": "accepted",
                                "hash": "5b0b7b8e0f1d4c0f8a4a6e6d1f2c3b4a",
                            }
                        ],
                    }
                },
            },
            "422": {
                "description": "A body of Lago's: what is wrong with which field, in Lago's shape",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "204": {
                "description": "Accepted: the log holds every event",
                "headers": {DROPPED: _DROPPED_HEADER},
            },
        },
    },
)
