"""What lies on `usage.corrections`, pure: corrections, what asks for a job, and what is neither."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from spendmeter.contracts.corrections import (
    CorrectionRequest,
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
    correction at most, and each id is asked under once: the next one finds what this one has left."""

    position: int
    corrections: list[EventCorrection] = field(default_factory=list)
    jobs: list[JobRequest] = field(default_factory=list)
    strays: int = 0
    """Records that nobody of ours wrote: counted and passed over."""


def take_in(position: int, records: Iterable[tuple[int, bytes | None]]) -> Intake:
    """Sort `records` ((offset, value), in order) out, up to the second correction of one event, or the second
    request under one id; what lies before `position` is worked off already."""
    intake, met = Intake(position=position), set[object]()
    for offset, value in records:
        if offset < position:
            continue
        try:
            request = decode_correction(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            intake.strays += 1
        else:
            keys = _keys(request)
            if not met.isdisjoint(keys):
                break
            met |= keys
            if isinstance(request, EventCorrection):
                intake.corrections.append(request)
            else:
                intake.jobs.append(request)
        intake.position = offset + 1
    return intake


def _keys(request: CorrectionRequest) -> set[object]:
    """What it alone may have in one transaction: its event, and its id where it is the first under it."""
    named = request.tenant, request.id
    if isinstance(request, EventCorrection):
        return {request.identity, named}
    return {named} if isinstance(request, RerateRequest) else set()
