"""Amazon Bedrock's answers: Converse, its stream, and what InvokeModel returns of each maker's models. Pure.

The model is in the request alone. What a body does not say of its tokens, the headers of the answer do
(`x-amzn-bedrock-input-token-count`), be they sent along as headers or inside boto3's ResponseMetadata.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from services.ingest.dialects.providers import anthropic, openai
from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece
from spendmeter.contracts.dialect_parts import DialectError

_HEADER = "x-amzn-bedrock-"
_REQUEST = "x-amzn-requestid"
"""Which AWS alone sets, on answers: no proxy of ours gives a retry another one."""
_COUNTS = {
    "input-token-count": "inputTokens",
    "output-token-count": "outputTokens",
    "cache-read-input-token-count": "cacheReadInputTokens",
    "cache-write-input-token-count": "cacheWriteInputTokens",
}
_METRICS = {
    "inputTokenCount": "inputTokens",
    "outputTokenCount": "outputTokens",
    "cacheReadInputTokenCount": "cacheReadInputTokens",
    "cacheWriteInputTokenCount": "cacheWriteInputTokens",
}
"""As streams of InvokeModel and Amazon's own models spell them."""
_OPTIMIZED = "optimized"
_STREAM_METRICS = "amazon-bedrock-invocationMetrics"
_EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")
"""Of Converse's stream, beside its last one, which holds the usage."""
_ERRORS = (
    "internalServerException", "modelStreamErrorException", "modelTimeoutException",
    "serviceUnavailableException", "throttlingException", "validationException",
)  # fmt: skip
"""With which a stream may end instead."""


def read(answer: Answer) -> Iterator[CallPiece]:
    """The pieces that one object states, whichever maker's model it is of."""
    if (packed := _packed(answer)) is not None:
        yield from read(packed)
    elif answer.has(*_ERRORS):
        yield CallPiece(stream=True, failed=True)
    elif answer.has(*_EVENTS):
        yield CallPiece(stream=True, content=tuple(_content(answer)))
    elif (end := answer.inner("metadata")) is not None and end.has("usage"):
        yield _converse(end, stream=True)
    elif answer.has("ResponseMetadata", "metrics", "stopReason") or _says(
        answer.usage("usage"), "inputTokens"
    ):
        yield _converse(answer, stream=False)
    elif answer.text("type") or _says(answer.usage("usage"), "input_tokens"):
        yield from _anthropic(answer)
    elif answer.has("choices"):
        yield from openai.read(answer)
        if (metrics := answer.usage(_STREAM_METRICS)) is not None and not answer.has("usage"):
            yield CallPiece(dialect="bedrock", usage=_spelled(metrics), stream=True, ends=True)
    else:
        yield _makers(answer)


def of_headers(headers: Mapping[str, Any]) -> CallPiece:
    """What the headers of an answer say of it."""
    usage = {name: int(said) for header, name in _COUNTS.items() if (said := _number(headers, header))}
    tier = headers.get(f"{_HEADER}service-tier", "")
    latency = headers.get(f"{_HEADER}performanceconfig-latency", "")
    took = _number(headers, "invocation-latency")
    return CallPiece(
        id=str(headers.get(_REQUEST, "")),
        dialect="bedrock",
        usage=usage or None,
        tier=_OPTIMIZED if latency == _OPTIMIZED else tier,
        latency_ms=int(took) if took else None,
        ends=True,
    )


def _number(headers: Mapping[str, Any], name: str) -> str:
    said = str(headers.get(_HEADER + name, ""))
    if said and (not said.isascii() or not said.isdecimal() or len(said) > 18):
        raise DialectError(f"the header {_HEADER}{name} must be a whole number of at least 0")
    return said


def _says(usage: dict[str, Any] | None, name: str) -> bool:
    return usage is not None and name in usage


