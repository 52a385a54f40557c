"""What lies on `usage.corrections`, pure: corrections, what asks for a job, and what is neither."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from spendmeter.contracts.corrections import CorrectionRequest, EventCorrection, decode_correction

JobRequest = CorrectionRequest
"""All but a EventCorrection."""


@dataclass(kw_only=True)
class Intake:
    """Records of the topic in order; `position` is the offset after the last."""

    position: int
    corrections: list[EventCorrection] = field(default_factory=list)
    jobs: list[JobRequest] = field(default_factory=list)
    strays: int = 0
    """Records that nobody of ours wrote: counted and passed over."""


def take_in(position: int, records: Iterable[tuple[int, bytes | None]]) -> Intake:
    """Sort `records` ((offset, value), in order) out; what lies before `position` is worked off already."""
    intake = Intake(position=position)
    for offset, value in records:
        if offset < position:
            continue
        intake.position = offset + 1
        try:
            request = decode_correction(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            intake.strays += 1
            continue
        if isinstance(request, EventCorrection):
            intake.corrections.append(request)
        else:
            intake.jobs.append(request)
    return intake
