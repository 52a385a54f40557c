"""Anthropic's answers: messages, the events of their streams; on Bedrock and Vertex they are the same. Pure.

A stream states its input when it begins and its output, so far, with each delta: the later goes over the
earlier.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Raw

from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece, SideCall

_NOWHERE = ("global", "not_available")
"""What an answer says of its place where it was served anywhere."""


def read(answer: Answer) -> Iterator[CallPiece]:
    """The pieces that one object states: a message, or an event of a stream."""
    kind = answer.text("type")
    if kind == "message_start" and (message := answer.inner("message")) is not None:
        yield _message(message, stream=True)
    elif kind == "message_delta":
        delta = answer.inner("delta")
        usage = answer.usage("usage")
        yield CallPiece(
            **_usage(usage), adds=True, stream=True, ends=bool(delta and delta.text("stop_reason") and usage)
        )
    elif kind in ("content_block_delta", "content_block_start"):
        inner = answer.inner("delta", "content_block")
        yield CallPiece(stream=True, content=tuple(_content(inner)) if inner else ())
    elif kind == "message_stop":
        yield CallPiece(stream=True, ends=True, **_invocation(answer))
    elif kind == "error" or (answer.has("error") and not answer.has("usage")):
        yield CallPiece(failed=True, stream=kind == "error")
    elif kind not in ("ping", "content_block_stop"):
        yield _message(answer, stream=False)


def _content(block: Answer) -> Iterator[Raw]:
    for name in ("text", "thinking", "partial_json"):
        if (found := block.raw(name)) is not None:
            yield found


def _message(message: Answer, *, stream: bool) -> CallPiece:
    return CallPiece(
        id=message.text("id"),
        model=message.text("model"),
        stream=stream,
        ends=not stream,
        **_usage(message.usage("usage")),
    )


def _usage(usage: dict[str, Any] | None) -> dict[str, Any]:
    """What a usage object says of a call, as fields of a piece: quantities, and how and where it was
    served."""
    if usage is None:
        return {}
    tier, place = _text(usage, "service_tier"), _text(usage, "inference_geo")
    return {
        "dialect": "anthropic",
        "usage": usage,
        "tier": "fast" if usage.get("speed") == "fast" else "" if tier == "batch" else tier,
        "batch": tier == "batch",
        "region": "" if place in _NOWHERE else place,
        "sides": tuple(_advice(usage)),
    }


def _advice(usage: Mapping[str, Any]) -> Iterator[SideCall]:
    """What a model that was asked for advice used, at its own price: the totals leave it out."""
    rounds = usage.get("iterations")
    for place, each in enumerate(rounds if isinstance(rounds, list) else []):
        if isinstance(each, dict) and each.get("type") == "advisor_message":
            yield SideCall(
                name=f"advisor-{place}", model=_text(each, "model"), dialect="anthropic", usage=each
            )


def _invocation(answer: Answer) -> dict[str, Any]:
    """What Bedrock adds to a stream's last event: how long it took."""
    metrics = answer.usage("amazon-bedrock-invocationMetrics")
    latency = (metrics or {}).get("invocationLatency")
    return {"latency_ms": latency} if type(latency) is int else {}


def _text(usage: Mapping[str, Any], name: str) -> str:
    said = usage.get(name)
    return said if isinstance(said, str) else ""
