"""Usage in OpenAI's words, and in those of vendors that speak them with words of their own between. Pure.

Each function reads one vendor's usage object; `dialects` makes disjoint quantities of what it returns.
"""

from decimal import Decimal

from msgspec.structs import replace

from spendmeter.contracts.dialect_parts import (
    UsageParts,
    VendorUsage,
    amount,
    at,
    count,
    measure,
    part,
    rest,
    search_context,
)

_TICKS = Decimal(10) ** 10
"""Of xAI's to a US dollar."""
_XAI_FEES = {
    "web_search_calls": "searches",
    "x_search_calls": "social_searches",
    "code_interpreter_calls": "code_executions",
    "file_search_calls": "file_searches",
}
_ANTHROPICS = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"})
_WRITTEN = ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens")
"""As OpenAI, Alibaba and LiteLLM call it."""
_MISTRAL_FEES = {
    "web_search": "searches",
    "code_interpreter": "code_executions",
    "document_library": "file_searches",
    "image_generation": "images",
}


def reported_cost(usage: VendorUsage) -> Decimal | None:
    """What a vendor says that a call cost, in US dollars; None = it does not say.

    OpenRouter's `cost`, with a key of one's own its fee and the vendor's; xAI's ticks; Perplexity's total.
    """
    ticks = amount(usage, "cost_in_usd_ticks")
    if ticks is not None:
        return ticks / _TICKS
    if isinstance(usage.get("cost"), dict):
        return amount(usage, "cost", "total_cost")
    cost, upstream = amount(usage, "cost"), amount(usage, "cost_details", "upstream_inference_cost")
    if cost is None or upstream is None:
        return cost
    return cost + upstream if usage.get("is_byok", not cost) else cost


def openai(usage: VendorUsage) -> UsageParts:
    """Chat, responses, realtime, images, embeddings, transcriptions; Azure and Groq speak it too. Of a
    Grok at Azure the reasoning lies beside the completion, as its total says."""
    parts = _openai(usage)
    reasoning, output = parts.outputs["reasoning_tokens"], parts.output or 0
    if reasoning and count(usage, "total_tokens") == (parts.input or 0) + output + reasoning:
        return replace(parts, output=output + reasoning)
    return parts


def gemini(usage: VendorUsage) -> UsageParts:
    """Gemini's in OpenAI's protocol, where thoughts lie in the total alone."""
    parts = _openai(usage)
    unsaid = (count(usage, "total_tokens") or 0) - (parts.input or 0) - (parts.output or 0)
    if parts.output is None or unsaid <= 0:
        return parts
    return replace(
        parts,
        output=parts.output + unsaid,
        outputs=parts.outputs | {"reasoning_tokens": unsaid},
    )


def openrouter(usage: VendorUsage) -> UsageParts:
    """As OpenAI's, with video among the prompt and searches beside it."""
    searches = part(usage, "server_tool_use", "web_search_requests")
    return replace(_openai(usage), others={"searches": searches})


def deepseek(usage: VendorUsage) -> UsageParts:
    """The prompt as what was found in the cache and what was not."""
    read = part(usage, "prompt_cache_hit_tokens") or part(usage, "prompt_tokens_details", "cached_tokens")
    missed = count(usage, "prompt_cache_miss_tokens")
    prompt = count(usage, "prompt_tokens")
    if missed is not None:
        prompt = read + missed if prompt is None else prompt
        rest(prompt - read - missed, "prompt_tokens")
    return replace(_openai(usage), input=prompt, cached={"cache_read_tokens": read})


def mistral(usage: VendorUsage) -> UsageParts:
    """Audio is heard by the second beside the prompt; connectors put tokens before the model, for a fee."""
    prompt, connected = count(usage, "prompt_tokens"), count(usage, "connector_tokens")
    calls, _ = at(usage, "connectors")
    return replace(
        _openai(usage),
        input=None if prompt is None and connected is None else (prompt or 0) + (connected or 0),
        cached={"cache_read_tokens": part(usage, "prompt_tokens_details", "cached_tokens")},
        others={
            "audio_seconds": measure(usage, "prompt_audio_seconds"),
            "pages": part(usage, "pages_processed"),
            "annotated_pages": part(usage, "annotated_pages"),
        }
        | {unit: part(calls or {}, name) for name, unit in _MISTRAL_FEES.items()},
    )


def perplexity(usage: VendorUsage) -> UsageParts:
    """Citations and reasoning lie beside the completion; each call costs a fee by its search context."""
    if usage.get("input_tokens") is not None:
        return _perplexity_agent(usage)
    size = search_context(usage)
    return UsageParts(
        input=count(usage, "prompt_tokens"),
        cached={},
        output=count(usage, "completion_tokens"),
        others={
            "reasoning_tokens": part(usage, "reasoning_tokens"),
            "citation_tokens": part(usage, "citation_tokens"),
            "searches": part(usage, "num_search_queries"),
        }
        | ({f"{size}_context_requests": 1} if size else {}),
    )


