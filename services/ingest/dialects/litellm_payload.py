"""What is read of a LiteLLM payload (its StandardLoggingPayload). Pure.

A field that is not here is skipped where it lies, undecoded: messages, answers, headers, addresses, hashes of
keys and mail addresses among them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct


class KeyAndCaller(Struct, frozen=True, kw_only=True, gc=False):
    """`metadata`: whose key it was, and who used it."""

    user_api_key_alias: Any = None
    user_api_key_team_alias: Any = None
    user_api_key_team_id: Any = None
    user_api_key_project_alias: Any = None
    user_api_key_project_id: Any = None
    user_api_key_user_id: Any = None
    user_api_key_end_user_id: Any = None
    team_alias: Any = None
    team_id: Any = None
    usage_object: Any = None
    spend_logs_metadata: Any = None
    requester_metadata: Any = None
    mcp_tool_call_metadata: Any = None


class CostBreakdown(Struct, frozen=True, kw_only=True, gc=False):
    """How the vendor served it, so far as the price depends on it."""

    service_tier: Any = None
    data_residency: Any = None
    vertex_location: Any = None


class PricedModel(Struct, frozen=True, kw_only=True, gc=False):
    """By which name LiteLLM found a price: of a deployment with a name of its own, that of its model."""

    model_map_key: Any = None
    model_map_value: Raw = Raw(b"null")


class BuiltInTools(Struct, frozen=True, kw_only=True, gc=False):
    """Tools of the vendor's that were asked for."""

    web_search_options: Any = None


class Payload(Struct, frozen=True, kw_only=True, gc=False):
    """One call."""

    id: Any = None
    litellm_call_id: Any = None
    call_type: Any = None
    status: Any = None
    cache_hit: Any = None
    custom_llm_provider: Any = None
    model: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    response_cost: Any = None
    response_time: Any = None
    startTime: Any = None
    session_id: Any = None
    request_tags: Any = None
    end_user: Any = None
    metadata: KeyAndCaller | None = None
    cost_breakdown: CostBreakdown | None = None
    model_map_information: PricedModel | None = None
    standard_built_in_tools_params: BuiltInTools | None = None
    model_parameters: Raw = Raw(b"null")
    response: Raw = Raw(b"null")


class _ImageParameters(Struct, frozen=True, kw_only=True, gc=False):
    """What was asked for, of which the price of an image without tokens depends."""

    n: Any = None
    quality: Any = None
    size: Any = None


class _FoundOutput(Struct, frozen=True, kw_only=True, gc=False):
    """An item of an answer's output: what tools it used, never what it says."""

    type: Any = None
    action: Any = None
    container_id: Any = None


class _BilledUnits(Struct, frozen=True, kw_only=True, gc=False):
    search_units: Any = None


class _RerankMeta(Struct, frozen=True, kw_only=True, gc=False):
    billed_units: _BilledUnits | None = None


class _Tool(Struct, frozen=True, kw_only=True, gc=False):
    type: Any = None
    search_context_size: Any = None


class _Answer(Struct, frozen=True, kw_only=True, gc=False):
    service_tier: Any = None
    usage: Any = None
    output: list[_FoundOutput] | None = None
    tools: list[_Tool] | None = None
    meta: _RerankMeta | None = None


class _ImageAnswer(Struct, frozen=True, kw_only=True, gc=False):
    data: list[Raw] | None = None


class Painted(Struct, frozen=True, kw_only=True):
    """Images that a call made, as far as it says."""

    count: int
    variant: str
    """Their quality and size."""


decode_payload: Callable[[bytes | Raw], Payload | None] = msgspec.json.Decoder(
    Payload | None, float_hook=Decimal
).decode
_decode_answer: Callable[[bytes | Raw], _Answer] = msgspec.json.Decoder(_Answer, float_hook=Decimal).decode


def answer_of(payload: Payload) -> Mapping[str, Any]:
    """What an answer says of how it was served and of its tools; of one that is a text, or that LiteLLM left
    out, nothing."""
    try:
        found: Mapping[str, Any] = msgspec.to_builtins(
            _decode_answer(payload.response), builtin_types=(Decimal,)
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {name: value for name, value in found.items() if value is not None}


def painted(payload: Payload) -> Painted:
    """What a call for images made: as many as its answer holds, else as many as were asked for."""
    made: list[Raw] | None = _said(_ImageAnswer, payload.response).data
    asked: _ImageParameters = _said(_ImageParameters, payload.model_parameters)
    count = len(made) if made else asked.n
    texts = (text for text in (asked.quality, asked.size) if isinstance(text, str) and text)
    return Painted(count=count if type(count) is int and count > 0 else 1, variant="/".join(texts))


def _said(what: type[Struct], raw: Raw) -> Any:
    """Nothing of it, where it has another form."""
    try:
        return msgspec.json.decode(raw, type=what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return what()
