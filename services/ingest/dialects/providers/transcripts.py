"""What a body holds, as JSON objects: one, a list, lines, or the transcript of a stream. Pure."""

import re
from collections.abc import Iterator

from msgspec import Raw

from services.ingest.dialects.providers.answer import elements

DONE = b"[DONE]"
"""What OpenAI's streams end with, which is no JSON."""
LINES = ("application/jsonl", "application/x-ndjson", "application/x-jsonl")
EVENTS = "text/event-stream"
_LINE_END = re.compile(rb"\r\n|\n|\r")


def objects(body: bytes, media_type: str) -> Iterator[tuple[int, bytes | Raw]]:
    """Each object, and its place: of lines and events the number of the line, from 0. Raises DialectError."""
    if media_type == EVENTS:
        yield from _events(body)
    elif media_type in LINES:
        yield from ((number, line) for number, line in enumerate(body.split(b"\n")) if line.strip())
    elif body.lstrip()[:1] == b"[":
        yield from enumerate(elements(body))
    else:
        yield 0, body


def _events(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The data of server-sent events, as the standard has them: lines of one event belong together."""
    data: list[bytes] = []
    began = 0
    for number, line in enumerate(_LINE_END.split(body.removeprefix(b"\xef\xbb\xbf"))):
        if line.startswith(b"data:"):
            began = number if not data else began
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield began, b"\n".join(data)
            data = []
    if data:  # cut off before the empty line: what came whole still counts
        yield began, b"\n".join(data)
