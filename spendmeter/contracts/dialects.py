"""Usage dialects: what vendors call input and output, as disjoint quantities in our units. Pure.

    disjoint("openai", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}, ...})

Some senders count cached tokens inside their input, some beside it. Where an inclusive dialect states more
cached than input, its sender was exclusive after all: that is taken so, and returned ("assumed"). Nothing
is ever clamped but what a vendor is known to count twice (`dialects_openai.xai`): what is still negative
raises.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from spendmeter.contracts import dialects_openai, dialects_otel, dialects_own
from spendmeter.contracts.dialect_parts import (
    DialectError,
    UsageParts,
    UsedQuantity,
    VendorUsage,
)

Normalised = Literal["stated", "assumed"]
"""Whether the quantities follow from what the vendor states, or from a guess at how it counts."""


def disjoint(dialect: str, usage: VendorUsage) -> tuple[dict[str, UsedQuantity], Normalised]:
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
    quantities: dict[str, UsedQuantity] = {**parts.cached, **parts.inputs, **parts.outputs, **parts.others}
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
                f"{unit} would be below 0: the parts of this {dialect} usage exceed their total"
            )
    return quantities, "assumed" if assumed or parts.assumed else "stated"


_DIALECTS: Mapping[str, Callable[[VendorUsage], UsageParts]] = {
    "anthropic": dialects_own.anthropic,
    "azure": dialects_openai.openai,
    "bedrock": dialects_own.bedrock,
    "cohere": dialects_own.cohere,
    "deepseek": dialects_openai.deepseek,
    "gemini": dialects_own.gemini,
    "gemini-openai": dialects_openai.gemini,
    "mistral": dialects_openai.mistral,
    "openai": dialects_openai.openai,
    "openrouter": dialects_openai.openrouter,
    "otel": dialects_otel.otel,
    "perplexity": dialects_openai.perplexity,
    "vertex": dialects_own.gemini,
    "xai-chat": dialects_openai.xai_chat,
    "xai-responses": dialects_openai.xai,
}
DIALECTS = tuple(_DIALECTS)
"""Their names."""
