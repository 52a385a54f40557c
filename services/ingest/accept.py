"""From a request's bytes to its events, checked and stamped, or to all that is wrong with them. Pure.

Only known fields survive: what goes to Kafka is the decoded event written anew, never the bytes that came.
What is dropped on the way is named.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Any

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import force_setattr

from services.ingest.admitted import ValueAdmission
from services.ingest.arrays import array_of
from services.ingest.content_type import Form
from services.ingest.credentials import INGEST, IngestCredential, Snapshot, check_may_send
from services.ingest.dialects.translated import SentEvent, Translated
from services.ingest.own_labels import drop_own, keep_declared
from services.ingest.pseudonyms import UserNames, keyed
from services.ingest.refused import BadEvent, RequestRefused, bad_request, forbidden, too_large, unavailable
from services.ingest.unknown_units import Admission
from spendmeter.contracts.charges import age_max_of, is_charge
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX, check_time, read_batch, read_event
from spendmeter.contracts.events import EventError, Labels, UsageEvent
from spendmeter.contracts.gate import check_rules, is_plain
from spendmeter.contracts.known_fields import (
    NAMES_MAX,
    OPEN_READINGS,
    READINGS,
    Readings,
    decode_any_outcome,
    decode_known_outcome,
    printable_path,
    unknown_outcome_fields,
)
from spendmeter.contracts.outcomes import OUTCOME_TYPE, OutcomeEvent, check_outcome_rules, read_outcome
from spendmeter.platform.keys import OPERATOR

EVENTS_MAX = 1000
WHOLE_BYTES_MAX = EVENT_BYTES_MAX
"""A body up to this size is decoded in one go: no event in it can be too large, and what little it can blow
up to in memory is bounded. A larger one is decoded event by event."""
LATE = "its time could not be right: taken at the time of receipt"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One request as it came in: by whose key and when. Every event of it is stamped with that."""

    credential: IngestCredential
    snapshot: Snapshot
    now: datetime
    """When it was received, in UTC."""
    age_max: timedelta
    units: Admission
    """Of names that are no registered unit; it notes what this request adds."""
    values: ValueAdmission
    """Of values of tenants' own dimensions, likewise."""
    users: UserNames
    """What users are called."""
    region: str = ""
    """Of this system."""
    keeps_late: bool = False
    """Whether an event whose time cannot be right is stamped with the time of receipt; else it is refused."""

    def declared(self, event: UsageEvent | OutcomeEvent) -> Collection[str]:
        """The names of its own that the event's tenant sends."""
        return self.snapshot.dimensions.get(self.credential.tenant or event.tenant, ())

    @cached_property
    def readings(self) -> Readings:
        """How its events are read: those of tenants without dimensions of their own the faster way."""
        tenant, dimensions = self.credential.tenant, self.snapshot.dimensions
        open_labels = bool(dimensions) if tenant == OPERATOR else tenant in dimensions
        return OPEN_READINGS if open_labels else READINGS


@dataclass(frozen=True, kw_only=True)
class AcceptedEvents:
    """What of a request goes on."""

    events: Sequence[UsageEvent]
    """Checked and stamped."""
    dropped: Sequence[str] = ()
    """Paths of fields that the contract does not have, and that therefore went no further."""
    places: Sequence[int] = ()
    """Of each event its place in the request; () = as they stand."""
    refused: Sequence[BadEvent] = ()
    """What was refused beside good events that were taken."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How much was no event at all, by why."""
    noted: Mapping[str, int] = field(default_factory=dict)
    """How many of the events were taken with a remark, by the remark."""
    outcomes: Sequence[OutcomeEvent] = ()
    """Checked and stamped likewise."""
    outcome_places: Sequence[int] = ()
    """Of each of these its place in the request."""

    @property
    def count(self) -> int:
        """Events and outcomes."""
        return len(self.events) + len(self.outcomes)


def accept(body: bytes, form: Form, submission: Submission) -> AcceptedEvents:
    """Every event of the request, and the names of what was dropped.

    Raises RequestRefused: 400 naming every bad event, 403 for another's tenant, 413 for too many, 503 when a
    user cannot be pseudonymised yet.
    """
    single = is_single(body, form)
    if not single and len(body) <= WHOLE_BYTES_MAX:
        try:
            return _whole(body, submission)
        except EventError:
            pass  # one by one then, to name them all
    return _one_by_one([body] if single else split(body), submission)


def _whole(body: bytes, submission: Submission) -> AcceptedEvents:
    """The fast way. Raises EventError where any event is bad, or where there are too many."""
    dropped: dict[str, None] = {}
    readings = submission.readings
    try:
        events = read_batch(body, readings.known_batch)
    except EventError:
        events = read_batch(body, readings.batch)  # good but for fields that nobody knows, or bad once more
        dropped = dict.fromkeys(readings.unknown(body))
    if len(events) > EVENTS_MAX:
        raise EventError(f"more than {EVENTS_MAX} events")
    plain = is_plain(body)
    for event in events:
        _check(event, submission, plain, dropped)
    return AcceptedEvents(events=events, dropped=list(dropped)[:NAMES_MAX])


