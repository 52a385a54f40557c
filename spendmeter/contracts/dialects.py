"""Usage dialects: what vendors call input and output, as disjoint quantities in our units. Pure.

    disjoint("openai", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}, ...})

Some senders count cached tokens inside their input, some beside it. Where an inclusive dialect states more
cached than input, its sender was exclusive after all: that is taken so, and said ("assumed"). Nothing is
ever clamped: what is still negative raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from msgspec import Struct

Normalised = Literal["stated", "assumed"]
"""Whether the quantities follow from what was said, or from a guess at how it was meant."""
VendorUsage = Mapping[str, Any]


class DialectError(ValueError):
    """Usage that cannot be read as its dialect says: the message names the field and the rule."""


class _Parts(Struct, frozen=True, kw_only=True):
    """What was stated: totals (None = not at all), and the shares of them that have a unit of their own."""

    input: int | None
    cached: dict[str, int]
    """Read from caches and written to them: inside the input of an inclusive dialect."""
    inputs: dict[str, int] = {}
    """Inside the input of any."""
    output: int | None
    outputs: dict[str, int] = {}
    """Inside the output."""
    others: dict[str, int] = {}
    exclusive: bool = False
    assumed: bool = False


def disjoint(dialect: str, usage: VendorUsage) -> tuple[dict[str, int], Normalised]:
    """Quantities by unit, and whether they are stated or assumed; of zeros only the stated totals.

    `usage` is the vendor's usage object; for "otel", the attributes of a span. Raises DialectError where it
    holds no usage, a quantity that is no whole number, or parts that exceed their total.
    """
    if dialect not in _DIALECTS:
        raise DialectError(f"unknown dialect {dialect!r}; known are {', '.join(sorted(_DIALECTS))}")
    parts = _DIALECTS[dialect](usage)
    cached = sum(parts.cached.values())
    assumed = not parts.exclusive and cached > (parts.input or 0)
    beside = parts.exclusive or assumed
    quantities = {**parts.cached, **parts.inputs, **parts.outputs, **parts.others}
    quantities = {unit: quantity for unit, quantity in quantities.items() if quantity}
    if parts.input is not None or cached:
        inside = sum(parts.inputs.values()) + (0 if beside else cached)
        quantities["input_tokens"] = (parts.input or 0) - inside
    if parts.output is not None:
        quantities["output_tokens"] = parts.output - sum(parts.outputs.values())
    if not quantities:
        raise DialectError(f"no usage: {dialect} states neither input nor output")
    for unit, quantity in quantities.items():
        if quantity < 0:
            raise DialectError(
                f"{unit} would be {quantity}: the parts of this {dialect} usage exceed their total"
            )
    return quantities, "assumed" if assumed or parts.assumed else "stated"


def reported_cost(usage: VendorUsage) -> Decimal | None:
    """What OpenRouter says a call cost, in US dollars: with a key of one's own, its fee and the vendor's."""
    cost, upstream = _amount(usage, "cost"), _amount(usage, "cost_details", "upstream_inference_cost")
    if cost is None or upstream is None:
        return cost
    return cost + upstream if usage.get("is_byok", not cost) else cost


def _anthropic(usage: VendorUsage) -> _Parts:
    written = _count(usage, "cache_creation_input_tokens")
    five, hour = (
        _count(usage, "cache_creation", f"ephemeral_{life}_input_tokens") or 0 for life in ("5m", "1h")
    )
    untold = 0 if written is None else written - five - hour
    return _Parts(
        input=_count(usage, "input_tokens"),
        cached={
            "cache_read_tokens": _count(usage, "cache_read_input_tokens") or 0,
            "cache_write_5m_tokens": _rest(five, untold, "cache_creation_input_tokens"),
            "cache_write_1h_tokens": hour,
        },
        output=_count(usage, "output_tokens"),
        outputs={"reasoning_tokens": _count(usage, "output_tokens_details", "thinking_tokens") or 0},
        others={"searches": _count(usage, "server_tool_use", "web_search_requests") or 0},
        exclusive=True,
        assumed=untold > 0 and five + hour > 0,
    )


def _bedrock(usage: VendorUsage) -> _Parts:
    """The Converse API's."""
    told = {str(each.get("ttl")): _count(each, "inputTokens") or 0 for each in _tables(usage, "cacheDetails")}
    written, hour = _count(usage, "cacheWriteInputTokens") or sum(told.values()), told.get("1h", 0)
    return _Parts(
        input=_count(usage, "inputTokens"),
        cached={
            "cache_read_tokens": _count(usage, "cacheReadInputTokens") or 0,
            "cache_write_5m_tokens": _rest(0, written - hour, "cacheWriteInputTokens"),
            "cache_write_1h_tokens": hour,
        },
        output=_count(usage, "outputTokens"),
        exclusive=True,
    )


