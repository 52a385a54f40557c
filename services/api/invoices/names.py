"""What the book calls a model that a bill calls otherwise. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable

_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")
_BEFORE = re.compile(r"^(?:[a-z][a-z-]*\.)+")
"""Of "us.anthropic.claude-opus-4-6-v1:0" where it runs and whose it is."""
_AFTER = re.compile(r"-v\d+(?::\d+)?$")
_PARTS = re.compile(r"[a-z]+|\d+")

_Parts = tuple[tuple[str, ...], tuple[str, ...]]


class NamesThere:
    """Those of the book's models."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {*names}
        self._by_parts: dict[_Parts, list[str]] = defaultdict(list)
        for name in self._names:
            self._by_parts[_parts(name)].append(name)

    def as_booked(self, name: str) -> str:
        """The book's own; that of no date where it has this alone; or the one of the same words and
        numbers: AWS bills "claude4.6opus" for "anthropic.claude-opus-4-6-v1:0". Itself where there is none.
        """
        if name in self._names:
            return name
        if (undated := _DATED.sub("", name)) in self._names:
            return undated
        parts = _parts(name)
        alike = self._by_parts.get(parts, ()) if parts[0] else ()
        return alike[0] if len(alike) == 1 else name


def _parts(name: str) -> _Parts:
    """Words in any order, for vendors put the version before or behind, and numbers in theirs; 2.0 is 2."""
    core = _DATED.sub("", _AFTER.sub("", _BEFORE.sub("", name.lower())))
    found = _PARTS.findall(core)
    words = tuple(sorted(part for part in found if part.isalpha()))
    return words, tuple(part for part in found if part.isdigit() and part != "0")
