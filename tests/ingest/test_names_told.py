"""Names of fields that senders choose, at every entrance: told as a header, a log and a table can hold them; and a name
that stands twice. Pure."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
from starlette.responses import Response

from services.ingest.accept import AcceptedEvents, accept
from services.ingest.entrances import DROPPED, Incoming
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import encode_event
from tests.ingest.fuzz.dialects import FuzzedDialect, GoodRequest, fuzzed
from tests.ingest.fuzz.holds import submission_at
from tests.ingest.harness import event
from tests.ingest.test_accept import NOW, submission

NAMES = {
    "a line of its own": "a\r\nSet-Cookie: b",
    "a line behind a point": "a.\r\nb.c",
    "no character of a header": "\u2192",
    "nor before a point": "\u2192.a",
    "a NUL": "\0.a",
    "long": "n" * 9_000,
    "an address": "jo@example.com",
    "none": "",
}
TOLD = re.compile(r"[A-Za-z0-9_.?-]{1,96}")
WITH_AND_WITHOUT_OWN_DIMENSIONS = (0, 1)
IN_JSON = [dialect for dialect in fuzzed() if all(good.together != "protobuf" for good in dialect.good)]


def _with(name: str, value: Any) -> Any:
    """With a field of this name in every table but those in which a name is a unit."""
    if isinstance(value, dict):
        return {key: of if key == "usage" else _with(name, of) for key, of in value.items()} | {name: "x"}
    return [_with(name, each) for each in value] if isinstance(value, list) else value


def _incoming(dialect: FuzzedDialect, good: GoodRequest, name: str) -> Incoming:
    parts = [json.dumps(_with(name, each)) for each in good.objects]
    match good.together:
        case "array":
            body = f"[{','.join(parts)}]"
        case "lines":
            body = "".join(f"{each}\n" for each in parts)
        case "stream":
            body = "".join(f"data: {each}\n\n" for each in parts)
        case _:
            body = parts[0]
    return Incoming(
        body=body.encode(), media_type=good.media_type, headers=good.headers, query=good.query, path=good.path, url=dialect.entrance.path, now=NOW,
    )  # fmt: skip


def _answered(
    dialect: FuzzedDialect, incoming: Incoming, place: int
) -> tuple[AcceptedEvents | None, Response]:
    asked = submission_at(place, dialect.entrance)
    try:
        accepted = dialect.entrance.read(incoming, asked)
    except RequestRefused as refused:
        return None, dialect.entrance.refuse(incoming.url, incoming.media_type, refused)
    return accepted, dialect.entrance.answer(incoming, accepted)


@pytest.mark.parametrize("dialect", IN_JSON, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_field_is_told_so_that_it_breaks_no_header_and_no_row(
    dialect: FuzzedDialect, name: str
) -> None:
    """As it came it would be a header of its own, an answer that cannot be written, and, with its NUL, a row that
    Postgres refuses: which ends the process."""
    told: set[str] = set()
    for good, place in product(dialect.good, WITH_AND_WITHOUT_OWN_DIMENSIONS):
        accepted, response = _answered(dialect, _incoming(dialect, good, NAMES[name]), place)
        dropped = accepted.dropped if accepted else ()
        assert [each for each in dropped if not TOLD.fullmatch(each)] == []
        header = response.headers.get(DROPPED, "")
        assert header.isascii() and header.isprintable() and len(header) < 2_100
        told |= set(dropped)
    assert told or dialect.name not in ("own", "client")


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"id": "1"', '"id": "0", "id": "1"'),
        ('"input_tokens": 5', '"input_tokens": 9, "input_tokens": 5'),
        ('"team": "search"', '"team": "core", "team": "search"'),
        ('"specversion"', '"tenant": "globex", "tenant": "acme", "specversion"'),
    ],
)  # fmt: skip
def test_of_a_field_that_stands_twice_the_last_counts_and_leaves_alone(once: str, twice: str) -> None:
    """So nobody behind the door can read the event another way."""
    sent = json.dumps(event("1"))
    assert once in sent
    (left,) = accept(sent.replace(once, twice).encode(), "either", submission()).events
    (plain,) = accept(sent.encode(), "either", submission()).events
    assert encode_event(left) == encode_event(plain)
