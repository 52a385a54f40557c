"""When something last worked: what a ready check asks, for "it worked once" says nothing of now."""

import time
from collections.abc import Callable


class Heartbeat:
    """`beat()` whenever `what` has happened; `trouble()` once that is longer ago than `age_s_max`.

    `what` reads as a sentence that was true at the last beat: "Postgres has taken a booking".
    """

    def __init__(self, what: str, age_s_max: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._age_s_max = age_s_max
        self._clock = clock
        self._since = clock()
        self._beaten = False
        self.reason = ""
        """What was last seen to be in its way; '' = nothing, or not known."""

    def beat(self) -> None:
        """It has just happened."""
        self._since = self._clock()
        self._beaten = True
        self.reason = ""

    def missed(self, error: BaseException) -> None:
        """It was tried and failed."""
        self.reason = type(error).__name__

    def trouble(self) -> str:
        """Why it counts as broken, with the age and the bound; '' = it works."""
        age_s = self._clock() - self._since
        why = f" ({self.reason})" if self.reason else ""
        if not self._beaten:
            return f"waiting for the first time that {self._what}, for {age_s:.0f} s{why}"
        if age_s <= self._age_s_max:
            return ""
        return (
            f"{self._what} {age_s:.0f} s ago, and not since: "
            f"more than {self._age_s_max:g} s counts as broken{why}"
        )
