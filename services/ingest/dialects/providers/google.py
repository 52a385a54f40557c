"""Google's answers: generateContent and its stream, interactions, live turns, embeddings, images; also on
Vertex AI. Pure.

Each chunk of a stream repeats the counts so far: the last one stands.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece
from spendmeter.contracts.dialect_parts import snake
from spendmeter.contracts.tool_fees import tool_fees

_LIVE = (
    "serverContent", "server_content", "setupComplete", "setup_complete", "toolCall", "tool_call",
    "toolCallCancellation", "tool_call_cancellation", "goAway", "go_away",
    "sessionResumptionUpdate", "session_resumption_update",
)  # fmt: skip
_ANY_TIER = ("", "unspecified", "traffic_type_unspecified")


def read(answer: Answer) -> Iterator[CallPiece]:
    """The piece that one object states: an answer, a chunk of a stream, or an error."""
    if answer.has("error") and not answer.has("usage"):
        yield CallPiece(failed=True)
        return
    held, event = answer.inner("interaction"), answer.text("event_type")
    if held is not None or event or is_interaction(answer):
        yield _interaction(answer, held or answer, stream=bool(event))
        return
    candidates = answer.each("candidates")
    usage = _usage(answer)
    if usage is None and answer.has(*_LIVE):
        return  # of a live session: what a turn used, a message at its end says
    finished = any(each.text("finishReason", "finish_reason") for each in candidates)
    yield CallPiece(
        id=answer.text("responseId", "response_id"),
        model=answer.text("modelVersion", "model_version").removeprefix("models/"),
        time=answer.text("createTime", "create_time") or None,
        tier=_tier(usage),
        dialect="gemini",
        usage=usage,
        fees=_fees(candidates),
        stream=answer.has("candidates"),
        content=tuple(_content(candidates)),
        ends=finished or not candidates,
    )


def is_interaction(answer: Answer) -> bool:
    """Whether it is an answer, or an event, of the interactions API."""
    return answer.text("object") == "interaction" or answer.has("interaction")


def _interaction(answer: Answer, held: Answer, *, stream: bool) -> CallPiece:
    """One, or an event of its stream, whose last one holds it with what it used."""
    usage, delta = held.usage("usage") if held is not answer or not stream else None, answer.inner("delta")
    return CallPiece(
        id=held.text("id"),
        model=held.text("model").removeprefix("models/"),
        time=held.text("created") or None,
        tier=held.text("service_tier"),
        dialect="gemini",
        usage=usage,
        stream=stream,
        content=tuple(filter(None, (delta.raw("text") if delta else None,))),
        ends=usage is not None,
        failed=usage is None and held.text("status") in ("failed", "cancelled"),
    )


def _usage(answer: Answer) -> dict[str, Any] | None:
    """The usage object; of embeddings on Vertex the tokens of each text, of images how many there are."""
    usage = answer.usage("usageMetadata", "usage_metadata")
    predictions = answer.each("predictions", "generatedImages", "generated_images")
    if usage is not None or not predictions:
        return usage
    if images := sum(_is_image(each) for each in predictions):
        return {"images": images}
    return {"prompt_token_count": sum(_embedded(each) for each in predictions)}


def _is_image(prediction: Answer) -> bool:
    return prediction.has("bytesBase64Encoded", "image")


def _embedded(prediction: Answer) -> int:
    embeddings = prediction.inner("embeddings")
    statistics = embeddings.inner("statistics") if embeddings else None
    return int((statistics.number("token_count") if statistics else None) or 0)


def _tier(usage: dict[str, Any] | None) -> str:
    said = snake(usage)
    tier = said.get("traffic_type") or said.get("service_tier") or ""
    return tier if isinstance(tier, str) and tier.lower() not in _ANY_TIER else ""


def _fees(candidates: list[Answer]) -> dict[str, int]:
    return tool_fees(
        "gemini", {"candidates": [{"grounding_metadata": _grounding(each)} for each in candidates]}
    )


def _grounding(candidate: Answer) -> dict[str, Any]:
    found = candidate.inner("groundingMetadata", "grounding_metadata")
    if found is None:
        return {}
    chunks = found.each("groundingChunks", "grounding_chunks")
    kinds = {
        "maps": ("maps",),
        "web": ("web",),
        "retrieved_context": ("retrievedContext", "retrieved_context"),
    }
    return {
        "web_search_queries": found.texts("webSearchQueries", "web_search_queries"),
        "grounding_chunks": [
            {kind: {} for kind, names in kinds.items() if chunk.has(*names)} for chunk in chunks
        ],
    }


def _content(candidates: list[Answer]) -> Iterator[Raw]:
    for candidate in candidates:
        content = candidate.inner("content")
        for part in content.each("parts") if content else []:
            if (found := part.raw("text")) is not None:
                yield found
