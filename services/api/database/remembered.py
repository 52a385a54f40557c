"""What was added up of whole days, stretch by stretch, kept until something of these days changes. Pure."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any

WEEKS_MAX = 2_000
ROWS_MAX = 200_000
"""Of all of them together; beyond either, what was asked for longest ago is forgotten."""


class BookedDays:
    """One process's. A key says whose days, which, in which generation (`spendmeter/book/reading.py`), and
    what is asked of them."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Sequence[Any]] = OrderedDict()
        self._rows = 0

    @property
    def size(self) -> int:
        """Rows that are kept."""
        return self._rows

    def get(self, key: Hashable) -> Sequence[Any] | None:
        """The rows as they were read; None = not kept."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def keep(self, key: Hashable, rows: Sequence[Any]) -> None:
        """Until others need the room."""
        if len(rows) > ROWS_MAX or key in self._found:
            return
        self._found[key] = rows
        self._rows += len(rows)
        while len(self._found) > WEEKS_MAX or self._rows > ROWS_MAX:
            self._rows -= len(self._found.popitem(last=False)[1])