def _one_by_one(parts: Sequence[bytes | Raw], submission: Submission) -> AcceptedEvents:
    accepted = accept_each(enumerate(parts), submission)
    if accepted.refused:
        raise _all_or_none(accepted.refused, len(parts))
    return accepted


def accept_each(parts: Iterable[tuple[int, bytes | Raw]], submission: Submission) -> AcceptedEvents:
    """Each event that is good, and each that is not, by its place in the request. Raises RequestRefused where
    the whole request is to be sent again, or by somebody else."""
    accepted: list[UsageEvent] = []
    places: list[int] = []
    outcomes: list[OutcomeEvent] = []
    outcome_places: list[int] = []
    refused: list[BadEvent] = []
    dropped: dict[str, None] = {}
    readings = submission.readings
    for index, part in parts:
        raw = bytes(part)
        try:
            if is_outcome(raw):
                outcomes.append(_read_outcome(raw, submission, dropped))
                outcome_places.append(index)
                continue
            try:
                event = read_event(raw, readings.known_event)
            except EventError:
                event = read_event(raw, readings.event)
                dropped |= dict.fromkeys(readings.unknown(b"[" + raw + b"]"))
            _check(event, submission, is_plain(raw), dropped)
            accepted.append(event)
            places.append(index)
        except EventError as error:
            refused.append(BadEvent(index=index, field=error.field, reason=error.reason))
    late = sum(1 for event in accepted if event.claimedtime)
    return AcceptedEvents(
        events=accepted,
        places=places,
        refused=refused,
        dropped=list(dropped)[:NAMES_MAX],
        noted={LATE: late} if late else {},
        outcomes=outcomes,
        outcome_places=outcome_places,
    )


def accept_translated(
    found: Translated,
    submission: Submission,
    *,
    partly: bool = False,
    events_max: int = EVENTS_MAX,
    own: Sequence[tuple[int, bytes]] = (),
) -> AcceptedEvents:
    """The events of a dialect, through the very same gate, with those of our own that came with them.
    `partly`: bad ones are named beside good ones; else one bad event refuses the request. Raises
    RequestRefused."""
    count = len(found.events) + len(found.outcomes) + len(own)
    if count > events_max:
        raise too_large(f"a request may have at most {events_max} events")
    parts = heapq.merge(own, map(_written, chain(found.events, found.outcomes)))
    accepted = accept_each(parts, submission)
    refused = sorted([*found.refused, *accepted.refused], key=lambda bad: bad["index"] or 0)
    if refused and not partly:
        raise _all_or_none(refused, count + len(found.refused))
    noted = found.noted + Counter(accepted.noted)
    return replace(
        accepted,
        refused=refused,
        skipped=found.skipped,
        noted=noted,
        dropped=[*accepted.dropped, *sorted(set(map(printable_path, found.dropped)))][:NAMES_MAX],
    )


def _written(sent: SentEvent) -> tuple[int, bytes]:
    return sent.index, _encode(sent.said)


def _all_or_none(refused: Sequence[BadEvent], count: int) -> RequestRefused:
    return bad_request(f"{len(refused)} of {count} events are bad, so none was taken", refused)


def _check(event: UsageEvent, submission: Submission, plain: bool, dropped: dict[str, None]) -> None:
    """Check and stamp an event that was read, adding to the names of what is dropped. Raises EventError, or
    RequestRefused for the whole request."""
    if submission.readings is OPEN_READINGS:
        names = keep_declared(event, submission.declared(event))
    else:
        names = drop_own(event)
    if names:
        dropped |= dict.fromkeys(map(printable_path, names))
    check_rules(event, plain)
    check_may_send(event, submission.credential)
    _stamp(event, submission)


def _read_outcome(raw: bytes, submission: Submission, dropped: dict[str, None]) -> OutcomeEvent:
    """The outcome, checked and stamped, adding to the names of what is dropped. Raises EventError, or
    RequestRefused for the whole request."""
    if INGEST not in submission.credential.scopes:
        raise forbidden(f"key {submission.credential.key_id} has not the scope {INGEST!r}: it sends charges")
    try:
        event = read_outcome(raw, decode_known_outcome)
    except EventError:
        event = read_outcome(raw, decode_any_outcome)
        dropped |= dict.fromkeys(unknown_outcome_fields(raw))
    names = keep_declared(event, submission.declared(event))
    dropped |= dict.fromkeys(map(printable_path, names))
    check_outcome_rules(event)
    tenant = _tenant_of(event, submission)
    if event.time is UNSET:
        force_setattr(event, "time", submission.now)
    else:
        _check_time(event, submission)
    force_setattr(event, "tenant", tenant)
    force_setattr(event, "keyid", submission.credential.key_id)
    force_setattr(event, "receivedat", submission.now)
    _hide_user(event.data.labels, tenant, submission)
    return event


