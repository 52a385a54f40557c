"""In which minutes a pass has entries, and how many: read for many chunks at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "rerates.sql")

MINUTES_MAX = 1_440
"""Read at once: a busy tenant's rollups of so many take longer than its chunk of entries."""
LONGEST = timedelta(hours=1)


class NamedTime(NamedTuple):
    """A minute, or where minutes are dropped an hour, and how many events the rollups name in it."""

    start: datetime
    end: datetime
    events: int


Minutes = Sequence[NamedTime]
"""In order. What comes late into an hour is named by its minute, too."""


@dataclass(kw_only=True)
class MinutePlan:
    """`await since(...)`. Entries are read anew with each chunk; what is booked meanwhile into a minute that
    had nothing when it was read is seen to as what comes late."""

    _minutes: Minutes = ()
    _begins: datetime | None = None
    """From here on it has all of them, up to its last."""

    async def since(
        self, connection: Any, minute: datetime, *, tenant: str, until: datetime, series: list[bytes] | None,
        unknown_alone: bool,
    ) -> Minutes:  # fmt: skip
        """From `minute` on, some of them: none where there are no more before `until`. Of these series (None
        = all); `unknown_alone`: those with events that are provisional or unpriced."""
        if self._begins is None or not (self._begins <= minute and self._rest(minute)):
            rows = await connection.fetch(
                SQL["minutes"], tenant, minute, until, series, unknown_alone, MINUTES_MAX
            )
            self._minutes, self._begins = [NamedTime(*row) for row in rows], minute
        return self._rest(minute)

    def _rest(self, minute: datetime) -> Minutes:
        place = bisect_left(self._minutes, minute - LONGEST, key=lambda named: named.start)
        return [named for named in self._minutes[place:] if named.end > minute]
