"""What must hold of every request, whatever it says."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from services.ingest.accept import AcceptedEvents, Submission
from services.ingest.credentials import NumberedMeters
from services.ingest.entrances import Entrance, Incoming
from services.ingest.foreign_events import LagoAccepted
from services.ingest.own_events import wants_receipts
from services.ingest.refused import RequestRefused
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.contracts.gate import check_rules
from spendmeter.contracts.meters import UsageMeter
from spendmeter.contracts.outcomes import check_outcome_rules, encode_outcome, outcome_hash, read_outcome
from tests.ingest.fuzz.dialects import METERS, FuzzedDialect
from tests.ingest.fuzz.mutated import CONTENT, SECRET
from tests.ingest.fuzz.requests import FuzzedRequest
from tests.ingest.test_accept import credential, submission

SECONDS_MAX = 3.0
"""Of processor time, for one request of a few kilobytes."""
CREDENTIALS = (
    credential(),
    credential(trust_reported_cost=True),
    credential(scopes=frozenset({"ingest", "import"})),
    credential(tenant=""),
)
_METERS = {kind["event_type"]: msgspec.convert(kind, UsageMeter) for kind in METERS}
_NO_COUNT = re.compile(
    r"(?i)time|created|nano|_at$|expires|duration|latency|cost|price|seconds|sequence|index|timestamp|^total(?!_\w+_tokens)|^id$|^ce-"
)
"""Names of numbers that count nothing that was used."""
_INSIDE = re.compile(
    r"cached_tokens|[cC]ached_?[cC]ontent|cache_read\.|cached_token_count|cache_write_tokens"
)
"""Names of parts of what stands beside them: unless it is assumed that they are none, they are no further tokens."""
_JOINED = re.compile(rb"[A-Za-z0-9]" + CONTENT.encode())
"""What people wrote, joined by a cut to the end of a value that is kept: it is that sender's value then."""
_SCALES = (Decimal(1), Decimal("1e-6"), Decimal("1e-10"))
"""In which a cost is stated: dollars, millionths of them, xAI's ticks."""


class BrokenRule(AssertionError):
    """Something that must hold does not."""


class TookTooLong(BrokenRule):
    """A request took more processor time than any may."""


def check(dialect: FuzzedDialect, request: FuzzedRequest, place: int) -> str:
    """Hold a request against all of it; says what became of it: `taken`, `nothing` or `refused`."""
    with bounded():
        accepted, said = _read(dialect.entrance, request.incoming, place)
        repeated, _ = _read(dialect.entrance, replace(request.incoming), place)
    _tells_nothing(said)
    if accepted is None:
        _require(repeated is None, "the same bytes are refused once and taken once")
        return "refused"
    assert repeated is not None
    _require(
        _identities(accepted) == _identities(repeated), "the same bytes are another event the second time"
    )
    hidden = CONTENT.encode() if _JOINED.search(request.incoming.body) is None else SECRET.encode()
    for event in accepted.events:
        _good(event, hidden)
    for outcome in accepted.outcomes:
        raw = encode_outcome(outcome)
        check_outcome_rules(read_outcome(raw))
        _require(hidden not in raw, "an outcome holds what people wrote")
    if request.known:
        _no_more_than_sent(accepted, request)
        _costs_as_stated(accepted.events, request)
    return "taken" if accepted.count else "nothing"


@contextmanager
def bounded(seconds: float = SECONDS_MAX) -> Iterator[None]:
    """What is inside takes no more processor time. BrokenRule where it does."""

    def over(*_: object) -> None:
        raise TookTooLong(f"took more than {seconds} s of processor time")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def submission_at(place: int, entrance: Entrance) -> Submission:
    asked = submission(by=CREDENTIALS[place % len(CREDENTIALS)], keeps_late=entrance.keeps_late)
    months = {(tenant, date(2026, 11, 1)): b"s" * 32 for tenant in ("acme", "globex")}
    meters = {"acme": NumberedMeters(number=1, meters=_METERS)}
    dimensions = {"acme": ("costcenter", "own")} if place % 3 == 0 else {}
    snapshot = replace(asked.snapshot, pseudonym_keys=months, meters=meters, dimensions=dimensions)
    return replace(asked, snapshot=snapshot)


def _read(entrance: Entrance, incoming: Incoming, place: int) -> tuple[AcceptedEvents | None, str]:
    """What was taken (None = it was refused), and all that is said of it to its sender, in metrics and logs."""
    asked = submission_at(place, entrance)
    try:
        accepted = entrance.read(incoming, asked)
    except RequestRefused as refused:
        response = entrance.refuse(incoming.url, incoming.media_type, refused)
        return (
            None,
            f"{refused} {refused.detail} {refused.errors} {bytes(response.body)!r} {response.headers}",
        )
    response = entrance.answer(incoming, accepted)
    answer = (
        "" if wants_receipts(incoming.headers) or isinstance(accepted, LagoAccepted) else bytes(response.body)
    )
    said = (accepted.refused, accepted.skipped, accepted.noted, accepted.dropped, answer, response.headers)
    return accepted, repr(said)


def _tells_nothing(said: str) -> None:
    for secret in (SECRET, CONTENT):
        if (at := said.find(secret)) >= 0:
            raise BrokenRule(f"what is said of it repeats a value: ...{said[max(0, at - 160) : at + 60]}...")


def _identities(accepted: AcceptedEvents) -> Any:
    usage = [(event.tenant, event.source, event.id, content_hash(event)) for event in accepted.events]
    outcomes = [(event.identity, outcome_hash(event)) for event in accepted.outcomes]
    return (
        usage,
        outcomes,
        accepted.refused,
        dict(accepted.skipped),
        dict(accepted.noted),
        list(accepted.dropped),
    )


def _good(event: UsageEvent, hidden: bytes) -> None:
    """As rating will find it on the topic; `hidden` is nowhere in it."""
    raw = encode_event(event)
    check_rules(read_event(raw), plain=False)
    _require(hidden not in raw, "an event holds what people wrote")
    for unit, quantity in event.data.usage.items():
        number = Decimal(quantity)
        _require(number.is_finite() and 0 <= number < 2**63, f"{unit} is no quantity")


def _no_more_than_sent(accepted: AcceptedEvents, request: FuzzedRequest) -> None:
    assumed = any(event.data.normalised == "assumed" for event in accepted.events)
    counted = [each for each in request.numbers if assumed or not _INSIDE.search(each[0])]
    sent = sum(_whole(number) for name, number in counted if not _NO_COUNT.search(name))
    tokens = 0
    for event in accepted.events:
        tokens += sum(int(of) for unit, of in event.data.usage.items() if unit.endswith("_tokens"))
        if event.data.estimated:
            sent += len(request.incoming.body)  # a text of so many bytes has no more tokens
    _require(tokens <= sent, f"{tokens} tokens of {sent} that were sent")


def _whole(number: str) -> int:
    value = Decimal(number) if len(number) < 100 else Decimal(0)
    return int(value) if 0 < value < 2**63 else 0


def _costs_as_stated(events: Any, request: FuzzedRequest) -> None:
    costs = [Decimal(event.data.reported_cost.amount) for event in events if event.data.reported_cost]
    if not costs:
        return
    sent = [number for _, text in request.numbers if abs((number := Decimal(text)).adjusted()) < 400]
    stated = [number * scale for number in sent for scale in _SCALES]
    for cost in costs:
        near = any(abs(cost - each) <= max(Decimal("1e-12"), abs(each) * Decimal("1e-14")) for each in stated)
        _require(near, f"a cost of {cost} that nobody stated")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise BrokenRule(rule)
