"""Anthropic's answers: messages, the events of their streams; on Bedrock and Vertex they are the same. Pure.

A stream states its input when it begins and its output, so far, with each delta: the later goes over the
earlier.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Raw

from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece, SideCall
from spendmeter.contracts.dialect_parts import part, tables

_FALLBACK = "fallback_message"
_ROUNDS = ("message", _FALLBACK)
_REFUSED = "refusal"
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
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
            **_usage(usage),
            adds=True,
            stream=True,
            ends=bool(delta and delta.text("stop_reason") and usage),
            refused=bool(delta and delta.text("stop_reason") == _REFUSED),
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
    usage = message.usage("usage")
    silent = not (message.each("content") if message.has("content") else (usage or {}).get("output_tokens"))
    return CallPiece(
        id=message.text("id"),
        stream=stream,
        ends=not stream,
        refused=silent and message.text("stop_reason") == _REFUSED,
        **{"model": message.text("model"), **_usage(usage)},
    )


def _usage(usage: dict[str, Any] | None) -> dict[str, Any]:
    """What a usage object says of a call, as fields of a piece: quantities, and how and where it was
    served."""
    if usage is None:
        return {}
    tier, place = _text(usage, "service_tier"), _text(usage, "inference_geo")
    served, usage = _served(usage)
    return {
        **({"model": served} if served else {}),
        "dialect": "anthropic",
        "usage": usage,
        "tier": "fast" if usage.get("speed") == "fast" else "" if tier == "batch" else tier,
        "batch": tier == "batch",
        "region": "" if place in _NOWHERE else place,
        "sides": tuple(_others(usage, served)),
    }


def _served(usage: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Which model answered in the place of one that declined, and what it used; '' = none did."""
    rounds = list(tables(usage, "iterations"))
    if not (served := _first(_text(each, "model") for each in rounds if each.get("type") == _FALLBACK)):
        return "", usage
    own = [each for each in rounds if _text(each, "model") == served and each.get("type") in _ROUNDS]
    counts = {name: sum(part(each, name) for each in own) for name in _COUNTS}
    written = {
        name: sum(part(each, "cache_creation", name) for each in own)
        for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
    }
    return served, usage | counts | {"cache_creation": written}


def _others(usage: Mapping[str, Any], served: str) -> Iterator[SideCall]:
    """What other models used, at their own prices: one that was asked for advice, which the totals leave out;
    and one that declined in the middle of its answer. Who declines before it says anything costs nothing."""
    for place, each in enumerate(tables(usage, "iterations")):
        model, kind = _text(each, "model"), each.get("type")
        if kind == "advisor_message":
            yield SideCall(name=f"advisor-{place}", model=model, dialect="anthropic", usage=each)
        elif served and kind in _ROUNDS and model not in ("", served) and part(each, "output_tokens"):
            yield SideCall(name=f"declined-{place}", model=model, dialect="anthropic", usage=each)


def _invocation(answer: Answer) -> dict[str, Any]:
    """What Bedrock adds to a stream's last event: how long it took."""
    metrics = answer.usage("amazon-bedrock-invocationMetrics")
    latency = (metrics or {}).get("invocationLatency")
    return {"latency_ms": latency} if type(latency) is int else {}


def _first(texts: Iterator[str]) -> str:
    return next(filter(None, texts), "")


def _text(usage: Mapping[str, Any], name: str) -> str:
    said = usage.get(name)
    return said if isinstance(said, str) else ""
