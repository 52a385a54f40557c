"""AWS' names of what Bedrock counts, in our words. Pure.

They come in three fashions: "USE1-Claude4.6Opus-input-tokens-cross-region-global", or with "-mantle-" before
the meter; and of models that are sold by way of the marketplace, which another column names,
"USE1-MP:USE1_CacheReadInputTokenCount_Global-Units" and "USE1-MP:USE1_input_tokens_global_standard-Units".
"""

import re
from typing import NamedTuple

from services.api.invoices.billed import TEXT_CHARACTERS_MAX
from services.api.invoices.vendor_words import AWS, LONG

EDITION = " (amazon bedrock edition)"
"""What ends the name of a model that is sold by way of the marketplace."""
_REGION = re.compile(r"[A-Z]{2,4}\d{0,2}-")
_MARKET = re.compile(r"MP:[A-Z0-9]+_(?P<name>.+?)(?:-Units)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
_METER = re.compile(
    rf"(?:(?P<model>.+?)-(?:mantle-)?)??(?P<meter>{'|'.join(map(re.escape, AWS['meters']))})"
    r"(?P<more>(?:-[a-z0-9]+)*)",
    re.IGNORECASE,
)


class AwsMeter(NamedTuple):
    """What a usage type says."""

    model: str
    """'' = another column does."""
    unit: str
    tier: str
    """'' = it says none."""
    context: str | None
    is_global: bool
    """Whether the call may have been answered anywhere."""


def meter_of(usage_type: str) -> AwsMeter | None:
    """None = it is of no tokens, or in words that are not known here."""
    text = _REGION.sub("", usage_type[:TEXT_CHARACTERS_MAX], count=1)
    if market := _MARKET.fullmatch(text):
        text = _HUMP.sub("-", market["name"])
    read = _METER.fullmatch(text)
    if read is None:
        return None
    unit = AWS["meters"][read["meter"].lower()]
    words = [word for word in read["more"].lower().split("-") if word]
    if (hour := AWS["hours"].get(unit)) and "1h" in words:
        unit = hour
    tiers = [word for word in words if word not in AWS["words"]]
    return AwsMeter(
        model=read["model"] or "",
        unit=unit,
        tier="-".join(tiers),
        context=LONG if "lctx" in words else None,
        is_global="global" in words,
    )


def model_sold(product: str) -> str:
    """Of "Claude Opus 4.6 (Amazon Bedrock Edition)" the model; '' = it is another product."""
    name = product.strip()
    return name[: -len(EDITION)] if name.lower().endswith(EDITION) else ""
