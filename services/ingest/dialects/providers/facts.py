"""Which providers there are, and which of their shapes an answer has: read from providers.toml. Pure."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from services.ingest.dialects.providers import anthropic, bedrock, cohere, google, openai
from services.ingest.dialects.providers.answer import Answer, table_of
from services.ingest.dialects.providers.piece import CallPiece, PiecesOf
from spendmeter.contracts.dialects_openai import reported_cost
from spendmeter.contracts.money import plain

Shape = Literal["openai", "anthropic", "google", "bedrock", "cohere"]


class AnswerProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider; see providers.toml for what the fields mean."""

    provider: str
    shapes: tuple[Shape, ...]
    usage: str
    names: tuple[str, ...] = ()
    model: Literal["response", "request"] = "response"
    costs: bool = False
    free_refusals: bool = False


PROVIDERS: Mapping[str, AnswerProvider] = MappingProxyType(
    msgspec.toml.decode(
        Path(__file__).with_name("providers.toml").read_bytes(), type=dict[str, AnswerProvider]
    )
)
_BY_NAME = {other: facts for name, facts in PROVIDERS.items() for other in (name, *facts.names)}
_READINGS: Mapping[Shape, PiecesOf] = {
    "anthropic": anthropic.read,
    "bedrock": bedrock.read,
    "cohere": cohere.read,
    "google": google.read,
    "openai": openai.read,
}
_DIALECTS: Mapping[Shape, str] = {
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "cohere": "cohere",
    "google": "gemini",
    "openai": "openai",
}
_OF_ANTHROPIC = frozenset(
    {"message", "message_start", "message_delta", "message_stop", "ping",
     "content_block_start", "content_block_delta", "content_block_stop"}
)  # fmt: skip
_TIERS_INSIDE: Mapping[Shape, bytes] = {"anthropic": b"usage", "google": b"usageMetadata"}
"""Whose usage object says how it was served, and by what name their answers have it."""
_ANTHROPIC_COUNTS = frozenset({"cache_creation_input_tokens", "cache_read_input_tokens"})
"""Of a cache beside the input: nobody else's words."""
_WHOLE = (
    "usage",
    "usageMetadata",
    "usage_metadata",
    "usage_info",
    "meta",
    "choices",
    "candidates",
    "type",
    "id",
)
"""What an answer has and a usage object never."""
_USAGE_NAMES: Mapping[Shape, tuple[str, ...]] = {
    "anthropic": ("input_tokens", "output_tokens"),
    "bedrock": ("inputTokens", "outputTokens", "input_tokens"),
    "cohere": ("billed_units", "tokens"),
    "google": ("promptTokenCount", "candidatesTokenCount", "prompt_token_count", "candidates_token_count",
               "total_input_tokens", "total_output_tokens"),
    "openai": ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "seconds", "characters",
               "pages_processed", "prompt_cache_hit_tokens"),
}  # fmt: skip
"""By which a usage object is known that comes without its answer."""


def provider_named(name: str) -> AnswerProvider | None:
    """The provider of that name in the path; None = nobody's."""
    return _BY_NAME.get(name.lower())


def pieces_of(facts: AnswerProvider, raw: bytes | Raw, answer: Answer) -> Iterable[CallPiece]:
    """What one object of a provider's says: an answer, an event of a stream, or a usage object alone, which
    `raw` is then. Raises DialectError."""
    for shape in facts.shapes:
        if not answer.has(*_WHOLE) and answer.has(*_USAGE_NAMES[shape]):
            usage = table_of(raw)
            own = "anthropic" if "anthropic" in facts.shapes and _ANTHROPIC_COUNTS & usage.keys() else shape
            if (name := _TIERS_INSIDE.get(own)) is None:
                return [_of_dialect(facts, own, CallPiece(usage=usage, ends=True))]
            whole = Answer.read(b'{"%b":%b}' % (name, bytes(raw)))
            return [_of_dialect(facts, own, piece) for piece in _READINGS[own](whole)]
    shape = _shape_of(answer, facts)
    return [_of_dialect(facts, shape, piece) for piece in _READINGS[shape](answer)]


def _shape_of(answer: Answer, facts: AnswerProvider) -> Shape:
    for shape in facts.shapes:
        if (looks_so := _LOOKS.get(shape)) is not None and looks_so(answer):
            return shape
    return facts.shapes[0]


def _is_anthropic(answer: Answer) -> bool:
    if answer.has("choices", "event_type", "object"):
        return False
    if answer.text("type") in _OF_ANTHROPIC or answer.text("id").startswith("msg_"):
        return True
    return bool(_ANTHROPIC_COUNTS & (answer.usage("usage") or {}).keys())


def _is_openai(answer: Answer) -> bool:
    return answer.has("choices", "object")


_LOOKS: Mapping[Shape, Callable[[Answer], bool]] = {
    "anthropic": _is_anthropic,
    "google": google.is_interaction,
    "openai": _is_openai,
}


def _of_dialect(facts: AnswerProvider, shape: Shape, piece: CallPiece) -> CallPiece:
    """The piece, with the dialect in which its usage is written."""
    if piece.usage is None or piece.dialect:
        return piece
    dialect = facts.usage if shape == facts.shapes[0] else _DIALECTS[shape]
    if shape == "openai" and facts.shapes[0] == "google":
        dialect = "gemini-openai"
    if shape == "bedrock" and "input_tokens" in piece.usage:
        dialect = "anthropic"
    elif shape == "bedrock" and "prompt_tokens" in piece.usage:
        dialect = "openai"
    elif dialect == "xai":
        dialect = "xai-chat" if "prompt_tokens" in piece.usage else "xai-responses"
    return msgspec.structs.replace(piece, dialect=dialect)


def stated_cost(facts: AnswerProvider, usage: Mapping[str, Any] | None) -> dict[str, str] | None:
    """What the provider says that a call cost; None = it does not say. Raises DialectError."""
    cost = reported_cost(usage) if usage and facts.costs else None
    return None if cost is None else {"amount": plain(cost), "currency": "USD"}