def _openai(usage: VendorUsage, *, reasoning_beside: bool = False) -> _Parts:
    """Chat, responses, realtime, images, transcriptions; Azure OpenAI and OpenRouter speak it too."""
    inside = _first(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    within = _first(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    cached = {
        kind: _count(inside, "cached_tokens_details", f"{kind}_tokens") or 0 for kind in ("audio", "image")
    }
    reasoning = _count(within, "reasoning_tokens") or 0
    output = _count(usage, *_named(usage, "completion_tokens", "output_tokens"))
    if output is not None and reasoning_beside:
        output += reasoning
    return _Parts(
        input=_count(usage, *_named(usage, "prompt_tokens", "input_tokens")),
        cached={
            "cache_read_tokens": (_count(inside, "cached_tokens") or 0) - sum(cached.values()),
            "cache_read_audio_tokens": cached["audio"],
            "cache_read_image_tokens": cached["image"],
            "cache_write_5m_tokens": _count(inside, "cache_write_tokens") or 0,
        },
        inputs={
            f"input_{kind}_tokens": (_count(inside, f"{kind}_tokens") or 0) - part
            for kind, part in cached.items()
        },
        output=output,
        outputs={"reasoning_tokens": reasoning}
        | {f"output_{kind}_tokens": _count(within, f"{kind}_tokens") or 0 for kind in ("audio", "image")},
        others={"audio_seconds": _count(usage, "seconds") or 0},
    )


def _xai_chat(usage: VendorUsage) -> _Parts:
    return _openai(usage, reasoning_beside=True)


def _gemini(usage: VendorUsage) -> _Parts:
    """Gemini's and Vertex's, in camelCase or as the Python client spells it."""
    said = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): value for name, value in usage.items()}
    prompt, tools = _count(said, "prompt_token_count"), _count(said, "tool_use_prompt_token_count")
    answer, thoughts = _count(said, "candidates_token_count"), _count(said, "thoughts_token_count") or 0
    asked, used = _modes(said, "prompt_tokens_details"), _modes(said, "tool_use_prompt_tokens_details")
    cached, made = _modes(said, "cache_tokens_details"), _modes(said, "candidates_tokens_details")
    read = {kind: cached.get(kind, 0) for kind in ("audio", "image")}
    kinds = ("audio", "image", "video")
    return _Parts(
        input=None if prompt is None and tools is None else (prompt or 0) + (tools or 0),
        cached={
            "cache_read_tokens": (_count(said, "cached_content_token_count") or 0) - sum(read.values()),
            **{f"cache_read_{kind}_tokens": quantity for kind, quantity in read.items()},
        },
        inputs={
            f"input_{kind}_tokens": asked.get(kind, 0) + used.get(kind, 0) - cached.get(kind, 0)
            for kind in kinds
        },
        output=None if answer is None and not thoughts else (answer or 0) + thoughts,
        outputs={"reasoning_tokens": thoughts}
        | {f"output_{kind}_tokens": made.get(kind, 0) for kind in kinds},
    )


def _otel(usage: VendorUsage) -> _Parts:
    """`gen_ai.usage.*`: inclusive, whoever the vendor is; older spellings of the names are read too."""
    said = {name.removeprefix("gen_ai.usage."): value for name, value in usage.items()}
    reads = _named(said, "cache_read.input_tokens", "cache_read_input_tokens")
    writes = _named(said, "cache_creation.input_tokens", "cache_creation_input_tokens")
    return _Parts(
        input=_count(said, *_named(said, "input_tokens", "prompt_tokens")),
        cached={
            "cache_read_tokens": _count(said, *reads) or 0,
            "cache_write_5m_tokens": _count(said, *writes) or 0,
        },
        output=_count(said, *_named(said, "output_tokens", "completion_tokens")),
        outputs={"reasoning_tokens": _count(said, "reasoning.output_tokens") or 0},
    )


_DIALECTS: Mapping[str, Callable[[VendorUsage], _Parts]] = {
    "anthropic": _anthropic, "bedrock": _bedrock, "openai": _openai, "azure": _openai, "openrouter": _openai,
    "xai-chat": _xai_chat, "xai-responses": _openai, "gemini": _gemini, "vertex": _gemini, "otel": _otel,
}  # fmt: skip


def _count(usage: VendorUsage, *path: str) -> int | None:
    """The whole number at `path`; None = not stated."""
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is not None and (type(value) is not int or value < 0):
        raise DialectError(f"{'.'.join(path)} must be a whole number of at least 0, not {value!r:.40}")
    return value


def _amount(usage: VendorUsage, *path: str) -> Decimal | None:
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    try:
        amount = None if value is None else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if amount is not None and (isinstance(value, float) or not amount.is_finite() or amount < 0):
        raise DialectError(f"{'.'.join(path)} must be a decimal of at least 0, not {value!r:.40}")
    return amount


def _rest(told: int, untold: int, name: str) -> int:
    if untold < 0:
        raise DialectError(f"{name} is {-untold} less than its parts")
    return told + untold


def _named(usage: VendorUsage, *names: str) -> tuple[str, ...]:
    """The first of the names that is stated."""
    return tuple(name for name in names if usage.get(name) is not None)[:1] or names[:1]


def _first(usage: VendorUsage, *names: str) -> VendorUsage:
    said = usage.get(_named(usage, *names)[0])
    return said if isinstance(said, Mapping) else {}


def _tables(usage: VendorUsage, name: str) -> Iterable[VendorUsage]:
    said = usage.get(name)
    return [each for each in said if isinstance(each, Mapping)] if isinstance(said, list | tuple) else []


def _modes(usage: VendorUsage, name: str) -> dict[str, int]:
    """Tokens by modality, lower case; a document is billed as the images of its pages."""
    counts: dict[str, int] = {}
    for each in _tables(usage, name):
        mode = str(each.get("modality", "")).lower().replace("document", "image")
        counts[mode] = counts.get(mode, 0) + (_count(each, *_named(each, "tokenCount", "token_count")) or 0)
    return counts