def _perplexity_agent(usage: VendorUsage) -> UsageParts:
    """Of its responses API: everything inside the totals, tools by the call."""
    return UsageParts(
        input=count(usage, "input_tokens"),
        cached={
            "cache_read_tokens": part(usage, "input_tokens_details", "cache_read_input_tokens"),
            "cache_write_5m_tokens": part(usage, "input_tokens_details", "cache_creation_input_tokens"),
        },
        output=count(usage, "output_tokens"),
        outputs={"reasoning_tokens": part(usage, "output_tokens_details", "reasoning_tokens")},
        others={
            "searches": part(usage, "tool_calls_details", "search_web", "invocation"),
            "web_fetches": part(usage, "tool_calls_details", "fetch_url", "invocation"),
        },
    )


def xai(usage: VendorUsage) -> UsageParts:
    """Of the responses API: as OpenAI's, with what xAI charges by the call; the sources of its older live
    search by the source. What is read from the cache may be counted again as image or audio, so of these no
    more is taken than the cache left of the prompt."""
    parts = _openai(usage)
    left = (parts.input or 0) - sum(parts.cached.values())
    inputs = {}
    for unit, quantity in parts.inputs.items():
        inputs[unit] = min(quantity, left) if left >= 0 else quantity
        left -= inputs[unit]
    calls, _ = at(usage, "server_side_tool_usage_details")
    fees = {unit: part(calls or {}, name) for name, unit in _XAI_FEES.items()}
    fees["search_results"] = 0 if any(fees.values()) else part(usage, "num_sources_used")
    return replace(parts, inputs=inputs, others=fees | {"images": part(usage, "images")})


def xai_chat(usage: VendorUsage) -> UsageParts:
    """Of chat completions, where reasoning lies beside the completion."""
    parts = xai(usage)
    if parts.output is None:
        return parts
    return replace(parts, output=parts.output + parts.outputs["reasoning_tokens"])


def _openai(usage: VendorUsage) -> UsageParts:
    inside, _ = at(usage, ("prompt_tokens_details", "input_tokens_details", "input_token_details"))
    within, _ = at(usage, ("completion_tokens_details", "output_tokens_details", "output_token_details"))
    read = part(inside, "cached_tokens") or part(usage, ("cached_tokens", "cache_read_input_tokens"))
    cached = {kind: part(inside, "cached_tokens_details", f"{kind}_tokens") for kind in ("audio", "image")}
    return UsageParts(
        input=count(usage, ("prompt_tokens", "input_tokens")),
        cached={
            "cache_read_tokens": read - sum(cached.values()),
            "cache_read_audio_tokens": cached["audio"],
            "cache_read_image_tokens": cached["image"],
            **_written(inside, usage),
        },
        inputs={f"input_{kind}_tokens": part(inside, f"{kind}_tokens") - of for kind, of in cached.items()}
        | {"input_video_tokens": part(inside, "video_tokens")},
        output=count(usage, ("completion_tokens", "output_tokens")),
        outputs={"reasoning_tokens": part(within, "reasoning_tokens")}
        | {f"output_{kind}_tokens": part(within, f"{kind}_tokens") for kind in ("audio", "image")},
        others={
            "audio_seconds": measure(usage, "seconds"),
            "characters": part(usage, "characters"),
            "images": part(usage, "images"),
        },
        exclusive=inside is None and _is_anthropics(usage),
    )


def _is_anthropics(usage: VendorUsage) -> bool:
    """Whether its words are Anthropic's, whose input leaves the cache out. A gateway that speaks OpenAI's
    protocol puts these words beside its own (`prompt_tokens`, details), and counts the cache inside."""
    return "prompt_tokens" not in usage and not _ANTHROPICS.isdisjoint(usage)


def _written(inside: VendorUsage, usage: VendorUsage) -> dict[str, int]:
    """Writes to caches by how long they live: half an hour, or half a day. Gateways name them in Anthropic's
    words, inside the details or beside them."""
    short, long = (
        part(inside, "cache_write_tokens_details", f"ttl_{life}_tokens") for life in ("30m", "12h")
    )
    stated = count(inside, _WRITTEN) or count(usage, "cache_creation_input_tokens")
    written = short + long if stated is None else stated
    return {
        "cache_write_5m_tokens": rest(written - long, "cache_write_tokens"),
        "cache_write_12h_tokens": long,
    }
