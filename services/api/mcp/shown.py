"""What a model is shown of an answer: escaped, without addresses, and of bounded length. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

TEXT_MAX = 200
ANSWER_MAX = 40_000
ROWS_MAX = 100
_ADDRESSES = frozenset({"href", "next_cursor", "next_groups", "url", "link"})


class TooLong(Exception):
    """However few rows are shown, the answer is too long."""


def shown(answer: Any) -> str:
    """The answer as ASCII JSON of at most ANSWER_MAX characters. A list that is cut says how many it left
    off; a text that is cut ends with three dots. Raises TooLong."""
    rows = ROWS_MAX
    while rows:
        text = json.dumps(_bounded(answer, rows), ensure_ascii=True, separators=(",", ":"))
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("`", "\\u0060")
        if len(text) <= ANSWER_MAX:
            return text
        rows //= 2
    raise TooLong


def _bounded(value: Any, rows: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(name): _bounded(each, rows) for name, each in value.items() if name not in _ADDRESSES}
    if isinstance(value, Sequence):
        kept = [_bounded(each, rows) for each in value[:rows]]
        return [*kept, {"left_off": len(value) - rows}] if len(value) > rows else kept
    return value


def _text(text: str) -> str:
    """One line, so that nothing in it looks like a turn of a conversation, and no address to follow."""
    line = "".join(each if each.isprintable() else " " for each in text).replace("://", ": ")
    return line if len(line) <= TEXT_MAX else line[:TEXT_MAX] + "..."
