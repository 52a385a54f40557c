"""Usage in words that one vendor alone has: Anthropic, Bedrock, Cohere and Google. Pure.

Each function reads one vendor's usage object; `dialects` makes disjoint quantities of what it returns.
"""

from collections.abc import Mapping

from spendmeter.contracts.dialect_parts import UsageParts, VendorUsage, at, count, modes, part, rest, tables
from spendmeter.contracts.units import snake_case

_COHERE_BILLED = (
    "input_tokens", "output_tokens", "text_tokens", "image_tokens",
    "images", "pages", "search_units", "classifications",
)  # fmt: skip


def anthropic(usage: VendorUsage) -> UsageParts:
    """What its context was compacted with lies beside the totals, and is added."""
    parts = [usage, *(each for each in tables(usage, "iterations") if each.get("type") == "compaction")]
    written = [_anthropic_writes(each) for each in parts]
    stated = [count(each, "output_tokens") for each in parts]
    return UsageParts(
        input=_sum([count(each, "input_tokens") for each in parts]),
        cached={
            "cache_read_tokens": sum(part(each, "cache_read_input_tokens") for each in parts),
            "cache_write_5m_tokens": sum(short for short, _, _ in written),
            "cache_write_1h_tokens": sum(hour for _, hour, _ in written),
        },
        output=_sum(stated),
        outputs={"reasoning_tokens": part(usage, "output_tokens_details", "thinking_tokens")},
        others={
            "searches": part(usage, "server_tool_use", "web_search_requests"),
            "web_fetches": part(usage, "server_tool_use", "web_fetch_requests"),
        },
        exclusive=True,
        assumed=any(assumed for _, _, assumed in written),
    )


def _anthropic_writes(usage: VendorUsage) -> tuple[int, int, bool]:
    """Writes to the cache for five minutes and for an hour, and whether a share of them was assumed."""
    written = count(usage, "cache_creation_input_tokens")
    five, hour = (part(usage, "cache_creation", f"ephemeral_{life}_input_tokens") for life in ("5m", "1h"))
    unspecified = 0 if written is None else written - five - hour
    short = five + rest(unspecified, "cache_creation_input_tokens")
    return short, hour, unspecified > 0 and five + hour > 0


def _sum(stated: list[int | None]) -> int | None:
    return None if stated == [None] * len(stated) else sum(each or 0 for each in stated)


def bedrock(usage: VendorUsage) -> UsageParts:
    """The Converse API's."""
    by_life = {str(each.get("ttl")): part(each, "inputTokens") for each in tables(usage, "cacheDetails")}
    written, hour = part(usage, "cacheWriteInputTokens") or sum(by_life.values()), by_life.get("1h", 0)
    return UsageParts(
        input=count(usage, "inputTokens"),
        cached={
            "cache_read_tokens": part(usage, "cacheReadInputTokens"),
            "cache_write_5m_tokens": rest(written - hour, "cacheWriteInputTokens"),
            "cache_write_1h_tokens": hour,
        },
        output=count(usage, "outputTokens"),
        others={"images": part(usage, "images")},
        exclusive=True,
    )


def cohere(usage: VendorUsage) -> UsageParts:
    """What is billed where it says so, which leaves out what Cohere itself puts before the model; else what
    went in and came out. Images are billed by their tokens where these are stated."""
    billed, _ = at(usage, "billed_units")
    if not isinstance(billed, Mapping) or not any(billed.get(name) is not None for name in _COHERE_BILLED):
        return UsageParts(
            input=count(usage, "tokens", "input_tokens"),
            cached={"cache_read_tokens": part(usage, "cached_tokens")},
            output=count(usage, "tokens", "output_tokens"),
        )
    images, text = part(billed, "image_tokens"), count(billed, ("input_tokens", "text_tokens"))
    return UsageParts(
        input=None if text is None and not images else (text or 0) + images,
        cached={},
        inputs={"input_image_tokens": images},
        output=count(billed, "output_tokens"),
        others={
            "reranks": part(billed, "search_units"),
            "images": 0 if images else part(billed, "images"),
            "pages": part(billed, "pages"),
            "classifications": part(billed, "classifications"),
        },
    )


def gemini(usage: VendorUsage) -> UsageParts:
    """Gemini's and Vertex's, in camelCase or as the Python client spells it; and as interactions have it."""
    usage = {snake_case(name): value for name, value in usage.items()}
    prompt = count(usage, ("prompt_token_count", "total_input_tokens"))
    tools = count(usage, ("tool_use_prompt_token_count", "total_tool_use_tokens"))
    answer = count(usage, ("candidates_token_count", "response_token_count", "total_output_tokens"))
    thoughts = part(usage, ("thoughts_token_count", "total_thought_tokens"))
    in_prompt = modes(usage, "prompt_tokens_details", "input_tokens_by_modality")
    in_tools = modes(usage, "tool_use_prompt_tokens_details", "tool_use_tokens_by_modality")
    cached = modes(usage, "cache_tokens_details", "cached_tokens_by_modality")
    in_answer = modes(
        usage, "candidates_tokens_details", "response_tokens_details", "output_tokens_by_modality"
    )
    grounded = {str(each.get("type")): part(each, "count") for each in tables(usage, "grounding_tool_count")}
    read = {kind: cached.get(kind, 0) for kind in ("audio", "image")}
    kinds = ("audio", "image", "video")
    return UsageParts(
        input=None if prompt is None and tools is None else (prompt or 0) + (tools or 0),
        cached={
            "cache_read_tokens": part(usage, ("cached_content_token_count", "total_cached_tokens"))
            - sum(read.values()),
            **{f"cache_read_{kind}_tokens": quantity for kind, quantity in read.items()},
        },
        inputs={
            f"input_{kind}_tokens": in_prompt.get(kind, 0) + in_tools.get(kind, 0) - cached.get(kind, 0)
            for kind in kinds
        },
        output=None if answer is None and not thoughts else (answer or 0) + thoughts,
        outputs={"reasoning_tokens": thoughts}
        | {f"output_{kind}_tokens": in_answer.get(kind, 0) for kind in kinds},
        others={
            "images": part(usage, "images"),
            "searches": grounded.get("google_search", 0),
            "maps_grounded_prompts": min(1, grounded.get("google_maps", 0)),
            "data_grounded_prompts": min(1, grounded.get("retrieval", 0)),
        },
    )
