"""Equal questions are answered once: dashboards that look at the same numbers cost what one of them does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request

AGE_S_MAX = 1.0
"""Since it was asked of the book. What an answer is of, it says itself (`complete_through`)."""
AHEAD_S = 0.7
"""Who asks for one of this age has it asked anew meanwhile, for those who come next: what is asked for all
the time is waited for by nobody."""
ANSWERS_MAX = 200
BYTES_MAX = 32_000_000
"""Kept in all; beyond either, what was asked first is forgotten first."""

Ask = Callable[[], Coroutine[Any, Any, bytes]]


@dataclass(eq=False)
class _Answer:
    asked_s: float
    content: asyncio.Task[bytes]
    size: int = 0
    """0 = not there yet."""
    end: asyncio.TimerHandle | None = None
    before: _Answer | None = None
    """Given instead until it is there."""


class SharedAnswers:
    """One process's. A key says who may see the answer, and what is asked: to the last detail of both."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[Hashable, _Answer] = {}
        self._bytes = 0

    async def get(self, key: Hashable, ask: Ask, *, fresh: bool = False) -> bytes:
        """What `ask` answers, or answered at most AGE_S_MAX ago to somebody else; `fresh`: now, for this one.

        Raises what `ask` raises: a refusal goes to all who wait for it, and is kept for nobody."""
        answer, now_s = self._answers.get(key), self._clock()
        if answer is None or fresh or now_s - answer.asked_s >= AGE_S_MAX:
            answer = self._ask(key, ask)
        elif answer.size and now_s - answer.asked_s >= AHEAD_S:
            answer = self._ask(key, ask, before=answer)
        if (before := answer.before) and now_s - before.asked_s < AGE_S_MAX:
            return before.content.result()
        return await asyncio.shield(answer.content)

    def _ask(self, key: Hashable, ask: Ask, before: _Answer | None = None) -> _Answer:
        # A task of its own: who asked first may go away, and others wait for it still.
        answer = _Answer(self._clock(), asyncio.create_task(ask()), before=before)
        self._drop(key)
        if len(self._answers) >= ANSWERS_MAX:
            self._drop_oldest()
        self._answers[key] = answer
        answer.content.add_done_callback(partial(self._done, key, answer))
        return answer

    def _done(self, key: Hashable, answer: _Answer, content: asyncio.Task[bytes]) -> None:
        answer.before = None
        failed = content.cancelled() or content.exception() is not None
        if self._answers.get(key) is not answer:
            return
        left_s = answer.asked_s + AGE_S_MAX - self._clock()
        if failed or left_s <= 0:
            self._drop(key)
            return
        answer.size = len(content.result())
        self._bytes += answer.size
        answer.end = asyncio.get_running_loop().call_later(left_s, self._drop, key)
        while self._bytes > BYTES_MAX:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._drop(next(iter(self._answers)))

    def _drop(self, key: Hashable) -> None:
        if answer := self._answers.pop(key, None):
            self._bytes -= answer.size
            if answer.end:
                answer.end.cancel()  # it holds the answer


def shared_answers_of(request: Request) -> SharedAnswers:
    """The process's."""
    shared: SharedAnswers = request.app.state.shared_answers
    return shared


def wants_fresh(request: Request) -> bool:
    """Whether the caller takes no answer that somebody else was given (RFC 9111, 5.2.1)."""
    asked = ",".join(request.headers.getlist("cache-control")).lower()
    return any(each.strip() in ("no-cache", "no-store", "max-age=0") for each in asked.split(","))
