"""Remarks in words: what of the way of serving a line's price does not mention. Pure."""

import tomllib
from pathlib import Path

from spendmeter.contracts.events import Context
from spendmeter.contracts.rated import Line, Remark

_TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def remark_in_words(kind: Remark, value: str) -> str:
    """What the price is for instead: `value` is the tier or region, as the event states it."""
    return str(_TEXTS[kind]["says"].format(value=value))


def remark_advice(kind: Remark, provider: str, value: str) -> str:
    """What to do about it."""
    return str(_TEXTS[kind]["advice"].format(provider=provider, value=value))


def remarks_in_words(line: Line, context: Context) -> list[str]:
    """The remarks of a line of an event that was served like `context`."""
    region = line.region or context.region
    stated: dict[Remark, str] = {"batch": "", "tier": context.service_tier, "region": region}
    return [remark_in_words(kind, stated[kind]) for kind in line.remarks]
