"""Events of other meters' clients at the doors of our own: CloudEvents of any type, and Lago's. Pure.

A request of our own events alone never comes here. In one that was refused, what is none of ours is read by
the tenant's meters, and goes through the same gate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from uuid import UUID

import msgspec
from msgspec import Raw
from starlette.responses import Response

from services.ingest.accept import EVENTS_MAX, AcceptedEvents, Submission, accept_translated
from services.ingest.content_type import BINARY
from services.ingest.dialects.cloud_events import foreign_event, is_foreign, structured
from services.ingest.dialects.lago import LagoEvent, event_of_lago, happened_at, lago_events, read_lago
from services.ingest.dialects.metered import ForeignEvent, metered
from services.ingest.dialects.stated import Unusable
from services.ingest.dialects.translated import ASSUMED, Translated
from services.ingest.entrances import Incoming
from services.ingest.refused import RequestRefused, too_large
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.meters import UsageMeter
from spendmeter.platform.keys import OPERATOR

STRUCTURED = "application/cloudevents+json"
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, kw_only=True)
class LagoAccepted(AcceptedEvents):
    """What of a request of Lago's goes on, and what it is answered with."""

    answer: bytes


class LagoRefused(RequestRefused):
    """A request of Lago's that is refused, in its shape: each field with what is wrong with it."""

    def __init__(self, refused: RequestRefused, many: bool) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, refused.detail, refused.errors)
        self.many = many


def as_structured(incoming: Incoming) -> Incoming:
    """A request in CloudEvents' binary mode as it would be in structured mode; any other as it is."""
    if BINARY not in incoming.headers or incoming.media_type != "application/json":
        return incoming
    return replace(incoming, body=structured(incoming.headers, incoming.body), media_type=STRUCTURED)


def accept_foreign(
    parts: Sequence[bytes | Raw], submission: Submission, *, partly: bool = False
) -> AcceptedEvents | None:
    """The events of a request of which some are none of ours; None where all are. Raises RequestRefused."""
    found, own = Translated(), []
    for index, part in enumerate(parts):
        raw = bytes(part)
        if not is_foreign(raw):
            own.append((index, raw))
            continue
        try:
            _take(index, foreign_event(raw), submission, found)
        except Unusable as error:
            found.refuse(index, error.reason, error.field)
    if len(own) == len(parts):
        return None
    return accept_translated(found, submission, partly=partly, own=own)


def accept_lago(body: bytes, submission: Submission) -> LagoAccepted | None:
    """The events of a body of Lago's; None where it is none. Raises RequestRefused."""
    if (listed := lago_events(body)) is None:
        return None
    raws, many = listed
    if len(raws) > EVENTS_MAX:
        raise too_large(f"a request may have at most {EVENTS_MAX} events")
    found, sent = Translated(), []
    for index, raw in enumerate(raws):
        try:
            said = read_lago(raw)
            sent.append(said)
            _take(index, event_of_lago(said), submission, found)
        except Unusable as error:
            found.refuse(index, error.reason, error.field)
    try:
        accepted = accept_translated(found, submission)
    except RequestRefused as refused:
        if refused.status is HTTPStatus.BAD_REQUEST:
            raise LagoRefused(refused, many) from None
        raise
    by_place = dict(zip(accepted.places, accepted.events, strict=True))
    told = [_told(each, by_place.get(index), submission) for index, each in enumerate(sent)]
    answer = _encode({"events": told} if many else {"event": told[0]})
    shared = {name: getattr(accepted, name) for name in AcceptedEvents.__dataclass_fields__}
    return LagoAccepted(**shared, answer=answer)


def answer_lago(accepted: LagoAccepted) -> Response:
    """200 and the events, as Lago tells of what it took."""
    return Response(accepted.answer, media_type="application/json")


def refuse_lago(refused: RequestRefused) -> Response:
    """An error in Lago's shape."""
    said: dict[str, object] = {"status": refused.status.value, "error": refused.status.phrase}
    if isinstance(refused, LagoRefused):
        details: dict[str, dict[str, list[str]]] = {}
        for bad in refused.errors:
            fields = details.setdefault(str(bad["index"] or 0), {})
            fields.setdefault(bad["field"] or "event", []).append(bad["reason"])
        said |= {
            "code": "validation_errors",
            "error_details": details if refused.many else details.get("0", {}),
        }
    else:
        said["code"] = refused.detail
    return Response(
        _encode(said), refused.status.value, headers=refused.headers, media_type="application/json"
    )


def _take(index: int, event: ForeignEvent, submission: Submission, found: Translated) -> None:
    said = metered(event, _meters(submission, event.tenant))
    if isinstance(said, str):
        found.skipped[said] += 1
    else:
        data = said["data"]
        data["labels"] = found.fitting(data.get("labels", {}))
        found.take(index, said)
        if data.get("normalised") == "assumed":
            found.noted[ASSUMED] += 1


def _meters(submission: Submission, named: str) -> Mapping[str, UsageMeter]:
    tenant = submission.credential.tenant
    numbered = submission.snapshot.meters.get(named if tenant == OPERATOR else tenant)
    return numbered.meters if numbered else {}


def _told(sent: LagoEvent, event: UsageEvent | None, submission: Submission) -> dict[str, object]:
    """An event as Lago would answer it; of one that costs nothing the id is null."""
    now = submission.now.isoformat()
    at = happened_at(sent.timestamp) or submission.now
    return {
        "lago_id": None if event is None else str(UUID(bytes=identity(event.tenant, event.source, event.id))),
        "transaction_id": sent.transaction_id,
        "lago_customer_id": None,
        "lago_subscription_id": None,
        "external_subscription_id": sent.external_subscription_id,
        "code": sent.code,
        "timestamp": at.isoformat(),
        "precise_total_amount_cents": None,
        "properties": sent.properties or {},
        "created_at": now,
    }
