"""Replays minutes in a process of its own, at the lowest priority: a week of a large tenant takes minutes.

`python -m services.alerts.dry_runs.replaying` reads a request and then minutes from its standard input, each
after its size, until an empty one; and answers with what would have fired.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from services.alerts.dry_runs.bursts import BurstReplay
from services.alerts.dry_runs.fired import WouldHaveFired
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import IncidentSeverity

BUDGET_S = 180.0
"""Of its computing: a tenant whose minutes take longer learns more seldom."""
MEASURED_MINUTES = 30
LEARN_EVERY_MAX = 60
NICENESS = 15
_HEAD_BYTES = 4


class ReplayError(Exception):
    """The process that replays has died."""


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and over how many minutes it is to be replayed; those before `counted_from` only teach."""

    rule_id: str
    filter: Mapping[str, str]
    settings: Mapping[str, str | list[str]]
    severity: IncidentSeverity = "critical"
    currency: str
    counted_from: datetime
    minutes: int

    def rule(self) -> AlertRule:
        """As the detector takes it."""
        return AlertRule(
            id=self.rule_id, of="burst", name="", filter=self.filter, severity=self.severity, enabled=True,
            revision=0, changed=self.settings,
        )  # fmt: skip


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would have fired; what is usual was learned again every so many minutes."""

    fired: list[WouldHaveFired]
    learned_every: int


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(ReplayRequest).decode
_decode_minute = msgspec.msgpack.Decoder(tuple[datetime, str]).decode
_decode_answer = msgspec.msgpack.Decoder(ReplayAnswer).decode


class Replaying:
    """`async with Replaying(request) as replaying`, `feed` minutes in their order, then `fired`. Every method
    raises ReplayError."""

    def __init__(self, request: ReplayRequest) -> None:
        self._request = request
        self._process: Process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        await self._send(_encode(self._request))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def feed(self, at: datetime, folded: str) -> None:
        """One minute; waits while the process is behind."""
        await self._send(_encode((at, folded)))

    async def fired(self) -> ReplayAnswer:
        """What came of all of it."""
        await self._send(b"")
        assert self._process.stdout is not None
        try:
            size = int.from_bytes(await self._process.stdout.readexactly(_HEAD_BYTES), "big")
            return _decode_answer(await self._process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise ReplayError("it died before it answered") from error

    async def _send(self, frame: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(len(frame).to_bytes(_HEAD_BYTES, "big") + frame)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ReplayError("it died before it had read everything") from error


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request."""
    frames = _frames(requests)
    request = _decode_request(next(frames))
    replay = BurstReplay(request.rule(), request.currency, counted_from=request.counted_from)
    began = time.process_time()
    for number, frame in enumerate(frames, 1):
        replay.minute(*_decode_minute(frame))
        if number % MEASURED_MINUTES == 0:
            spent_s = time.process_time() - began
            replay.learn_every = pace(spent_s, number, request.minutes, replay.learn_every)
    answer = _encode(ReplayAnswer(fired=replay.fired(), learned_every=replay.learn_every))
    answers.write(len(answer).to_bytes(_HEAD_BYTES, "big") + answer)
    answers.flush()


def pace(spent_s: float, done: int, minutes: int, learn_every: int) -> int:
    """How seldom to learn from here on, so that all minutes take BUDGET_S; it only becomes more seldom."""
    left, left_s = max(0, minutes - done), BUDGET_S - spent_s
    if left * spent_s / done <= left_s:
        return learn_every
    if left_s <= 0:
        return LEARN_EVERY_MAX
    return min(LEARN_EVERY_MAX, math.ceil(learn_every * left * spent_s / done / left_s))


def _frames(requests: BinaryIO) -> Iterator[bytes]:
    """Until an empty one, or until whoever asks has died."""
    while size := int.from_bytes(requests.read(_HEAD_BYTES), "big"):
        yield requests.read(size)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asks
    os.nice(NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)
