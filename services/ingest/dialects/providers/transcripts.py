"""What a body holds, as JSON objects: one, a list, lines, or the transcript of a stream. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Raw

from services.ingest.dialects.providers.answer import elements
from services.ingest.refused import too_large

DONE = b"[DONE]"
"""What OpenAI's streams end with, which is no JSON."""
LINES = ("application/jsonl", "application/jsonlines", "application/ndjson", "application/x-ndjson")
EVENTS = "text/event-stream"
LINES_MAX = 10_000
"""Rows of the result of a batch; a larger one is sent in parts."""
EVENTS_MAX = 100_000
"""Of the transcript of a stream: one for each token of the longest answers."""
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r|$)")


class SentObject(NamedTuple):
    """One object, in the bytes that it came in."""

    raw: bytes | Raw
    place: int
    """Of a line its number, from 0."""
    cut: bool = False
    """Whether the body ended before it was said to be whole."""


def objects(body: bytes, media_type: str) -> Iterator[SentObject]:
    """Each object, as it is asked for. Raises DialectError where the body is no list, RequestRefused
    413 where it has too many."""
    if media_type == EVENTS:
        yield from _bounded(_events(body), EVENTS_MAX, "events")
    elif media_type in LINES:
        rows = (SentObject(line, place) for place, line in _lines(body) if line.strip())
        yield from _bounded(rows, LINES_MAX, "lines")
    elif body.lstrip()[:1] == b"[":
        yield from (SentObject(raw, place) for place, raw in enumerate(elements(body)))
    else:
        yield SentObject(body, 0)


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    for place, found in enumerate(_LINE.finditer(body)):
        if found[0]:  # else it is what is left behind the last line: nothing
            yield place, found[1]


def _events(body: bytes) -> Iterator[SentObject]:
    """The data of server-sent events, as the standard has them: lines of one event belong together. One that
    no empty line ends was cut off, perhaps in its middle."""
    data: list[bytes] = []
    for place, line in _lines(body.removeprefix(b"\xef\xbb\xbf")):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield SentObject(b"\n".join(data), place)
            data = []
    if data:
        yield SentObject(b"\n".join(data), 0, cut=True)


def _bounded(found: Iterator[SentObject], most: int, what: str) -> Iterator[SentObject]:
    for number, each in enumerate(found):
        if number == most:
            raise too_large(f"a request may have at most {most} {what}; send it in parts")
        yield each
