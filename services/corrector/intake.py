"""What lies on `usage.corrections`, pure: corrections, what asks for a job, and what is neither."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from spendmeter.contracts.corrections import (
    EventCorrection,
    RerateApply,
    RerateCancel,
    RerateRequest,
    decode_correction,
)

JobRequest = RerateRequest | RerateApply | RerateCancel


@dataclass(kw_only=True)
class Intake:
    """Records of the topic in order; `position` is the offset after the last. Of each event there is one
    correction at most: the next one finds what this one has left."""

    position: int
    corrections: list[EventCorrection] = field(default_factory=list)
    jobs: list[JobRequest] = field(default_factory=list)
    strays: int = 0
    """Records that nobody of ours wrote: counted and passed over."""


def take_in(position: int, records: Iterable[tuple[int, bytes | None]]) -> Intake:
    """Sort `records` ((offset, value), in order) out, up to the second correction of one event; what lies
    before `position` is worked off already."""
    intake, events = Intake(position=position), set()
    for offset, value in records:
        if offset < position:
            continue
        try:
            request = decode_correction(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            intake.strays += 1
        else:
            if not isinstance(request, EventCorrection):
                intake.jobs.append(request)
            elif request.identity in events:
                break
            else:
                events.add(request.identity)
                intake.corrections.append(request)
        intake.position = offset + 1
    return intake
