"""What attributes of OpenTelemetry spans say of usage, whichever instrumentation spells them. Pure.

Input is all of it, also of a vendor that counts what it reads from a cache beside its input. An exporter
sends spans by the thousand, so their attributes are gone through once, and not once for each spelling.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from spendmeter.contracts.dialect_parts import COUNT_MAX, UsageParts, VendorUsage, count, rest
from spendmeter.contracts.otel_names import OTEL


class _Place(NamedTuple):
    """What a name means, and how many other names of it go before."""

    meaning: str
    rank: int


_PLACES: Mapping[str, _Place] = {
    name: _Place(meaning, rank)
    for meaning in OTEL.usage.__struct_fields__
    for rank, name in enumerate(getattr(OTEL.usage, meaning))
}


def otel(usage: VendorUsage) -> UsageParts:
    """From all attributes of a span; those of otel_usage.toml are looked at. Reasoning lies inside the
    output; where there is more of it, its sender counts as Gemini and Grok do, and it lies beside."""
    said = _stated(usage)
    part = said.get
    written, hour = part("cache_write", 0), part("cache_write_1h", 0)
    audio, image = part("cache_read_audio", 0), part("cache_read_image", 0)
    thought_beside = part("reasoning", 0) if part("reasoning", 0) > part("output", 0) else 0
    beside_input, beside_output = part("beside_input", 0), part("beside_output", 0)
    return UsageParts(
        input=_with(part("input"), beside_input),
        cached={
            "cache_read_tokens": part("cache_read", 0) - audio - image,
            "cache_read_audio_tokens": audio,
            "cache_read_image_tokens": image,
            "cache_write_5m_tokens": rest(written - hour, OTEL.usage.cache_write[0]) if written else 0,
            "cache_write_1h_tokens": hour,
        },
        inputs={
            "input_audio_tokens": part("input_audio", 0) - audio,
            "input_image_tokens": part("input_image", 0) - image,
            "input_video_tokens": part("input_video", 0),
        },
        output=_with(part("output"), beside_output + thought_beside),
        outputs={
            "reasoning_tokens": part("reasoning", 0),
            "output_audio_tokens": part("output_audio", 0),
            "output_image_tokens": part("output_image", 0),
        },
        others={"searches": part("searches", 0)},
        assumed=beside_input > 0 or thought_beside > 0,
    )


def _stated(usage: VendorUsage) -> dict[str, int]:
    """Quantities by what they mean; what is not stated is not there. Raises DialectError."""
    found: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for name, value in usage.items():
        if (place := _PLACES.get(name)) is None or value is None:
            continue
        meaning, rank = place
        if ranks.get(meaning, rank) >= rank:
            ranks[meaning] = rank
            plain = type(value) is int and 0 <= value <= COUNT_MAX
            found[meaning] = value if plain else _counted(name, value)
    return found


def _counted(name: str, value: Any) -> int:
    return count({name: value}, name) or 0


def _with(total: int | None, beside: int) -> int | None:
    return (total or 0) + beside if beside else total
