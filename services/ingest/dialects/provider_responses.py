"""Providers' own answers, made events: `POST /api/v1/usage/{provider}`. Pure.

    translate_responses(SentResponses(provider="openai", body=b'{"id": ...}', media_type="application/json"))

The body is one answer, a usage object alone, a list of chunks, the transcript of a stream, or the lines of a
batch's result. What an answer says of its content is never decoded, but where a stream broke off: then it is
counted, and dropped.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from services.ingest.dialects.provider_stated import StatedBeside, identity_of, stated_beside
from services.ingest.dialects.providers import bedrock
from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.batches import FAILED, row_of
from services.ingest.dialects.providers.facts import (
    PROVIDERS,
    AnswerProvider,
    pieces_of,
    provider_named,
    stated_cost,
)
from services.ingest.dialects.providers.piece import CallPiece, ProviderCall, SideCall, calls_of, metered
from services.ingest.dialects.providers.transcripts import DONE, LINES, objects
from services.ingest.dialects.translated import ASSUMED, SaidEvent, Translated, usage_event
from services.ingest.refused import BadEvent, RequestRefused, bad_request
from spendmeter.contracts.dialect_parts import DialectError
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.events import EventError
from spendmeter.contracts.tool_fees import tool_fees

NO_ANSWER = "an error instead of an answer"
FREE_REFUSAL = "refused before any output, which its vendor does not bill"
ESTIMATED = "quantities estimated"
NO_INPUT = "input unknown: send ?input_tokens="
CUT = "an event cut off in its middle"
_TIME_MAX = 4_102_444_800
"""The year 2100, in seconds."""


class SentResponses(Struct, frozen=True, kw_only=True):
    """One request, as it came."""

    provider: str
    """By the name in the path."""
    body: bytes
    media_type: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    """Of all its calls."""


class _Asked(Struct, frozen=True, kw_only=True):
    """What a request says of all its calls."""

    facts: AnswerProvider
    stated: StatedBeside
    labels: Mapping[str, str]


def translate_responses(sent: SentResponses) -> Translated:
    """The events of a request. Raises RequestRefused: 404 for a provider that nobody knows, 400 for a query
    that cannot be."""
    facts = provider_named(sent.provider)
    if facts is None:
        known = ", ".join(sorted(PROVIDERS))
        raise RequestRefused(HTTPStatus.NOT_FOUND, f"no such provider; answers are read of {known}")
    try:
        stated = stated_beside(sent.query, sent.headers)
    except EventError as error:
        bad = BadEvent(index=None, field=error.field, reason=error.reason)
        raise bad_request("what is stated beside the body cannot be", [bad]) from None
    asked = _Asked(facts=facts, stated=stated, labels=sent.labels)
    found = Translated(dropped={f"query.{name}" for name in stated.unknown})
    if sent.media_type in LINES:
        _lines(sent, asked, found)
    else:
        _one_body(sent, asked, found)
    return found


def _one_body(sent: SentResponses, asked: _Asked, found: Translated) -> None:
    """Pieces of one call or of a few, in their order."""
    try:
        calls = calls_of(_all_pieces(sent, asked, found))
        if len(calls) == 1 and asked.facts.usage == "bedrock":
            calls[0].fill_in(bedrock.of_headers(sent.headers))
    except DialectError as error:
        found.refuse(None, str(error), "body")
        return
    for ordinal, call in enumerate(calls):
        _take(call, asked, found, ordinal, ordinal if len(calls) > 1 else None)
    if not calls and not found.skipped:
        found.refuse(None, "no usage: the body holds no answer of this provider", "body")


def _all_pieces(sent: SentResponses, asked: _Asked, found: Translated) -> Iterator[CallPiece]:
    for each in objects(sent.body, sent.media_type):
        try:
            yield from _pieces(asked.facts, each.raw, found)
        except DialectError:
            if not each.cut:
                raise
            found.noted[CUT] += 1  # a stream that broke off in the middle of an event: the rest stands


def _pieces(facts: AnswerProvider, raw: bytes | Raw, found: Translated) -> Iterable[CallPiece]:
    if bytes(raw).strip() == DONE:
        return [CallPiece(stream=True, ends=True)]
    answer = Answer.read(raw)
    row = row_of(answer, google=facts.shapes[0] == "google")
    if row is None:
        return pieces_of(facts, raw, answer)
    if row.answer is None:
        found.skipped[FAILED] += 1
        return []
    return [_of_batch(piece, row.id) for piece in pieces_of(facts, row.answer, Answer.read(row.answer))]


def _of_batch(piece: CallPiece, row_id: str) -> CallPiece:
    return replace(piece, batch=True, id=piece.id or row_id)


def _lines(sent: SentResponses, asked: _Asked, found: Translated) -> None:
    """Each line for itself: a bad one is named by its number, and the others go on."""
    for line in objects(sent.body, sent.media_type):
        try:
            calls = calls_of(_pieces(asked.facts, line.raw, found))
        except DialectError as error:
            found.refuse(line.place, str(error), f"line {line.place + 1}")
            continue
        for call in calls:
            _take(call, asked, found, line.place, line.place)


def _take(call: ProviderCall, asked: _Asked, found: Translated, index: int, ordinal: int | None) -> None:
    """The events of a call: its own, and one for each model that was asked on its behalf."""
    if asked.stated.interrupted:
        call.break_off(asked.stated.sent_bytes or 0, asked.stated.sent_pieces or 0)
    if call.failed and call.usage is None and not call.content:
        found.skipped[NO_ANSWER] += 1
        return
    if asked.facts.free_refusals and call.refused and not call.content:
        found.skipped[FREE_REFUSAL] += 1
        return
    try:
        event, remarks = _event(call, asked, ordinal)
        sides = [_side(side, event) for side in call.sides]
    except EventError as error:
        found.refuse(index, error.reason, error.field)
    except DialectError as error:
        found.refuse(index, str(error), "usage")
    else:
        for said in (event, *sides):
            found.take(index, said)
        found.noted.update(remarks)


def _event(call: ProviderCall, asked: _Asked, ordinal: int | None) -> tuple[SaidEvent, Counter[str]]:
    facts, stated = asked.facts, asked.stated
    used = metered(call, stated.input_tokens)
    source, own_id = identity_of(facts.provider, call.id, stated, ordinal)
    remarks = Counter(
        remark
        for remark, holds in (
            (ESTIMATED, used.estimated),
            (ASSUMED, used.normalised == "assumed"),
            (NO_INPUT, "input_tokens" in used.estimated and stated.input_tokens is None),
        )
        if holds
    )
    event = usage_event(
        id=own_id,
        source=source,
        provider=facts.provider,
        sku=_model(call, asked),
        usage=used.usage | _asked_fees(asked, used.usage),
        time=stated.time or _instant(call.time),
        subject=stated.subject,
        context=_context(call, stated),
        labels=asked.labels,
        performance={} if call.latency_ms is None else {"latency_ms": call.latency_ms},
        reported_cost=stated_cost(facts, call.usage),
        estimated=used.estimated,
        normalised=used.normalised,
    )
    return event, remarks


def _side(side: SideCall, event: SaidEvent) -> SaidEvent:
    """What another model used, under the same call's name with its own behind it."""
    usage, normalised = disjoint(side.dialect, side.usage)
    data = event["data"]
    return usage_event(
        id=f"{event['id']}/{side.name}",
        source=event["source"],
        provider=data["provider"],
        sku=side.model,
        usage=usage,
        time=event.get("time"),
        subject=event["subject"],
        context=data.get("context"),
        labels=data.get("labels"),
        normalised=normalised,
    )