def _stamp(event: UsageEvent, submission: Submission) -> None:
    """Put in what only ingest may say. Raises EventError, or RequestRefused for the whole request.

    The event was decoded a moment ago and nobody else holds it: setting fields beats copying three structs.
    """
    credential = submission.credential
    tenant = _tenant_of(event, submission)
    if event.claimedtime:  # ingest's word alone
        force_setattr(event, "claimedtime", "")
    if event.time is UNSET:
        force_setattr(event, "time", submission.now)
    else:
        _check_time(event, submission)
    submission.units.check(tenant, event.data.usage)
    submission.values.check_model(tenant, event.data.provider, event.data.sku)
    force_setattr(event, "tenant", tenant)
    force_setattr(event, "keyid", credential.key_id)
    force_setattr(event, "receivedat", submission.now)
    force_setattr(event, "trustreportedcost", credential.trust_reported_cost)
    labels = event.data.labels
    if folded := submission.values.folded(tenant, labels):
        force_setattr(labels, "folded", folded)
    _hide_user(labels, tenant, submission)


def _hide_user(labels: Labels, tenant: str, submission: Submission) -> None:
    """What is published is a pseudonym. Raises RequestRefused for the whole request."""
    if labels.user:  # so it was decoded: the shared default has none
        month, secret = _month_key(tenant, submission)
        submission.users.replace(labels, (tenant, month, keyed(secret, labels.user)))


def _check_region(tenant: str, submission: Submission) -> None:
    """Raises RequestRefused 403 where the tenant's usage may not come here."""
    pinned = submission.snapshot.regions.get(tenant)
    if pinned is not None and pinned != submission.region:
        here = f"of region {submission.region!r}" if submission.region else "of no region"
        raise forbidden(f"tenant {tenant!r} is pinned to region {pinned!r}, and this system is {here}")


def _tenant_of(event: UsageEvent | OutcomeEvent, submission: Submission) -> str:
    """Whose it is. Raises EventError, or RequestRefused for the whole request."""
    credential = submission.credential
    tenant = credential.tenant
    if tenant == OPERATOR:
        tenant = event.tenant
        if tenant not in submission.snapshot.tenants:
            raise EventError("an operator's key must name an existing tenant in each event", "tenant")
    elif event.tenant not in ("", tenant):
        raise forbidden(f"an event names another tenant, and key {credential.key_id} belongs to {tenant!r}")
    _check_region(tenant, submission)
    return tenant


def _check_time(event: UsageEvent | OutcomeEvent, submission: Submission) -> None:
    """Raises EventError for a time that cannot be right, unless it is replaced."""
    assert event.time is not UNSET
    usage = event if isinstance(event, UsageEvent) else None
    try:
        age_max = age_max_of(usage, submission.age_max) if usage else submission.age_max
        check_time(event.time, submission.now, age_max)
    except EventError:
        if not submission.keeps_late or (usage and is_charge(usage)):
            raise
        if usage:
            force_setattr(usage, "claimedtime", event.time.isoformat())
        force_setattr(event, "time", submission.now)


def _month_key(tenant: str, submission: Submission) -> tuple[date, bytes]:
    month = date(submission.now.year, submission.now.month, 1)
    secret = submission.snapshot.pseudonym_keys.get((tenant, month))
    if secret is None:
        raise unavailable(f"tenant {tenant!r} has no key yet to pseudonymise users of {month:%Y-%m}")
    return month, secret


def is_single(body: bytes, form: Form) -> bool:
    """Whether the body is one event. Raises RequestRefused when its content type announces something else."""
    single = body.lstrip()[:1] != b"["
    if single and form == "many":
        raise _bad_body("application/cloudevents-batch+json is a JSON array of events")
    if not single and form == "one":
        raise _bad_body("application/cloudevents+json is one event; a batch is cloudevents-batch+json")
    return single


class _Typed(msgspec.Struct, frozen=True):
    type: Any = None


_decode_typed = msgspec.json.Decoder(_Typed).decode


def is_outcome(raw: bytes) -> bool:
    """Whether it calls itself one; what cannot be read is no outcome."""
    if _OUTCOME_TYPE not in raw:
        return False
    try:
        return bool(_decode_typed(raw).type == OUTCOME_TYPE)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


_OUTCOME_TYPE = OUTCOME_TYPE.encode()
_encode = msgspec.json.Encoder(decimal_format="string").encode


def split(body: bytes) -> list[Raw]:
    """The elements of a JSON array, undecoded. Raises RequestRefused 400 or 413."""
    return array_of(body, EVENTS_MAX, "events")


def _bad_body(reason: str) -> RequestRefused:
    error = BadEvent(index=None, field="", reason=reason)
    return bad_request("the body is no list of events", [error])
