"""Learning, in a process of its own: an hour of a large tenant takes a second, which no alert need wait for.

`python -m services.alerts.learning` answers requests from its standard input until that ends.
"""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.expectations import Learned, learn
from services.alerts.bursts.minutes import tallies_in
from services.alerts.bursts.seasons import Season, in_season
from services.alerts.scopes import Tally
from spendmeter.contracts.money import ZERO, divided, total
from spendmeter.contracts.series import Series

_HEAD_BYTES = 4
END_S_MAX = 2.0
LEARN_S_MAX = 60.0


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """An anomaly's scope, and its minutes: what it spent in them over what was usual teaches nothing."""

    scope: Mapping[str, str]
    first: datetime
    last: datetime
    usual: Decimal = ZERO
    """In a minute."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be learned from: minutes with spend, folded, oldest first."""

    minutes: list[tuple[datetime, str]]
    explained: list[Explained]
    first_seen: datetime | None
    now: datetime
    season: Season | None = None
    """What is usual at this hour; None = nobody asked."""


_encode = msgspec.msgpack.Encoder().encode
_decode_history = msgspec.msgpack.Decoder(History).decode
_decode_learned = msgspec.msgpack.Decoder(Learned).decode


def learned_from(history: History) -> Learned:
    """Expectations of every scope, without what anomalies explain."""
    minutes = {}
    for minute, folded in history.minutes:
        minutes[minute] = tallies_in(folded)
        for each in history.explained:
            if each.first <= minute <= each.last:
                minutes[minute] = _without(each, minutes[minute])
    season = history.season
    if season is None:
        return learn(minutes, history.now, history.first_seen)
    of_old = {(each.dimension, each.value) for each in season.scopes}
    learned = learn(minutes, history.now, history.first_seen, of_old)
    return in_season(learned, season, minutes, history.now)


def _without(explained: Explained, rows: Sequence[tuple[Series, Tally]]) -> list[tuple[Series, Tally]]:
    """A minute's rows, those of the anomaly made smaller until they come to what was usual.

    Its parents and siblings learn from the rest, and it does not look as if it had been switched off.
    """
    inside = {series for series, _ in rows if matches(series, explained.scope)}
    amount = total(tally.amount for series, tally in rows if series in inside)
    if amount <= explained.usual:
        return list(rows)
    share = divided(explained.usual, amount)
    return [
        (series, Tally(tally.amount * share, round(tally.events * share)) if series in inside else tally)
        for series, tally in rows
    ]


class Learner:
    """`async with Learner() as learner`; the process starts when it is needed, and anew after its death."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def learn(self, history: History) -> Learned:
        """What `learned_from` says. Raises OSError when the process died or does not answer."""
        async with self._turn:
            try:
                async with asyncio.timeout(LEARN_S_MAX):
                    return await self._ask(_encode(history))
            except (asyncio.IncompleteReadError, OSError) as error:
                await self._end()
                raise ConnectionError(f"the learning process is gone: {type(error).__name__}") from error
            except asyncio.CancelledError:
                await self._end()  # its answer would be taken for the next one's
                raise

    async def _ask(self, request: bytes) -> Learned:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(len(request).to_bytes(_HEAD_BYTES, "big") + request)
        await self._process.stdin.drain()
        size = int.from_bytes(await self._process.stdout.readexactly(_HEAD_BYTES), "big")
        return _decode_learned(await self._process.stdout.readexactly(size))

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S_MAX):
                    await process.wait()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end, as they do when whoever asks has died."""
    while head := requests.read(_HEAD_BYTES):
        history = _decode_history(requests.read(int.from_bytes(head, "big")))
        answer = _encode(learned_from(history))
        answers.write(len(answer).to_bytes(_HEAD_BYTES, "big") + answer)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asks
    serve(sys.stdin.buffer, sys.stdout.buffer)
