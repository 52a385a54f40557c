"""Finding causes in a process of its own, which is bounded: looking at combinations takes a second of a
processor, which no alert need wait for.

`python -m services.alerts.cause.finding` answers one request from its standard input.
"""

import asyncio
import sys
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from services.alerts.cause.leaves import Leaf
from services.alerts.cause.search import ExcessCause, find_causes
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, run_module

FIND_S_MAX = 2.0
"""From the question to the answer; it takes about a quarter to start Python."""
WAIT_S_MAX = 4.0
"""Where several are asked at once: for a place, before that."""
AT_ONCE_MAX = 2
BOUNDS = ProcessBounds(seconds_max=FIND_S_MAX, memory_bytes_max=512 * 2**20, output_bytes_max=2**20)
IN_PLACE_LEAVES_MAX = 200
"""Of how many the best single value is found here, when the process did not answer: some milliseconds."""


class CauseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `find_causes` is asked."""

    leaves: Sequence[Leaf]
    dimensions: Sequence[str]
    """Of their values, the most telling first."""
    depth_max: int = 2
    causes_max: int = 3


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(CauseRequest).decode
_decode_causes = msgspec.msgpack.Decoder(list[ExcessCause]).decode


class CauseFinder:
    """Of one worker: `AT_ONCE_MAX` processes at once."""

    def __init__(self, bounds: ProcessBounds = BOUNDS) -> None:
        self._bounds = bounds
        self._places = asyncio.Semaphore(AT_ONCE_MAX)

    async def find(self, request: CauseRequest) -> list[ExcessCause]:
        """What rose, and explains the excess; where the process passed a bound the best single value of the
        leaves with the largest excess, not narrowed."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await self._places.acquire()
        except TimeoutError:
            return at_once(request)
        try:
            return _decode_causes(await run_module(__name__, stdin=_encode(request), bounds=self._bounds))
        except BoundError:
            return at_once(request)
        finally:
            self._places.release()


def at_once(request: CauseRequest) -> list[ExcessCause]:
    """The best single value, in a bounded number of steps."""
    largest = sorted(request.leaves, key=attrgetter("excess"), reverse=True)[:IN_PLACE_LEAVES_MAX]
    return find_causes(largest, request.dimensions, causes_max=1, steps_max=0, falls=False)


def answer(encoded: bytes) -> bytes:
    """Causes of an encoded request, encoded."""
    request = _decode_request(encoded)
    return _encode(
        find_causes(
            request.leaves, request.dimensions,
            depth_max=request.depth_max, causes_max=request.causes_max, falls=False,
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))
