"""What a model is shown of an answer: escaped, without addresses, and of bounded length. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TEXT_MAX = 200
ANSWER_MAX = 40_000
ROWS_MAX = 100
_UNSEEN = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters that no font shows, in which one that is shown can hide a text."""
_SLASHES = re.compile("/(?=/)")
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
        return _named((name, _bounded(each, rows)) for name, each in value.items() if name not in _ADDRESSES)
    if isinstance(value, Sequence):
        kept = [_bounded(each, rows) for each in value[:rows]]
        return [*kept, {"left_off": len(value) - rows}] if len(value) > rows else kept
    return value


def _named(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """By name as it is shown: of two that look alike then, the later one is numbered, and none is lost."""
    shown_as: dict[str, Any] = {}
    for name, value in values:
        text, number = _text(name), 1
        while text in shown_as:
            number += 1
            text = f"{_text(name)} ({number})"
        shown_as[text] = value
    return shown_as


def _text(text: str) -> str:
    """One line, so that nothing in it looks like a turn of a conversation, and no address to follow, nor one
    without a scheme, which a page takes for its own. What nobody sees is not there: a model would read it."""
    seen = "".join(" " if _is_hidden(each) else each for each in text)
    line = _SLASHES.sub("/ ", seen.replace("://", ": "))
    return line if len(line) <= TEXT_MAX else line[:TEXT_MAX] + "..."


def _is_hidden(letter: str) -> bool:
    """Controls and formats are not printable; selectors of a variant and fillers say that they are."""
    return not letter.isprintable() or _UNSEEN.match(letter) is not None
