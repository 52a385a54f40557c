"""Cohere's answers: chat in both versions, embed, rerank; the model is in the request alone. Pure."""

from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece

_ENDS = ("message-end", "stream-end")
_BEGINS = ("message-start", "stream-start")


def read(answer: Answer) -> Iterator[CallPiece]:
    """The piece that one object states: an answer, or an event of a stream."""
    kind = answer.text("type") or answer.text("event_type")
    if kind in _ENDS:
        yield _end(answer)
    elif kind in _BEGINS:
        yield CallPiece(id=answer.text("id", "generation_id"), stream=True)
    elif "-" in kind:
        yield CallPiece(stream=True, content=tuple(_content(answer)))
    elif answer.has("usage", "meta"):
        yield CallPiece(
            id=answer.text("id", "response_id"), model=answer.text("model"), usage=_usage(answer), ends=True
        )
    else:
        yield CallPiece(failed=not answer.has("id"))


def _end(answer: Answer) -> CallPiece:
    inner = answer.inner("delta", "response")
    usage = _usage(inner) if inner else None
    return CallPiece(
        id=inner.text("generation_id") if inner else "", usage=usage, stream=True, ends=usage is not None
    )


def _usage(answer: Answer) -> dict[str, Any] | None:
    return answer.usage("usage", "meta")


def _content(answer: Answer) -> Iterator[Raw]:
    delta = answer.inner("delta")
    message = delta.inner("message") if delta else None
    content = message.inner("content") if message else None
    for holder, names in ((content, ("text", "thinking")), (message, ("tool_plan",)), (answer, ("text",))):
        for name in names if holder else ():
            if holder is not None and (found := holder.raw(name)) is not None:
                yield found
