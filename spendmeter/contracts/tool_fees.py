"""What vendors charge beside tokens, where not their usage object but the answer around it says so. Pure.

    tool_fees("gemini", {"candidates": [{"groundingMetadata": {"webSearchQueries": ["rain", "sun"]}}], ...})

gives `{"searches": 2}`: to be added to what `dialects.disjoint` reads from the usage object.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from spendmeter.contracts.dialect_parts import search_context, snake, tables, without_zeros

SEARCH_CONTEXT_DEFAULT = "medium"
"""OpenAI's, where a request asks for a search and says no size."""


def tool_fees(
    dialect: str, answer: Mapping[str, Any], request: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Quantities by unit of one answer, as the vendor sent it; zeros left out. `request`: what was asked,
    where the answer does not repeat it (OpenAI's chat completions and their `web_search_options`).

    Raises DialectError for a search context that nobody knows; of a dialect without such fees there are none.
    """
    if dialect in ("gemini", "vertex"):
        return _of_gemini(answer)
    if dialect in ("openai", "azure"):
        return _of_openai(answer, request or {})
    return {}


def _of_gemini(answer: Mapping[str, Any]) -> dict[str, int]:
    """Queries count once each and blank ones not at all, as Google bills them from Gemini 3 on; of older
    models it bills the prompt, which is the price's affair. What was found without a query being named was
    one. A prompt that a map, or one's own data, grounded counts once: the answer does not say how often."""
    queries, kinds = set(), set()
    for candidate in tables(answer, "candidates"):
        grounding = snake(snake(candidate).get("grounding_metadata"))
        found = grounding.get("web_search_queries")
        queries |= {query for query in found or () if isinstance(query, str) and query.strip()}
        kinds |= {kind for chunk in tables(grounding, "grounding_chunks") for kind in snake(chunk)}
    return without_zeros(
        {
            "searches": len(queries) or int("web" in kinds),
            "maps_grounded_prompts": int("maps" in kinds),
            "data_grounded_prompts": int("retrieved_context" in kinds),
        }
    )


def _of_openai(answer: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, int]:
    """Searches by their context; opening a page that was found is part of the search. A container is a
    session of the code interpreter, however often it is used."""
    fees: Counter[str] = Counter()
    containers = set()
    for item in tables(answer, "output"):
        kind = item.get("type")
        if kind == "web_search_call" and snake(item.get("action")).get("type", "search") == "search":
            fees[_search_unit(_searching_tool(answer))] += 1
        elif kind == "file_search_call":
            fees["file_searches"] += 1
        elif kind == "code_interpreter_call":
            containers.add(item.get("container_id"))
    if isinstance(options := request.get("web_search_options"), Mapping):
        fees[_search_unit({"search_context_size": SEARCH_CONTEXT_DEFAULT, **options})] += 1
    return without_zeros({**fees, "sessions": len(containers)})


def _searching_tool(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tool that was offered, which says the size: answers repeat it."""
    offered = (tool for tool in tables(answer, "tools") if str(tool.get("type", "")).startswith("web_search"))
    return next(offered, {})


def _search_unit(said: Mapping[str, Any]) -> str:
    size = search_context(said)
    return "searches" if size is None else f"{size}_context_searches"
