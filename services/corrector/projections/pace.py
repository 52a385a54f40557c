"""When what was booked is worth folding. Pure.

What many events have in common is one row, written once a batch: so where much comes, a batch is waited for.
Where little comes there is nothing to be won, and it is folded at once. While events wait to be booked the
processors are theirs, for a while.
"""

from __future__ import annotations

from dataclasses import dataclass

MUCH = 500
"""Offsets from one look to the next."""
WAIT_S_MAX = 10.0
"""What is booked is folded so much later at most, and a look and a batch after that."""
TO_BOOK = 5_000
"""Events that wait to be booked: more than lie between two looks where the ledgers keep up."""
YIELD_S_MAX = 60.0
"""So much later at most where they do not."""


@dataclass(kw_only=True)
class Pace:
    """Asked at every look, a second after the one before."""

    full: int
    """Offsets of a whole batch."""
    _seen: int = 0
    """How many were behind at the last look, and not folded then."""
    _since: float | None = None
    """Since when something is behind."""

    def is_due(self, behind: int, now: float, *, to_book: int = 0) -> bool:
        """Whether to fold what is behind now, in offsets, while `to_book` events wait to be booked."""
        came = behind - self._seen
        since = now if self._since is None else self._since
        waited_s = now - since
        fills = came >= MUCH and behind < self.full and waited_s < WAIT_S_MAX
        waits = fills or (to_book >= TO_BOOK and waited_s < YIELD_S_MAX)
        self._seen, self._since = (behind, since) if waits else (0, None)
        return behind > 0 and not waits
