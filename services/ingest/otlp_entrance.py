"""What the three entrances of OTLP over HTTP have in common: bounds, answers and refusals as OTLP has them.

An exporter sends again what is answered 503, and gives up what is answered otherwise; so items are rejected
one by one only for what will never be right, and whatever may pass later is 503 for the whole request.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from services.ingest.accept import AcceptedEvents
from services.ingest.body import BodyBounds
from services.ingest.dialects.otlp_answers import Signal, encode_answer, encode_status
from services.ingest.dialects.otlp_items import ITEMS_MAX, TooManyItems, WireError
from services.ingest.dialects.otlp_spans import OTHER_SIGNAL, UNMETERED, UNREAD, USAGE_OF_NO_CALL
from services.ingest.dialects.otlp_wire import ENCODINGS, JSON, PROTOBUF
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import Entrance, Incoming, labels_that_fit, translated
from services.ingest.refused import BadEvent, RequestRefused, bad_request, too_large

OTLP_BOUNDS = BodyBounds(wire_bytes_max=16 * 1024 * 1024, body_bytes_max=64 * 1024 * 1024)
"""A Collector's batch has 8,192 items unless set, and a call with what it holds of prompts is kilobytes. What
is too large is lost: no exporter sends it in parts."""
REASONS_SHOWN_MAX = 5
TranslateOtlp = Callable[[Incoming, Mapping[str, str]], Translated]
"""The second are the labels that the request says of all its items."""
_STATUS = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
"""google.rpc.Status."""
LABEL_OF_ALL = (
    "a label of Spendmeter-Labels or ?label. that is no name=value, has over 128 characters, or one that "
    "cannot be seen"
)
_REMARKED = {
    UNMETERED: "not metered",
    USAGE_OF_NO_CALL: "not metered",
    UNREAD: "not metered",
    OTHER_SIGNAL: "passed over",
    LABEL_OF_ALL: "left out",
}
"""What is told although nothing was rejected, and under what word."""
_REFUSAL = {"code": 16, "message": "this API key is unknown, expired or revoked"}


def otlp_entrance(
    signal: Signal, translate: TranslateOtlp, *, about: str, example: dict[str, Any]
) -> Entrance:
    """The entrance of a signal. `about`: what is taken of it, for the description."""
    message = {"type": "object", "description": "an OTLP request; see opentelemetry-proto"}
    return Entrance(
        path=f"/v1/{signal}",
        name=f"otlp_{signal}",
        read=translated(partial(_translated, translate), partly=True, events_max=ITEMS_MAX),
        media_types=ENCODINGS,
        bounds=OTLP_BOUNDS,
        answer=partial(_answer, signal),
        refuse=_refuse,
        keeps_late=True,
        openapi={
            "summary": f"Send {signal} in OTLP",
            "description": about,
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": message, "example": example},
                    PROTOBUF: {"schema": {"type": "string"}},
                },
            },
            "responses": {
                "200": {
                    "description": "Taken; `partialSuccess` says how many items never can be, and why",
                    "content": {JSON: {"schema": {"type": "object"}, "example": {}}, PROTOBUF: {}},
                }
            },
            "refusals": {JSON: {"schema": _STATUS, "example": _REFUSAL}, PROTOBUF: {}},
        },
    )


def _translated(translate: TranslateOtlp, incoming: Incoming) -> Translated:
    labels, unfit = labels_that_fit(incoming)
    try:
        found = translate(incoming, labels)
    except TooManyItems as error:
        raise too_large(str(error)) from None
    except WireError as error:
        raise bad_request("the body is no request of OTLP", [_of_body(str(error))]) from None
    if unfit:
        found.noted[LABEL_OF_ALL] += len(unfit)
    return found


def _of_body(reason: str) -> BadEvent:
    return BadEvent(index=None, field="", reason=reason)


def _answer(signal: Signal, incoming: Incoming, accepted: AcceptedEvents) -> Response:
    message = "; ".join(
        filter(None, (told(accepted.refused), _remark({**accepted.skipped, **accepted.noted})))
    )
    said = encode_answer(signal, incoming.media_type, rejected=len(accepted.refused), message=message)
    return Response(said, media_type=incoming.media_type)


def _remark(counted: Mapping[str, int]) -> str:
    """What a sender should change, or should know, although all that it sent was taken."""
    told = [f"{what}: {counted[why]} x {why}" for why, what in _REMARKED.items() if counted.get(why)]
    return "; ".join(told)


def told(refused: Sequence[BadEvent]) -> str:
    """Why items were rejected: each reason once, with the place of the first that it is about."""
    reasons: dict[str, int | None] = {}
    for bad in refused:
        reasons.setdefault(f"{bad['field']} {bad['reason']}".strip(), bad["index"])
    shown = [f"item {index}: {reason}" for reason, index in list(reasons.items())[:REASONS_SHOWN_MAX]]
    more = len(reasons) - len(shown)
    return "; ".join(shown + ([f"and {more} more reasons"] if more > 0 else []))


def _refuse(_url: str, media_type: str, refused: RequestRefused) -> Response:
    """As a google.rpc.Status. Whatever passes later is 503, also what came too often: some exporters send
    again after no other answer."""
    encoding = media_type if media_type in ENCODINGS else JSON
    status = HTTPStatus.SERVICE_UNAVAILABLE if refused.comes_again else refused.status
    said = "; ".join([refused.detail, told(refused.errors)] if refused.errors else [refused.detail])
    return Response(
        encode_status(encoding, status, said),
        status_code=status,
        media_type=encoding,
        headers=refused.headers,
    )
