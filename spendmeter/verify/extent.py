"""What of one partition is to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Extent:
    """From the first offset that is still there to where the log ended when we came."""

    partition: int
    start: int
    """The first offset that the broker still has of the topic that the book was made from."""
    passed: int
    """The first offset that the book has not passed."""
    end: int
    """Where the log ended when we came, or `passed`, if that is later."""
    position: Mapping[str, Any] | None
    """The book's row of the partition."""

    @property
    def records(self) -> int:
        return self.end - min(self.start, self.end)
