"""What attributes of OpenTelemetry spans say of usage, whichever instrumentation spells them. Pure.

Input is all of it, also of a vendor that counts what it reads from a cache beside its input.
"""

from spendmeter.contracts.dialect_parts import UsageParts, VendorUsage, count, part, rest
from spendmeter.contracts.otel_names import OTEL


def otel(usage: VendorUsage) -> UsageParts:
    """From all attributes of a span; those of otel_usage.toml are looked at."""
    names = OTEL.usage
    written, hour = part(usage, names.cache_write), part(usage, names.cache_write_1h)
    audio, image = part(usage, names.cache_read_audio), part(usage, names.cache_read_image)
    beside_input, beside_output = part(usage, names.beside_input), part(usage, names.beside_output)
    return UsageParts(
        input=_with(count(usage, names.input), beside_input),
        cached={
            "cache_read_tokens": part(usage, names.cache_read) - audio - image,
            "cache_read_audio_tokens": audio,
            "cache_read_image_tokens": image,
            "cache_write_5m_tokens": rest(written - hour, names.cache_write[0]) if written else 0,
            "cache_write_1h_tokens": hour,
        },
        inputs={
            "input_audio_tokens": part(usage, names.input_audio) - audio,
            "input_image_tokens": part(usage, names.input_image) - image,
            "input_video_tokens": part(usage, names.input_video),
        },
        output=_with(count(usage, names.output), beside_output),
        outputs={
            "reasoning_tokens": part(usage, names.reasoning),
            "output_audio_tokens": part(usage, names.output_audio),
            "output_image_tokens": part(usage, names.output_image),
        },
        others={"searches": part(usage, names.searches)},
        assumed=beside_input > 0,
    )


def _with(total: int | None, beside: int) -> int | None:
    return (total or 0) + beside if beside else total
