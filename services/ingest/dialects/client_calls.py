"""Calls as the client library tells of them: many of many providers in one request. Pure.

    {"type": "spendmeter.answer.v1", "id": "...", "source": "checkout-bot", "time": "...",
     "data": {"provider": "openai", "response": {"id": ..., "model": ..., "usage": {...}}, "labels": {...}}}

An event whose quantities are still a provider's: `response` is read as `POST /api/v1/usage/{provider}` reads
one, and the rest is as in our own events. So applications translate nothing, and what a vendor changes is
mended here.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from services.ingest.dialects.provider_responses import SentResponses, translate_responses
from services.ingest.dialects.translated import SaidEvent, SentEvent, Translated
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import EventError, broken_rule

ANSWER_TYPE = "spendmeter.answer.v1"
JSON = "application/json"


class ClientData(Struct, frozen=True, kw_only=True):
    """What was called, and what came of it; '' and None = not said."""

    provider: str
    response: Raw
    """A table; of the answer the client sends what says which call it was, and what it used."""
    model: str = ""
    input_tokens: int | None = None
    interrupted: bool = False
    sent_bytes: int | None = None
    sent_pieces: int | None = None
    context: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    performance: dict[str, Any] = {}
    outcome: Any = None


class ClientCall(Struct, frozen=True, kw_only=True):
    """One call."""

    id: str
    source: str
    type: str
    data: ClientData
    subject: str = ""
    time: str = ""
    specversion: str = "1.0"


class KnownClientData(ClientData, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that has no fields beside these."""


class KnownClientCall(ClientCall, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that has no fields beside these."""

    data: KnownClientData


_KNOWN = frozenset(ClientCall.__struct_fields__)
_KNOWN_DATA = frozenset(ClientData.__struct_fields__)
_decode_known = msgspec.json.Decoder(KnownClientCall).decode
_decode_any = msgspec.json.Decoder(ClientCall).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def translate_calls(parts: list[bytes | Raw]) -> Translated:
    """The events of a request, from its elements."""
    found = Translated()
    for index, part in enumerate(parts):
        try:
            call = _read(part, found)
        except EventError as error:
            found.refuse(index, error.reason, error.field)
        else:
            _take(index, call, found)
    return found


def _read(part: bytes | Raw, found: Translated) -> ClientCall:
    """One that holds what nobody knows is read a second time, for the names of it. Raises EventError."""
    try:
        return _of_its_type(_decode_known(part))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        call = _of_its_type(_read_any(part))
    found.dropped |= _unknown(part)
    return call


def _read_any(part: bytes | Raw) -> ClientCall:
    """Raises EventError."""
    try:
        return _decode_any(part)
    except msgspec.ValidationError as error:
        raise broken_rule(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EventError("is no JSON") from None


def _of_its_type(call: ClientCall) -> ClientCall:
    """Raises EventError for another's."""
    if call.type != ANSWER_TYPE:
        raise EventError(f"must be {ANSWER_TYPE} here", "type")
    return call


def _take(index: int, call: ClientCall, found: Translated) -> None:
    try:
        one = translate_responses(_responses(call))
    except RequestRefused as refused:
        for bad in refused.errors or ({"field": "data.provider", "reason": refused.detail},):
            found.refuse(index, bad["reason"], bad["field"].replace("query.", "data."))
        return
    for bad in one.refused:
        found.refuse(index, bad["reason"], bad["field"])
    for place, sent in enumerate(one.events):
        found.events.append(SentEvent(index=index, said=_with_rest(sent.said, call, first=not place)))
    found.skipped.update(one.skipped)
    found.noted.update(one.noted)


def _responses(call: ClientCall) -> SentResponses:
    """As the entrance of one provider would have been asked."""
    data = call.data
    query = {
        "id": call.id,
        "source": call.source,
        "time": call.time,
        "model": data.model,
        "service_tier": data.context.get("service_tier"),
        "region": data.context.get("region"),
        "batch": data.context.get("batch"),
        "input_tokens": data.input_tokens,
        "interrupted": data.interrupted,
        "sent_bytes": data.sent_bytes,
        "sent_pieces": data.sent_pieces,
    }
    said = {name: _as_text(value) for name, value in query.items() if value is not None}
    return SentResponses(
        provider=data.provider, body=bytes(data.response), media_type=JSON, query=said, labels=data.labels
    )


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_rest(said: SaidEvent, call: ClientCall, *, first: bool) -> SaidEvent:
    """What the call says beside the answer; of several events that came of it, of the first alone what may
    not be counted twice."""
    data: dict[str, Any] = said["data"]
    if first:
        performance: Mapping[str, Any] = data.get("performance", {}) | call.data.performance
        rest = {"performance": performance, "outcome": call.data.outcome}
        data |= {name: value for name, value in rest.items() if value}
    return said | {"subject": call.subject or call.source}


def _unknown(part: bytes | Raw) -> set[str]:
    """Raises EventError for a name that is no text, which is read over where it means nothing."""
    try:
        fields = _decode_fields(part)
        data = _decode_fields(fields["data"])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EventError("is no JSON") from None
    return {*(fields.keys() - _KNOWN), *(f"data.{name}" for name in data.keys() - _KNOWN_DATA)}
