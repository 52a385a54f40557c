"""How far a check has come: written by the check, read by whoever shows it."""

import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """`stage` says what is being done; `done` of `total` counts records while they are read (0 = not yet)."""

    stage: str = "connecting"
    done: int = 0
    total: int = 0
    began: float = field(default_factory=time.monotonic)
    """When the records began to be counted, on the monotonic clock."""

    def start(self, stage: str, total: int = 0) -> None:
        """The next stage; with `total`, one whose records are counted."""
        self.stage, self.done, self.total, self.began = stage, 0, total, time.monotonic()