def _packed(answer: Answer) -> Answer | None:
    """An event of InvokeModelWithResponseStream, which is in base64."""
    holder = answer.inner("chunk") or answer
    text = holder.raw("bytes")
    if text is None:
        return None
    try:
        return Answer.read(b64decode(msgspec.json.decode(text, type=str), validate=True))
    except (ValueError, msgspec.DecodeError):
        raise DialectError("chunk.bytes must be JSON in base64") from None


def _converse(answer: Answer, *, stream: bool) -> CallPiece:
    meta, metrics = answer.inner("ResponseMetadata"), answer.inner("metrics")
    headers = _headers(meta)
    beside = of_headers(headers)
    config, tier = answer.inner("performanceConfig"), answer.inner("serviceTier")
    took = metrics.number("latencyMs") if metrics else None
    return CallPiece(
        id=(meta.text("RequestId") if meta else "") or beside.id,
        model=_routed(answer),
        tier=_OPTIMIZED
        if config and config.text("latency") == _OPTIMIZED
        else tier.text("type")
        if tier
        else "",
        dialect="bedrock",
        usage=_spelled(answer.usage("usage")) or beside.usage,
        latency_ms=int(took) if took is not None else beside.latency_ms,
        stream=stream,
        ends=True,
    )


def _headers(meta: Answer | None) -> dict[str, Any]:
    found = meta.usage("HTTPHeaders") if meta else None
    return {name.lower(): said for name, said in (found or {}).items()}


def _routed(answer: Answer) -> str:
    """The model that a prompt router chose."""
    trace = answer.inner("trace")
    router = trace.inner("promptRouter") if trace else None
    return router.text("invokedModelId") if router else ""


def _anthropic(answer: Answer) -> Iterator[CallPiece]:
    """The price follows the model's id at Bedrock, its region too, which the body does not have."""
    for piece in anthropic.read(answer):
        yield msgspec.structs.replace(piece, model="", region="")


def _makers(answer: Answer) -> CallPiece:
    """Amazon's, Meta's and other makers' bodies; '' of them all: what the headers say."""
    metrics = answer.usage(_STREAM_METRICS)
    if metrics is None and not _is_chunk(answer):
        usage = _spelled(answer.usage("usage")) or _counted(answer)
        return CallPiece(dialect="bedrock", usage=usage, ends=True)
    return CallPiece(
        dialect="bedrock",
        usage=_spelled(metrics) or _counted(answer),
        adds=True,
        stream=True,
        content=tuple(_made(answer)),
        ends=metrics is not None,
    )


def _is_chunk(answer: Answer) -> bool:
    """Whether it is a piece of what Meta's, Mistral's or Amazon's older models stream: the whole says why it
    stopped, or has results."""
    if answer.has("outputText"):
        return True
    made = answer.each("outputs") or ([answer] if answer.has("generation") else [])
    return bool(made) and not any(each.has("stop_reason") for each in made)


def _made(answer: Answer) -> Iterator[Raw]:
    for each in (answer, *answer.each("outputs")):
        if (found := each.raw("generation", "outputText", "text")) is not None:
            yield found


def _counted(answer: Answer) -> dict[str, Any] | None:
    """The counts of makers that have no usage object: Meta's, Amazon's older ones, and images."""
    if images := len(answer.listed("images")):
        return {"images": images}
    if (read := answer.number("prompt_token_count")) is not None:
        return {"inputTokens": read, "outputTokens": answer.number("generation_token_count") or 0}
    if (made := answer.number("generation_token_count")) is not None:
        return {"outputTokens": made}
    if (read := answer.number("inputTextTokenCount")) is not None:
        made = sum(int(each.number("tokenCount") or 0) for each in answer.each("results"))
        return {"inputTokens": read, "outputTokens": made}
    return None


def _spelled(usage: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if usage is None else {_METRICS.get(name, name): said for name, said in usage.items()}


def _content(answer: Answer) -> Iterator[Raw]:
    block = answer.inner("contentBlockDelta")
    delta = block.inner("delta") if block else None
    for holder in (delta, *((delta.inner("toolUse"), delta.inner("reasoningContent")) if delta else ())):
        if holder is not None and (found := holder.raw("text", "input")) is not None:
            yield found
