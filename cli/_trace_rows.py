"""The rows of a file of calls: two published formats of traces, read as they are. Pure but for the file.

Azure's traces (CSV) have a time and two counts. Mooncake's (JSONL) also have the hashes of a prompt's blocks:
the blocks that earlier prompts began with are read from a cache.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AZURE = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
MOONCAKE = ("timestamp", "input_length", "output_length", "hash_ids")
BLOCK_TOKENS = 512
"""Of a prompt, for each of its hashes; the last one may be of fewer."""
CELL_CHARACTERS_MAX = 131_072
"""What is longer is no cell of a trace: a quotation mark that nothing closes. One bound a process."""


class BadTrace(Exception):
    """The file is not what can be read."""


@dataclass(frozen=True, kw_only=True)
class SampleRow:
    """One call: `line` counts from 1, the heading included."""

    line: int
    usage: dict[str, Any]
    at: datetime | None = None
    """Without a date there is none."""
    offset_s: float | None = None
    """Since some beginning that all rows of the file share."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What else it says of the event (id, source), and of its data."""


@dataclass(frozen=True, kw_only=True)
class BadSample:
    """One that is no call, and why not."""

    line: int
    reason: str


def trace_rows(file: Path) -> Iterator[SampleRow | BadSample]:
    """The rows of a trace of either format. Raises BadTrace."""
    with text_of(file) as opened:
        first = opened.readline()
        opened.seek(0)
        if _is_mooncake(first):
            yield from mooncake_rows(opened)
        else:
            yield from _azure_rows(file, opened)


@contextmanager
def text_of(file: Path) -> Iterator[Any]:
    """Raises BadTrace where it turns out to be no text, or no CSV."""
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            yield opened
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTrace(f"{file} is no CSV file: {error}") from None


def mooncake_rows(lines: Iterable[str]) -> Iterator[SampleRow | BadSample]:
    """Blocks are chained: one that was seen is read from the cache where all before it are."""
    seen: set[int] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        at, given, answered, blocks = _mooncake(line)
        if blocks is None:
            yield BadSample(line=number, reason=f"is no object with {', '.join(MOONCAKE)}")
            continue
        known = next((place for place, block in enumerate(blocks) if block not in seen), len(blocks))
        seen.update(blocks)
        cached = min(known * BLOCK_TOKENS, given)
        usage = {"input_tokens": given - cached, "cache_read_tokens": cached, "output_tokens": answered}
        if not cached:
            del usage["cache_read_tokens"]
        yield SampleRow(line=number, usage=usage, offset_s=at / 1000)


def _is_mooncake(first: str) -> bool:
    return first.lstrip().startswith("{") and _mooncake(first)[3] is not None


def _mooncake(line: str) -> tuple[int, int, int, list[int] | None]:
    """Milliseconds, tokens in and out, hashes; None = it is no such row."""
    try:
        said = json.loads(line)
        at, given, answered, blocks = (said[name] for name in MOONCAKE)
    except (ValueError, TypeError, KeyError):
        return 0, 0, 0, None
    counts = [at, given, answered, *(blocks if isinstance(blocks, list) else [None])]
    good = all(type(count) is int and count >= 0 for count in counts)
    return (at, given, answered, blocks) if good else (0, 0, 0, None)


def _azure_rows(file: Path, opened: Iterable[str]) -> Iterator[SampleRow | BadSample]:
    reader = csv.reader(opened)
    if (heading := next(reader, [])) != AZURE:
        raise BadTrace(
            f"{file} has the columns {heading}; replay reads {AZURE}, Mooncake's traces, or what --map says"
        )
    for cells in reader:
        if not cells:
            continue  # a blank line, as at the end
        line, at = reader.line_num, _instant(cells[0])
        if len(cells) != len(AZURE) or not all(map(_is_count, cells[1:])) or at is None:
            yield BadSample(line=line, reason=f"{cells} is not a time and two counts")
            continue
        usage = {"input_tokens": int(cells[1]), "output_tokens": int(cells[2])}
        yield SampleRow(line=line, usage=usage, at=at, offset_s=at.timestamp())


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal()
