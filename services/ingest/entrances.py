"""Entrances: under which path what may come, how it is read, and how it is answered.

One `Entrance` is all that tells one format from another; who sends, how much, publishing and counting are the
same for all of them (`app.py`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.responses import Response

from services.ingest.accept import EVENTS_MAX, AcceptedEvents, Submission, accept_translated
from services.ingest.body import BOUNDS, BodyBounds
from services.ingest.dialects.translated import Translated
from services.ingest.refused import BadEvent, RequestRefused, bad_request
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX, LABELS
from spendmeter.contracts.known_fields import join_names
from spendmeter.contracts.visible import INVISIBLE
from spendmeter.platform.problem import problem

DROPPED = "Spendmeter-Dropped"
"""The header of an answer that names the fields of which nothing was kept."""
LABELS_HEADER = "spendmeter-labels"
QUERY_LABEL = "label."


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """One request, read and unpacked."""

    body: bytes
    media_type: str
    """In small letters, without parameters."""
    headers: Mapping[str, str]
    query: Mapping[str, str]
    path: Mapping[str, str]
    """What stands in the variable parts of the path, by their names."""
    url: str
    """The path as it was asked for."""
    now: datetime
    maps: RequestMaps = field(default_factory=RequestMaps)
    """Whose each item is, and what that tenant has set about attributes that others send."""


Translate = Callable[[Incoming], Translated]
Reading = Callable[[Incoming, Submission], AcceptedEvents]


def answer_empty(_incoming: Incoming, accepted: AcceptedEvents) -> Response:
    """204: the log holds every event."""
    return Response(status_code=204, headers=dropped_header(accepted))


def refuse_with_problem(url: str, _media_type: str, refused: RequestRefused) -> Response:
    """A problem document that names everything bad."""
    more: dict[str, Any] = {"errors": refused.errors} if refused.errors else {}
    return problem(
        refused.status, refused.status.phrase, refused.detail, instance=url, headers=refused.headers, **more
    )


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What may be posted to one path, and what becomes of it."""

    path: str
    name: str
    """As metrics and the operation's id have it."""
    read: Reading
    media_types: Collection[str] = ("application/json",)
    bounds: BodyBounds = BOUNDS
    answer: Callable[[Incoming, AcceptedEvents], Response] = answer_empty
    refuse: Callable[[str, str, RequestRefused], Response] = refuse_with_problem
    """From the path as asked for, the media type of the request ('' = none that was read) and why."""
    keeps_late: bool = False
    """Whether an event whose time cannot be right is taken at the time of its receipt; else it is refused."""
    openapi: Mapping[str, Any] = field(default_factory=dict)


def translated(translate: Translate, *, partly: bool = False, events_max: int = EVENTS_MAX) -> Reading:
    """A reading through a translation. `partly`: bad events are named beside good ones that are taken; else
    one bad event refuses the request."""

    def read(incoming: Incoming, submission: Submission) -> AcceptedEvents:
        return accept_translated(translate(incoming), submission, partly=partly, events_max=events_max)

    return read


def stated_labels(incoming: Incoming) -> dict[str, str]:
    """What the request says of whose all its events are, beside its body: `?label.team=search`, or the header
    `Spendmeter-Labels: team=search,feature=x`; the query wins. Raises RequestRefused 400 for what no label
    can be: else it would refuse each event, and by a field that the sender did not write."""
    labels, unfit = labels_that_fit(incoming)
    if unfit:
        raise bad_request("what is said of all events cannot be", unfit)
    return labels


def labels_that_fit(incoming: Incoming) -> tuple[dict[str, str], list[BadEvent]]:
    """The same for senders who drop what is refused, and never mend it: the labels that can be, and what of
    the others is wrong."""
    labels: dict[str, str] = {}
    unfit: list[BadEvent] = []
    for at, name, value in _pairs(incoming):
        if broken := _broken_rule(value):
            labels.pop(name, None)
            unfit.append(BadEvent(index=None, field=at, reason=broken))
        else:
            labels[name] = value or ""
    return {name: value for name, value in labels.items() if value}, unfit


def _pairs(incoming: Incoming) -> Iterator[tuple[str, str, str | None]]:
    """Where it is said, the label, and its value; None = it has none."""
    for pair in filter(None, (part.strip() for part in incoming.headers.get(LABELS_HEADER, "").split(","))):
        name, equals, value = pair.partition("=")
        yield "header Spendmeter-Labels", name.strip(), value.strip() if equals else None
    for name, value in incoming.query.items():
        if name.startswith(QUERY_LABEL):
            label = name.removeprefix(QUERY_LABEL)
            yield f"query {QUERY_LABEL}{label if label in LABELS else '*'}", label, value


def _broken_rule(value: str | None) -> str:
    """What a label's value breaks; '' = nothing."""
    if value is None:
        return "is a list of name=value, separated by commas"
    if len(value) > LABEL_CHARACTERS_MAX:
        return f"a label has at most {LABEL_CHARACTERS_MAX} characters"
    return "a label has a character that cannot be seen" if INVISIBLE.search(value) else ""


def dropped_header(accepted: AcceptedEvents) -> dict[str, str]:
    """The header that names what was dropped; none where nothing was."""
    return {DROPPED: join_names(accepted.dropped)} if accepted.dropped else {}
