"""Usage dialects: what vendors call input and output, as disjoint quantities in our units. Pure.

    disjoint("openai", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}, ...})

Some senders count cached tokens inside their input, some beside it. Where an inclusive dialect states more
cached than input, its sender was exclusive after all: that is taken so, and returned ("assumed"). Nothing
is ever clamped: what is still negative raises.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.units import snake_case

Normalised = Literal["stated", "assumed"]
"""Whether the quantities follow from what the vendor states, or from a guess at how it counts."""
VendorUsage = Mapping[str, Any]
SEARCH_CONTEXTS = ("low", "medium", "high")
"""How much of what a search found is put before the model, as OpenAI and Perplexity call it."""
UsageStep = str | tuple[str, ...]
"""A field's name on the way to a quantity; of several spellings the first that is stated."""


class DialectError(ValueError):
    """Usage that cannot be read as its dialect says: the message names the field and the rule."""


class _Parts(Struct, frozen=True, kw_only=True):
    """What a vendor states: totals (None = not at all), and the shares of them with a unit of their own."""

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
    five, hour = (_part(usage, "cache_creation", f"ephemeral_{life}_input_tokens") for life in ("5m", "1h"))
    unspecified = 0 if written is None else written - five - hour
    return _Parts(
        input=_count(usage, "input_tokens"),
        cached={
            "cache_read_tokens": _part(usage, "cache_read_input_tokens"),
            "cache_write_5m_tokens": five + _rest(unspecified, "cache_creation_input_tokens"),
            "cache_write_1h_tokens": hour,
        },
        output=_count(usage, "output_tokens"),
        outputs={"reasoning_tokens": _part(usage, "output_tokens_details", "thinking_tokens")},
        others={"searches": _part(usage, "server_tool_use", "web_search_requests")},
        exclusive=True,
        assumed=unspecified > 0 and five + hour > 0,
    )


def _bedrock(usage: VendorUsage) -> _Parts:
    """The Converse API's."""
    by_life = {str(each.get("ttl")): _part(each, "inputTokens") for each in tables(usage, "cacheDetails")}
    written, hour = _part(usage, "cacheWriteInputTokens") or sum(by_life.values()), by_life.get("1h", 0)
    return _Parts(
        input=_count(usage, "inputTokens"),
        cached={
            "cache_read_tokens": _part(usage, "cacheReadInputTokens"),
            "cache_write_5m_tokens": _rest(written - hour, "cacheWriteInputTokens"),
            "cache_write_1h_tokens": hour,
        },
        output=_count(usage, "outputTokens"),
        exclusive=True,
    )


def _openai(usage: VendorUsage, *, reasoning_beside: bool = False) -> _Parts:
    """Chat, responses, realtime, images, transcriptions; Azure OpenAI and OpenRouter speak it too."""
    inside, _ = _at(usage, ("prompt_tokens_details", "input_tokens_details", "input_token_details"))
    within, _ = _at(usage, ("completion_tokens_details", "output_tokens_details", "output_token_details"))
    cached = {kind: _part(inside, "cached_tokens_details", f"{kind}_tokens") for kind in ("audio", "image")}
    reasoning = _part(within, "reasoning_tokens")
    output = _count(usage, ("completion_tokens", "output_tokens"))
    if output is not None and reasoning_beside:
        output += reasoning
    half_day = _part(inside, "cache_write_tokens_details", "ttl_12h_tokens")
    return _Parts(
        input=_count(usage, ("prompt_tokens", "input_tokens")),
        cached={
            "cache_read_tokens": _part(inside, "cached_tokens") - sum(cached.values()),
            "cache_read_audio_tokens": cached["audio"],
            "cache_read_image_tokens": cached["image"],
            "cache_write_5m_tokens": _rest(
                _part(inside, "cache_write_tokens") - half_day, "cache_write_tokens"
            ),
            "cache_write_12h_tokens": half_day,
        },
        inputs={
            f"input_{kind}_tokens": _part(inside, f"{kind}_tokens") - part for kind, part in cached.items()
        },
        output=output,
        outputs={"reasoning_tokens": reasoning}
        | {f"output_{kind}_tokens": _part(within, f"{kind}_tokens") for kind in ("audio", "image")},
        others={"audio_seconds": _part(usage, "seconds")},
    )


def _xai(usage: VendorUsage, *, reasoning_beside: bool = False) -> _Parts:
    """As OpenAI's, with what xAI charges by the call; the sources of its older live search by the source."""
    calls, _ = _at(usage, "server_side_tool_usage_details")
    fees = {unit: _part(calls or {}, name) for name, unit in _XAI_FEES.items()}
    fees["search_results"] = 0 if any(fees.values()) else _part(usage, "num_sources_used")
    return replace(_openai(usage, reasoning_beside=reasoning_beside), others=fees)


_XAI_FEES = {
    "web_search_calls": "searches",
    "x_search_calls": "social_searches",
    "code_interpreter_calls": "code_executions",
    "file_search_calls": "file_searches",
}


def _xai_chat(usage: VendorUsage) -> _Parts:
    return _xai(usage, reasoning_beside=True)


def _perplexity(usage: VendorUsage) -> _Parts:
    """Citations and reasoning lie beside the completion; each call costs a fee by its search context."""
    size = search_context(usage)
    return _Parts(
        input=_count(usage, "prompt_tokens"),
        cached={},
        output=_count(usage, "completion_tokens"),
        others={
            "reasoning_tokens": _part(usage, "reasoning_tokens"),
            "citation_tokens": _part(usage, "citation_tokens"),
            "searches": _part(usage, "num_search_queries"),
        }
        | ({f"{size}_context_requests": 1} if size else {}),
    )


