"""What an amend may change of an event: its `data`, and of that everything but who used it. Pure.

A patch is held against what needs no book: it is laid on a sample, and what comes of it passes the gate as an
event does. The corrector lays it on the event itself, and what that is refused for is said in `corrections`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.api.http.problems import HttpRefusal, invalid
from spendmeter.contracts.event_reading import decode_event, read_event
from spendmeter.contracts.events import CHARGE_TYPE, EVENT_TYPE, EventError, UsageData, UsageEvent
from spendmeter.contracts.gate import check_rules
from spendmeter.contracts.known_fields import unknown_fields
from spendmeter.contracts.merge_patch import merged

FIXED = frozenset(UsageEvent.__struct_fields__) - {"data"}
"""What makes it the event that it is: a merge patch of `data` has no word for it."""
ELSEWHERE = "retract the event, and send it anew under an id of its own with `supersedes`"
_SAMPLE = {"provider": "sample", "sku": "sample", "usage": {"sample": 1}}
_BILLED = {"currency": "USD", "list": "1", "contracted": "1", "effective": "1"}
_SAMPLE_CHARGE = _SAMPLE | {"usage": {}, "cadence": "bill", "charge": _BILLED}
"""What a patch of a charge is laid on: it is about a row of a bill, and of nothing else."""
_AT = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def check_patch(patch: bytes) -> None:
    """Raises HttpRefusal (422), naming the field of a JSON merge patch of an event's `data` and the rule."""
    fields = _decode(patch)
    if not isinstance(fields, Mapping) or not fields:
        raise invalid("patch", "must be an object that names what changes of the event's data")
    for name in fields:
        if name in FIXED:
            raise invalid(
                f"patch.{name}", f"is not of the event's data, and no amend changes it: {ELSEWHERE}"
            )
        if name not in UsageData.__struct_fields__:
            raise invalid("patch", f"an event's data has no such field; it has {', '.join(_DATA)}")
    _check_labels(fields.get("labels", {}))
    _check_amended(fields)


def own_names(patch: bytes) -> frozenset[str]:
    """The tenant's own dimensions of which a patch that was checked states a value."""
    own = _decode(patch).get("labels", {}).get("own") or {}
    return frozenset(name for name, value in own.items() if value is not None)


_DATA = UsageData.__struct_fields__


def _check_labels(labels: Any) -> None:
    """Whose event it is was made a pseudonym when it came in: nobody can say it again, or take it away. Nor
    is it anybody else's word which values were folded then."""
    if not isinstance(labels, Mapping):
        raise invalid(
            "patch.labels", "must be an object that names the labels that change; null takes one away"
        )
    if "user" in labels:
        raise invalid("patch.labels.user", f"is a pseudonym, and no amend changes it: {ELSEWHERE}")
    if "folded" in labels:
        raise invalid("patch.labels.folded", "is ingest's word of what a day had no room for; none amends it")


def _check_amended(fields: Mapping[str, Any]) -> None:
    of_a_bill = "charge" in fields
    event = {
        "specversion": "1.0",
        "type": CHARGE_TYPE if of_a_bill else EVENT_TYPE,
        "id": "sample",
        "source": "sample",
        "subject": "sample",
    }
    sample = _SAMPLE_CHARGE if of_a_bill else _SAMPLE
    amended = msgspec.json.encode(event | {"time": _AT, "data": merged(sample, fields)})
    try:
        check_rules(read_event(amended, decode_event), plain=False)
    except EventError as error:
        raise _refused(error.field.removeprefix("data"), error.reason) from None
    if unknown := unknown_fields(b"[" + amended + b"]"):
        raise _refused(unknown[0].removeprefix("data"), "is not a field of an event's data")


def _refused(place: str, reason: str) -> HttpRefusal:
    return invalid(f"patch{place}", reason)
