"""What a stream has said so far, gathered from its chunks. Pure.

What it sent to the reader is measured by its length in UTF-8, and dropped: from that the server estimates
what a stream used that broke off, or never said what it used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spendmeter_client.answers import USAGE, fields_of, listed, of, skeleton

INNER = ("response", "message", "chunk", "data", "delta", "metadata", "messageStop")
"""Where a chunk has what an answer has: OpenAI's responses, Anthropic, Mistral, Cohere, Bedrock."""
REPEATS = frozenset({"text", "thinking", "input_json", "citation", "signature", "message_stop"})
"""Types of the events that Anthropic's SDK makes of others: their text was sent before."""
ENDS = frozenset(
    {
        "message_stop",
        "message-end",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.done",
    }
)
"""Types of the events after which nothing more is used."""
MESSAGE = "message"
"""The type of Anthropic's answers, by which they are known where others answer as well."""
REASONS = ("finish_reason", "finishReason", "stop_reason", "stopReason")
TEXTS = (
    "content", "text", "thinking", "partial_json", "reasoning_content", "reasoning", "refusal", "arguments",
)  # fmt: skip
"""What a chunk has for the reader."""
WAYS = (
    "choices", "delta", "message", "candidates", "content", "parts", "tool_calls", "function", "data",
    "contentBlockDelta",
)  # fmt: skip
"""Where that lies."""
DEPTH_MAX = 8


class Seen:
    """Of each field the last, of usage each count's last."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}
        self._finished = False
        self.pieces = self.bytes = 0
        """Chunks with something for the reader, and its length."""
        self.unread = ""
        """Of what kind the last trouble was with a chunk that could not be read; '' = all could."""

    @property
    def complete(self) -> bool:
        """Whether the vendor has said all that it will say of usage."""
        return self._finished and self.has_usage

    @property
    def has_usage(self) -> bool:
        return any(name in self._said for name in USAGE)

    def add(self, chunk: Any) -> None:
        """One chunk or event more."""
        fields = fields_of(chunk)
        kind = fields.get("type")
        inner = (fields_of(part) for name in INNER if not _is_plain(part := fields.get(name)))
        for part in (fields, *inner):
            self._add(skeleton(part))
            self._finished = self._finished or kind in ENDS or _is_finished(part)
        if size := _size(fields, kind):
            self.pieces += 1
            self.bytes += size

    def answer(self) -> dict[str, Any]:
        """As one answer."""
        return dict(self._said)

    def left_open(self, left: bool) -> dict[str, Any]:
        """What tells the server that it used more than it said. `left`: left before its end."""
        if self.complete or (self.has_usage and not left):
            return {}
        return {"interrupted": True, "sent_pieces": self.pieces, "sent_bytes": self.bytes}

    def _add(self, said: dict[str, Any]) -> None:
        if said.get("type") != MESSAGE:
            said.pop("type", None)  # the event's
        for name in USAGE:
            before, now = self._said.get(name), said.get(name)
            if isinstance(before, dict) and isinstance(now, dict):
                said[name] = before | now
        self._said |= said


def _is_finished(chunk: Mapping[str, Any]) -> bool:
    parts = (chunk, *listed(chunk.get("choices")), *listed(chunk.get("candidates")))
    return any(of(part, name) for part in parts if not _is_plain(part) for name in REASONS)


def _is_plain(said: Any) -> bool:
    """Whether it has no fields."""
    return said is None or isinstance(said, (str, bytes, int, float, list, tuple))


def _size(chunk: Mapping[str, Any], kind: Any) -> int:
    """Bytes for the reader. Of events with dots in their type only the deltas: the others repeat them."""
    if kind in REPEATS:
        return 0
    if isinstance(kind, str) and "." in kind:
        delta = chunk.get("delta")
        return len(delta.encode("utf-8", "replace")) if isinstance(delta, str) else 0
    return sum(len(text.encode("utf-8", "replace")) for text in _texts(chunk, DEPTH_MAX))


def _texts(said: Mapping[str, Any], depth: int) -> Iterable[str]:
    for name in TEXTS:
        if isinstance(text := said.get(name), str):
            yield text
    for name in WAYS if depth else ():
        inner = said.get(name)
        for each in inner if isinstance(inner, (list, tuple)) else (inner,):
            if not _is_plain(each):
                yield from _texts(fields_of(each), depth - 1)