def _gemini(usage: VendorUsage) -> _Parts:
    """Gemini's and Vertex's, in camelCase or as the Python client spells it."""
    usage = {snake_case(name): value for name, value in usage.items()}
    prompt, tools = _count(usage, "prompt_token_count"), _count(usage, "tool_use_prompt_token_count")
    answer, thoughts = _count(usage, "candidates_token_count"), _part(usage, "thoughts_token_count")
    in_prompt, in_tools = (
        _modes(usage, "prompt_tokens_details"),
        _modes(usage, "tool_use_prompt_tokens_details"),
    )
    cached, in_answer = _modes(usage, "cache_tokens_details"), _modes(usage, "candidates_tokens_details")
    read = {kind: cached.get(kind, 0) for kind in ("audio", "image")}
    kinds = ("audio", "image", "video")
    return _Parts(
        input=None if prompt is None and tools is None else (prompt or 0) + (tools or 0),
        cached={
            "cache_read_tokens": _part(usage, "cached_content_token_count") - sum(read.values()),
            **{f"cache_read_{kind}_tokens": quantity for kind, quantity in read.items()},
        },
        inputs={
            f"input_{kind}_tokens": in_prompt.get(kind, 0) + in_tools.get(kind, 0) - cached.get(kind, 0)
            for kind in kinds
        },
        output=None if answer is None and not thoughts else (answer or 0) + thoughts,
        outputs={"reasoning_tokens": thoughts}
        | {f"output_{kind}_tokens": in_answer.get(kind, 0) for kind in kinds},
    )


def _otel(usage: VendorUsage) -> _Parts:
    """`gen_ai.usage.*`: inclusive, whoever the vendor is; older spellings of the names are read too."""
    usage = {name.removeprefix("gen_ai.usage."): value for name, value in usage.items()}
    return _Parts(
        input=_count(usage, ("input_tokens", "prompt_tokens")),
        cached={
            "cache_read_tokens": _part(usage, ("cache_read.input_tokens", "cache_read_input_tokens")),
            "cache_write_5m_tokens": _part(
                usage, ("cache_creation.input_tokens", "cache_creation_input_tokens")
            ),
        },
        output=_count(usage, ("output_tokens", "completion_tokens")),
        outputs={"reasoning_tokens": _part(usage, "reasoning.output_tokens")},
    )


_DIALECTS: Mapping[str, Callable[[VendorUsage], _Parts]] = {
    "anthropic": _anthropic,
    "azure": _openai,
    "bedrock": _bedrock,
    "gemini": _gemini,
    "openai": _openai,
    "openrouter": _openai,
    "otel": _otel,
    "perplexity": _perplexity,
    "vertex": _gemini,
    "xai-chat": _xai_chat,
    "xai-responses": _xai,
}


def _at(usage: VendorUsage, *path: UsageStep) -> tuple[Any, str]:
    """What is stated at `path`, and the names that lead there; None = nothing."""
    value: Any = usage
    names = []
    for step in path:
        table = value if isinstance(value, Mapping) else {}
        spellings = (step,) if isinstance(step, str) else step
        names.append(next((name for name in spellings if table.get(name) is not None), spellings[0]))
        value = table.get(names[-1])
    return value, ".".join(names)


def _count(usage: VendorUsage, *path: UsageStep) -> int | None:
    """The whole number at `path`; None = not stated."""
    value, name = _at(usage, *path)
    if value is not None and (type(value) is not int or value < 0):
        raise DialectError(f"{name} must be a whole number of at least 0, not {value!r:.40}")
    return value


def _part(usage: VendorUsage, *path: UsageStep) -> int:
    """The same of a share; not stated = none of it."""
    return _count(usage, *path) or 0


def _amount(usage: VendorUsage, *path: str) -> Decimal | None:
    value, name = _at(usage, *path)
    try:
        amount = None if value is None else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if amount is not None and (isinstance(value, float) or not amount.is_finite() or amount < 0):
        raise DialectError(f"{name} must be a decimal of at least 0, not {value!r:.40}")
    return amount


def _rest(rest: int, name: str) -> int:
    """What of the total `name` is in none of its parts."""
    if rest < 0:
        raise DialectError(f"{name} is {-rest} less than its parts")
    return rest


def search_context(said: VendorUsage) -> str | None:
    """How much of what was found a search takes along; None = it does not say. Raises DialectError."""
    size: str | None = said.get("search_context_size")
    if size is not None and size not in SEARCH_CONTEXTS:
        raise DialectError(f"search_context_size must be one of {', '.join(SEARCH_CONTEXTS)}")
    return size


def tables(usage: VendorUsage, name: str) -> Iterable[VendorUsage]:
    """The tables that a list holds; none where it is no list."""
    found = usage.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def _modes(usage: VendorUsage, name: str) -> dict[str, int]:
    """Tokens by modality, lower case; a document is billed as the images of its pages."""
    counts: dict[str, int] = {}
    for each in tables(usage, name):
        mode = str(each.get("modality", "")).lower().replace("document", "image")
        counts[mode] = counts.get(mode, 0) + _part(each, ("tokenCount", "token_count"))
    return counts
