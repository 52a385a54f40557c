"""What a body holds, as JSON objects: one, a list, lines, or the transcript of a stream. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Raw

from services.ingest.dialects.providers.answer import elements
from services.ingest.refused import too_large
from spendmeter.contracts.dialect_parts import DialectError

DONE = b"[DONE]"
"""What OpenAI's streams end with, which is no JSON."""
LINES = ("application/jsonl", "application/jsonlines", "application/ndjson", "application/x-ndjson")
EVENTS = "text/event-stream"
LINES_MAX = 10_000
"""Rows of the result of a batch; a larger one is sent in parts."""
EVENTS_MAX = 100_000
"""Of the transcript of a stream: one for each token of the longest answers."""
EVENT_LINES_MAX = 1_000
_TRANSCRIPT_LINES_MAX = 5 * EVENTS_MAX
_LINE = re.compile(rb"[^\r\n]+")
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""What opens and closes in JSON; a text is one mark, also where it was cut off."""
_MARKS_MAX = 1_000_000
_BRACE = ord("}")


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
        yield from _bounded(_rows(body), LINES_MAX, "lines")
    elif body.lstrip()[:1] == b"[":
        yield from _elements(body)
    else:
        yield SentObject(body, 0)


def _elements(body: bytes) -> Iterator[SentObject]:
    """Those of a list, as Gemini streams where nobody asks for events. Of one that never closes those that
    are whole, and what is left of the next."""
    try:
        whole, rest = elements(body), None
    except DialectError:
        if (end := _end_of_whole(body)) == 0:
            raise
        whole, rest = elements(body[:end] + b"]"), body[end:]
    yield from (SentObject(raw, place) for place, raw in enumerate(whole))
    if rest is not None:
        yield SentObject(rest.lstrip(b", \t\r\n"), len(whole), cut=True)


def _end_of_whole(body: bytes) -> int:
    """Where the last whole object ends of a list that was cut off; 0 = it has none, or it was not cut off, or
    it is too long to be looked through."""
    depth = end = 0
    for number, mark in enumerate(_MARKS.finditer(body)):
        if number == _MARKS_MAX:
            return 0
        sign = body[mark.start()]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
            if depth == 1 and sign == _BRACE:
                end = mark.end()
            elif depth == 0:
                return 0
    return end


def _rows(body: bytes) -> Iterator[SentObject]:
    place = end = 0
    for found in _LINE.finditer(body):
        place += body.count(b"\n", end, found.start())
        end = found.start()
        if found[0].strip():
            yield SentObject(found[0], place)


def _events(body: bytes) -> Iterator[SentObject]:
    """The data of server-sent events, as the standard has them: the lines up to an empty one belong together.
    One that no empty line ends was cut off, perhaps in its middle."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    data: list[bytes] = []
    end = 0
    for number, found in enumerate(_LINE.finditer(body)):
        if number == _TRANSCRIPT_LINES_MAX:
            raise too_large(f"a transcript may have at most {_TRANSCRIPT_LINES_MAX} lines")
        if data and _is_empty_line(body[end : found.start()]):
            yield SentObject(b"\n".join(data), 0)
            data = []
        if found[0].startswith(b"data:"):
            data.append(found[0][5:].removeprefix(b" "))
            if len(data) > EVENT_LINES_MAX:
                raise DialectError(f"an event may have at most {EVENT_LINES_MAX} lines")
        end = found.end()
    if data:
        yield SentObject(b"\n".join(data), 0, cut=not _is_empty_line(body[end:]))


def _is_empty_line(between: bytes) -> bool:
    """Whether what stands between two lines is more than the end of the first."""
    return between not in (b"\r\n", b"\n", b"\r", b"")


def _bounded(found: Iterator[SentObject], most: int, what: str) -> Iterator[SentObject]:
    for number, each in enumerate(found):
        if number == most:
            raise too_large(f"a request may have at most {most} {what}; send it in parts")
        yield each
