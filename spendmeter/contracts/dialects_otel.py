"""What attributes of OpenTelemetry spans say of usage, whichever instrumentation spells them. Pure.

Input is all of it by every convention, also of a vendor that counts what is cached beside its input; but some
senders hand on what such a vendor counts. Which it is the numbers tell, where they can: `_counts_beside`. An
exporter sends spans by the thousand, so their attributes are gone through once, and not for each spelling.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from spendmeter.contracts.dialect_parts import COUNT_MAX, UsageParts, VendorUsage, count, rest
from spendmeter.contracts.otel_names import OTEL, SCOPE, AttributeNames, first_stated


class _Place(NamedTuple):
    """What a name means, and how many other names of it go before."""

    meaning: str
    rank: int


_PLACES: Mapping[str, _Place] = {
    name: _Place(meaning, rank)
    for meaning, names in (
        *((field, getattr(OTEL.usage, field)) for field in OTEL.usage.__struct_fields__),
        ("fresh", OTEL.counting.fresh),
        ("total", OTEL.counting.total),
    )
    for rank, name in enumerate(names)
}


class _Stated(NamedTuple):
    counts: dict[str, int]
    """Quantities by what they mean; what is not stated is not there."""
    names: dict[str, str]
    """What each is called."""


def otel(usage: VendorUsage) -> UsageParts:
    """From all attributes of a span, and its library's name under `SCOPE`; those of otel_usage.toml are
    looked at. Reasoning lies inside the output, unless there is more of it, or the total says otherwise;
    what of the total nobody names is that of models that think, and of others nobody knows what."""
    said = _stated(usage)
    part = said.counts.get
    hour = part("cache_write_1h", 0)
    written = part("cache_write", 0) or part("cache_write_5m", 0) + hour
    audio, image = part("cache_read_audio", 0), part("cache_read_image", 0)
    cached = part("cache_read", 0) + written
    beside, assumed = _counts_beside(usage, said, cached)
    thought, more = part("reasoning", 0), part("reasoning", 0) > part("output", 0)
    lies_beside = thought and (more or _left(said) == thought + (cached if beside else 0))
    thought_beside = thought if lies_beside else 0
    unsaid = max(_left(said) - (cached if beside else 0) - thought_beside, 0)
    if unsaid and not thought and _named(usage, OTEL.counting.thinking, OTEL.call.model):
        thought = thought_beside = unsaid
    beside_input, beside_output = part("beside_input", 0), part("beside_output", 0)
    return UsageParts(
        input=_with(part("input"), beside_input),
        cached={
            "cache_read_tokens": part("cache_read", 0) - audio - image,
            "cache_read_audio_tokens": audio,
            "cache_read_image_tokens": image,
            "cache_write_5m_tokens": rest(written - hour, OTEL.usage.cache_write[0]),
            "cache_write_1h_tokens": hour,
        },
        inputs={
            "input_audio_tokens": part("input_audio", 0) - audio,
            "input_image_tokens": part("input_image", 0) - image,
            "input_video_tokens": part("input_video", 0),
        },
        output=_with(part("output"), beside_output + thought_beside),
        outputs={
            "reasoning_tokens": thought,
            "output_audio_tokens": part("output_audio", 0),
            "output_image_tokens": part("output_image", 0),
        },
        others={"searches": part("searches", 0)},
        exclusive=beside,
        assumed=assumed or beside_input > 0 or more or unsaid > 0,
    )


def _counts_beside(usage: VendorUsage, said: _Stated, cached: int) -> tuple[bool, bool]:
    """Whether what is cached is counted beside the input, and whether that is assumed."""
    if not cached:
        return False, False
    stated, fresh = said.counts.get("input", 0), said.counts.get("fresh")
    if fresh is not None and stated in (fresh, fresh + cached):
        return stated == fresh, False
    if _left(said) in (cached, cached + said.counts.get("reasoning", 0)):
        return True, False
    handed_on = _hands_on(usage)
    spelled = {said.names.get("cache_read"), said.names.get("cache_write")}
    if not handed_on and spelled.isdisjoint(OTEL.counting.unsure):
        return False, False
    counts_beside = _named(usage, OTEL.counting.vendors, OTEL.call.provider, OTEL.call.model)
    return handed_on and counts_beside, counts_beside


def _hands_on(usage: VendorUsage) -> bool:
    """Whether the sender is one that is known to hand on what the vendor counts."""
    scope = f"{usage.get(SCOPE, '')}."
    known = any(scope.startswith(f"{each}.") for each in OTEL.counting.scopes)
    return known or first_stated(usage, OTEL.counting.marks) is not None


def _named(usage: VendorUsage, parts: AttributeNames, *of: AttributeNames) -> bool:
    """Whether what these attributes name has any of the parts in it."""
    whose = " ".join(str(first_stated(usage, names)) for names in of).lower()
    return any(part in whose for part in parts)


def _left(said: _Stated) -> int:
    """What the stated total has beside the stated input and output."""
    part = said.counts.get
    if part("input") is None or part("output") is None:
        return 0
    return part("total", 0) - part("input", 0) - part("output", 0)


def _stated(usage: VendorUsage) -> _Stated:
    """Raises DialectError."""
    found = _Stated({}, {})
    ranks: dict[str, int] = {}
    for name, value in usage.items():
        if (place := _PLACES.get(name)) is None:
            continue
        plain = type(value) is int and 0 <= value <= COUNT_MAX
        if not plain and first_stated(usage, (name,)) is None:
            continue
        meaning, rank = place
        if ranks.get(meaning, rank) >= rank:
            ranks[meaning] = rank
            found.counts[meaning] = value if plain else _counted(name, value)
            found.names[meaning] = name
    return found


def _counted(name: str, value: Any) -> int:
    return count({name: value}, name) or 0


def _with(total: int | None, beside: int) -> int | None:
    return (total or 0) + beside if beside else total