def _model(call: ProviderCall, asked: _Asked) -> str:
    stated = asked.stated.transcription_model if call.heard else asked.stated.model
    first, second = (stated, call.model) if asked.facts.model == "request" else (call.model, stated)
    if found := first or second:
        return f"{found}/{call.variant}" if call.variant else found
    name = "transcription_model" if call.heard else "model"
    raise EventError(f"the answer names none: add ?{name}=", name)


def _context(call: ProviderCall, stated: StatedBeside) -> dict[str, Any]:
    """As it was served, where the answer says so."""
    context = {
        "service_tier": call.tier or stated.service_tier,
        "region": call.region or stated.region,
        "batch": call.batch or stated.batch,
    }
    return {name: said for name, said in context.items() if said}


def _asked_fees(asked: _Asked, used: Collection[str]) -> dict[str, int]:
    """A search that the request asked for, which OpenAI's chat completions do not repeat; where the answer
    counts its searches itself, there is none."""
    size = asked.stated.search_context_size
    counted = any(unit.endswith("searches") and unit != "file_searches" for unit in used)
    if not size or counted or asked.facts.usage not in ("openai", "azure"):
        return {}
    return tool_fees("openai", {}, {"web_search_options": {"search_context_size": size}})


def _instant(time: Decimal | int | str | None) -> datetime | str | None:
    """When the vendor says it was; None = it does not say, or nothing that could be."""
    if isinstance(time, str):
        return time
    return datetime.fromtimestamp(int(time), UTC) if time is not None and 0 < time < _TIME_MAX else None
