"""What becomes of one correction, given what the book says of its event. Pure.

An event ends as (retracted or not, the amend of the highest revision, the highest version of the catalog)
say, in whatever order these come (`tests/corrector/test_decide.py`, every order).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, Inexact
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from services.corrector.in_force import SEQ_MAX, TOO_OFTEN, CorrectedState, EventState
from services.corrector.pairs import Change, Replacement
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.dimensions import OWN_FROM
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import FOLDABLE, EventError, UsageEvent, encode_event
from spendmeter.contracts.gate import check_limits, check_rules, is_plain
from spendmeter.contracts.merge_patch import merged
from spendmeter.contracts.rated import encode_rated
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook

CorrectionOutcome = Literal["applied", "refused", "duplicate", "superseded"]
REASON_CHARACTERS_MAX = 500

_decode_json = msgspec.json.Decoder(float_hook=Decimal).decode
_encode_json = msgspec.json.Encoder(decimal_format="number").encode


class Settlement(Struct, frozen=True, kw_only=True):
    """What becomes of a correction, what is written for it, and what is remembered of its event."""

    outcome: CorrectionOutcome
    why: str = ""
    change: Change | None = None
    corrected: CorrectedState | None = None
    """None = as it was."""


def needs_book(correction: EventCorrection, state: EventState) -> bool:
    """Whether it is an amend that will be priced."""
    return correction.kind == "amend" and _too_late(correction, state) is None


def decide(correction: EventCorrection, state: EventState, book: PriceBook | None) -> Settlement:
    """`book` prices an amend: of the newest version. None = there is none that can be read."""
    if state.tenant != correction.tenant:
        return Settlement(outcome="refused", why="the event is another tenant's")
    if too_late := _too_late(correction, state):
        return too_late
    try:
        if correction.kind == "retract":
            return _retracted(correction, state)
        return _amended(correction, state, book)
    except EventError as error:
        return Settlement(outcome="refused", why=str(error)[:REASON_CHARACTERS_MAX])
    except Inexact:
        return Settlement(
            outcome="refused", why="the cost of these quantities has more digits than money holds"
        )
    except RecursionError:
        return Settlement(outcome="refused", why="the patch is nested too deep")


def _too_late(correction: EventCorrection, state: EventState) -> Settlement | None:
    corrected = state.corrected
    if corrected.retracted_at is not None:
        when = f"the event was retracted on {corrected.retracted_at:%Y-%m-%dT%H:%M:%SZ}"
        return Settlement(outcome="duplicate" if correction.kind == "retract" else "superseded", why=when)
    if correction.kind == "amend" and corrected.revision is not None and correction.revision >= 0:
        # Two that were asked for while the corrector was behind call themselves the same revision: the later
        # one holds, in whatever order they come.
        assert corrected.amend_at and corrected.amend_id, "an amend is remembered whole"
        holds = corrected.revision, corrected.amend_at, corrected.amend_id
        if (correction.revision, correction.at, correction.id) <= holds:
            why = f"amended already, in revision {corrected.revision} ({corrected.amend_id})"
            return Settlement(outcome="superseded", why=why)
    return None


def _retracted(correction: EventCorrection, state: EventState) -> Settlement:
    assert state.entry is not None, "what was not retracted is in force"
    return Settlement(
        outcome="applied",
        change=Change(entry=state.entry, event=_read(state.entry.event), correction_id=correction.id),
        corrected=replace(state.corrected, retracted_at=correction.at),
    )


def _amended(correction: EventCorrection, state: EventState, book: PriceBook | None) -> Settlement:
    entry = state.entry
    assert entry is not None, "what was not retracted is in force"
    if entry.seq > SEQ_MAX:
        raise EventError(TOO_OFTEN)
    received_at = entry.received_at(_read(state.first_event))
    raises = correction.revision < 0
    event = amended_event(
        correction,
        state.first_event,
        received_at,
        below=None if raises else state.raised_by,
        above=state.held if raises else None,
    )
    if book is None:
        raise EventError("the price catalog of now cannot be read: ask again when it can")
    check_limits(event, book.event_limits, received_at)
    rating = rate(event, book)
    lines, said = encode_rated(rating.lines).decode(), content_hash(event)
    corrected = replace(
        state.corrected,
        amended_hash=said,
        catalog_version=max(state.corrected.catalog_version, rating.catalog_version),
    )
    if not raises or state.corrected.revision is None:
        corrected = replace(
            corrected, revision=correction.revision, amend_at=correction.at, amend_id=correction.id
        )
    sums = rating.status, rating.currency, rating.list, rating.contracted, rating.effective
    if (said, lines, sums) == (
        state.hash,
        entry.lines,
        (entry.status, entry.currency, entry.list, entry.contracted, entry.effective),
    ):
        return Settlement(outcome="duplicate", why="the book says so already", corrected=corrected)
    replacement = Replacement(rating=rating, lines=lines, event=event, text=encode_event(event).decode())
    change = Change(
        entry=entry, event=_read(entry.event), correction_id=correction.id, replacement=replacement
    )
    return Settlement(outcome="applied", change=change, corrected=corrected)


def amended_event(
    correction: EventCorrection,
    first_event: str,
    received_at: datetime,
    *,
    below: str | None = None,
    above: str | None = None,
) -> UsageEvent:
    """What the event says after an amend, held against the gate as at the door when it was received. Below a
    person's amend lies the patch of the sender's own later word, above that one's the person's that holds, in
    whatever order they came. Raises EventError."""
    if correction.patch is UNSET:
        raise EventError("is missing: an amend says what is to change", "patch")
    said = _decode_json(first_event)
    try:
        patch = _decode_json(correction.patch)
    except (msgspec.DecodeError, RecursionError, ArithmeticError):
        raise EventError("is not JSON that can be read", "patch") from None
    if not isinstance(patch, Mapping):
        raise EventError("must be a JSON object: a merge patch on the event's data", "patch")
    data = merged(_laid(said["data"], below), patch)
    if _user(data) != _user(said["data"]):
        raise EventError("cannot be amended: it is a pseudonym", "data.labels.user")
    if "folded" in _labels(patch):
        reason = "is ingest's word of what a day had no room for; none amends it"
        raise EventError(reason, "data.labels.folded")
    data = _still_folded(said["data"], _laid(data, above))
    raw = _encode_json({**said, "data": data})
    event = read_event(raw)
    check_rules(event, is_plain(raw), received_at)
    if _labels(patch).get("own") and received_at < OWN_FROM:
        reason = f"the event was received before {OWN_FROM:%Y-%m-%dT%H:%MZ}, when tenants had no dimensions"
        raise EventError(f"{reason} of their own", "data.labels.own")
    return event


def _laid(data: Mapping[str, Any], patch: str | None) -> Mapping[str, Any]:
    """`data` with a patch that was checked before laid on it."""
    return data if patch is None else merged(data, _decode_json(patch))


def _still_folded(first: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """`data` with ingest's word on the values that are as they were: of another value it says nothing."""
    was, labels = _labels(first), _labels(data)
    folded = labels.get("folded")
    if not isinstance(folded, list):
        return data  # of before there were any, or of what the gate refuses
    own, own_now = [each if isinstance(each, Mapping) else {} for each in (was.get("own"), labels.get("own"))]
    kept = [name for name in own_now if name in folded and own_now[name] == own.get(name)]
    kept += [name for name in FOLDABLE if name in folded and labels.get(name) == was.get(name)]
    return {**data, "labels": {**labels, "folded": kept}}


def _user(data: Mapping[str, Any]) -> object:
    return _labels(data).get("user", "")


def _labels(data: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = data.get("labels")
    return labels if isinstance(labels, Mapping) else {}


def _read(text: str) -> UsageEvent:
    return read_event(text.encode())
