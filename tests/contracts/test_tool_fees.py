"""What vendors charge beside tokens, read from the answer around their usage object."""

from __future__ import annotations

from typing import Any

import pytest

from spendmeter.contracts.dialect_parts import DialectError
from spendmeter.contracts.tool_fees import tool_fees
from spendmeter.contracts.units import UNITS

SEARCH = {"type": "web_search_call", "action": {"type": "search", "query": "rain"}}
GROUNDED = {
    "candidates": [
        {
            "groundingMetadata": {
                "webSearchQueries": ["rain", "", " ", "sun", "rain"],
                "groundingChunks": [{"web": {}}],
            }
        }
    ]
}


@pytest.mark.parametrize(
    ("dialect", "answer", "fees"),
    [
        ("gemini", GROUNDED, {"searches": 2}),
        ("vertex", {"candidates": [{"grounding_metadata": {"web_search_queries": ["rain"]}}]}, {"searches": 1}),
        ("gemini", {"candidates": [{"groundingMetadata": {"groundingChunks": [{"maps": {}}, {"maps": {}}]}}]}, {"maps_grounded_prompts": 1}),
        ("gemini", {"candidates": [{"groundingMetadata": {"groundingChunks": [{"web": {}}, {"web": {}}]}}]}, {"searches": 1}),
        ("vertex", {"candidates": [{"groundingMetadata": {"groundingChunks": [{"retrievedContext": {}}]}}]}, {"data_grounded_prompts": 1}),
        ("gemini", {"candidates": [{"content": {}}]}, {}),
        ("gemini", {}, {}),
        ("openai", {"output": [SEARCH, SEARCH, {"type": "message"}], "tools": [{"type": "web_search", "search_context_size": "high"}]}, {"high_context_searches": 2}),
        ("openai", {"output": [SEARCH, {"type": "web_search_call", "action": {"type": "open_page"}}]}, {"searches": 1}),
        ("azure", {"output": [{"type": "file_search_call"}, {"type": "code_interpreter_call", "container_id": "a"}, {"type": "code_interpreter_call", "container_id": "a"}]}, {"file_searches": 1, "sessions": 1}),
        ("anthropic", GROUNDED, {}),
    ],
)  # fmt: skip
def test_a_fee_is_counted_as_the_vendor_bills_it(
    dialect: str, answer: dict[str, Any], fees: dict[str, int]
) -> None:
    assert tool_fees(dialect, answer) == fees
    assert fees.keys() <= UNITS.keys()


@pytest.mark.parametrize(
    ("options", "fees"),
    [
        ({"web_search_options": {"search_context_size": "low"}}, {"low_context_searches": 1}),
        ({"web_search_options": {}}, {"medium_context_searches": 1}),
        ({}, {}),
    ],
)
def test_a_chat_completion_searched_as_its_request_asked(
    options: dict[str, Any], fees: dict[str, int]
) -> None:
    assert tool_fees("openai", {"choices": []}, options) == fees


def test_a_search_context_that_nobody_knows_is_refused_and_not_priced_as_another() -> None:
    with pytest.raises(DialectError, match="one of low, medium, high"):
        tool_fees("openai", {}, {"web_search_options": {"search_context_size": "huge"}})
