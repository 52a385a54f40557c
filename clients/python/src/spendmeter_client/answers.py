"""What of a vendor's answer leaves the process: ids, model, usage, and what it charges beside tokens. Pure.

An allow-list: a field that is not named here stays where it is. What the counts mean, the server knows alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

HEAD = (
    "id", "response_id", "responseId", "generation_id", "object", "type",
    "model", "model_version", "modelVersion", "service_tier", "speed", "provider", "stop_reason",
)  # fmt: skip
"""Words that say which call it was, and what served it."""
USAGE = (
    "usage", "usage_metadata", "usageMetadata", "usage_info", "tool_usage", "svg_usage", "meta", "duration",
)  # fmt: skip
"""What the model used, and other models on its behalf."""
WORD_CHARACTERS_MAX = 256
TIER_CHARACTERS_MAX = 64
USAGE_DEPTH_MAX = 6
ITEMS_MAX = 1000


def skeleton(answer: Any) -> dict[str, Any]:
    """{} where it says nothing of this."""
    said = fields_of(answer)
    kept = {name: value for name in HEAD if _is_word(value := said.get(name))}
    for name in USAGE:
        if (value := said.get(name)) is not None and (counts := _counts(value, USAGE_DEPTH_MAX)):
            kept[name] = counts
    if _is_word(request_id := of(said.get("ResponseMetadata"), "RequestId")):
        kept["ResponseMetadata"] = {"RequestId": request_id}  # Bedrock's, by which its answers are known, too
    for name, rule in ITEMS:
        items = [each for each in map(rule, listed(said.get(name))) if each]
        if items:
            kept[name] = items
    return _numbered_queries(kept) if "candidates" in kept else kept


def of(said: Any, name: str) -> Any:
    return None if said is None else fields_of(said).get(name)


def fields_of(said: Any) -> Mapping[str, Any]:
    """The fields of a table or of an object of any SDK, as they are. Asking a pydantic model for an attribute
    that it has not costs as much as all the rest."""
    if isinstance(said, Mapping):
        return said
    if hasattr(said, "model_dump"):
        return {**said.__dict__, **(getattr(said, "__pydantic_extra__", None) or {})}
    return {name: found for name in KNOWN if (found := getattr(said, name, None)) is not None}


def listed(said: Any) -> Iterable[Any]:
    return said[:ITEMS_MAX] if isinstance(said, (list, tuple)) else ()


def _is_word(said: Any) -> bool:
    return isinstance(said, str) and 0 < len(said) <= WORD_CHARACTERS_MAX


def _counts(said: Any, depth: int) -> Any:
    """Numbers and short words, in tables and lists of any kind; of all else nothing."""
    if said is None or isinstance(said, (bool, int, float, Decimal)):
        return said
    if isinstance(said, str):
        return (
            str(said.value) if isinstance(said, Enum) else said if len(said) <= TIER_CHARACTERS_MAX else None
        )
    if depth == 0:
        return None
    if isinstance(said, (list, tuple)):
        return [_counts(each, depth - 1) for each in said[:ITEMS_MAX]]
    table = _table(said)
    counted = {str(name): _counts(value, depth - 1) for name, value in table.items()}
    return {name: value for name, value in counted.items() if value not in (None, {})}


def _table(said: Any) -> Mapping[str, Any]:
    """The fields of a table or of an object of any SDK."""
    if isinstance(said, Mapping):
        return said
    dump = getattr(said, "model_dump", None)
    if callable(dump):
        found = dump(exclude_none=True, warnings=False)
    else:
        dump = getattr(said, "to_dict", None) or getattr(said, "dict", None)
        found = dump() if callable(dump) else getattr(said, "__dict__", {})
    return found if isinstance(found, Mapping) else {}


def _call(item: Any) -> dict[str, Any] | None:
    """A tool that the vendor ran and charges for; what was searched for is content."""
    kind = of(item, "type")
    if not _is_word(kind) or not kind.endswith("_call"):
        return None
    said = {"type": kind}
    if _is_word(container := of(item, "container_id")):
        said["container_id"] = container
    action = of(of(item, "action"), "type")
    return said | ({"action": {"type": action}} if _is_word(action) else {})


def _tool(item: Any) -> dict[str, Any] | None:
    """A search that was offered, for the fee goes by its size; a painter, whose price goes by its model."""
    kind = of(item, "type")
    if not _is_word(kind) or not kind.startswith(_PRICED_BY):
        return None
    said = {name: found for name in ("search_context_size", "model") if _is_word(found := of(item, name))}
    return {"type": kind} | said


def _candidate(item: Any) -> dict[str, Any] | None:
    """What Gemini's answer was grounded on: how many different queries, and whether a map."""
    grounding = _either(item, "grounding_metadata", "groundingMetadata")
    queries = listed(_either(grounding, "web_search_queries", "webSearchQueries"))
    chunks = listed(_either(grounding, "grounding_chunks", "groundingChunks"))
    said: dict[str, Any] = {}
    if queries:
        said["webSearchQueries"] = list(queries)
    if any(of(chunk, "maps") is not None for chunk in chunks):
        said["groundingChunks"] = [{"maps": {}}]
    return {"groundingMetadata": said} if said else None


def _either(said: Any, *names: str) -> Any:
    return next((found for name in names if (found := of(said, name)) is not None), None)


def _numbered_queries(kept: dict[str, Any]) -> dict[str, Any]:
    """Each query by a number instead of its words: the vendor charges for each different one."""
    numbers: dict[str, str] = {}
    for candidate in kept.get("candidates", ()):
        grounding = candidate["groundingMetadata"]
        words = [query for query in grounding.get("webSearchQueries", ()) if isinstance(query, str)]
        asked = [query for query in words if query.strip()]
        grounding["webSearchQueries"] = [
            numbers.setdefault(each, f"query {len(numbers) + 1}") for each in asked
        ]
    return kept


_PRICED_BY = ("web_search", "image_generation")

ITEMS = (("output", _call), ("tools", _tool), ("candidates", _candidate))
"""Lists of what is charged for beside tokens, and what of an item is kept."""
KNOWN = (
    *HEAD, *USAGE, *(name for name, _ in ITEMS), "container_id", "action", "search_context_size", "maps",
    "grounding_metadata", "web_search_queries", "grounding_chunks",
    "response", "message", "chunk",
    "data", "delta", "metadata", "choices", "finish_reason", "content", "parts",
    "text",
)  # fmt: skip
"""All names that are looked for in objects that are neither tables nor pydantic's."""
