"""Whether the book is the one that this process has read from before. Pure.

What api remembers of it (closed sums, the catalog, what was proved complete) is true of that one. After a
restore from a backup another one answers at the same address, and its counters may come by the same numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_END = "api ends, for what it remembers is of the other one, and is to be started again"


class BookReplaced(Exception):
    """This is another database, or an earlier state of it: the process is to end, and another to begin."""


@dataclass(kw_only=True)
class SameBook:
    """`observe` what the database says of itself, and the rows of accounting_by_partition(), look by look."""

    _database: tuple[Any, ...] | None = None
    _passed: dict[int, int] = field(default_factory=dict)
    """By partition, the offset up to which it was booked."""

    def observe(self, database: tuple[Any, ...], rows: Iterable[Mapping[str, Any]]) -> None:
        """Raises BookReplaced."""
        if self._database not in (None, database):
            raise BookReplaced(
                f"another database answers than before (restored, or a standby that took over): {_END}"
            )
        passed = {row["partition"]: row["next_origin"] for row in rows}
        for partition, offset in self._passed.items():
            if passed.get(partition, 0) < offset:
                raise BookReplaced(
                    f"the book went back: partition {partition} was booked up to offset {offset:,}, and "
                    f"is up to {passed.get(partition, 0):,} now: {_END}"
                )
        self._database, self._passed = database, passed
