"""Trying again what is away: until it works, or again and again for as long as the process lives.

`stamina` does the waiting: a little longer after each failure of one action, up to RETRY_S_MAX. What is no
trouble of this kind passes through: a bug crashes.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import NoReturn, TypeVar

import stamina
from aiokafka.errors import KafkaError, KafkaTimeoutError

from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.telemetry import log

RETRY_S_MIN, RETRY_S_MAX = 0.1, 1.0
TIMEOUTS_MAX = 2
"""A Kafka client that stays deaf does not recover by itself: after so many timeouts in a row a new process is
to replace it. For `deaf_after`."""

AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, KafkaError)
"""Postgres or Kafka is away, or cannot do it just now."""
Away = tuple[type[BaseException], ...] | Callable[[Exception], bool]
"""Errors that are worth another try, or whether one is."""

T = TypeVar("T")


def passes(error: Exception) -> bool:
    """Whether the same clients may go on when it is over. After another error of Kafka's they may not."""
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return isinstance(error, CONNECTION_ERRORS)


def retrying(
    trouble: str,
    *,
    away: Away = AWAY,
    beat: Heartbeat | None = None,
    deaf_after: int | None = None,
    **fields: object,
) -> AsyncIterable[stamina.Attempt]:
    """`async for attempt in retrying(...): with attempt: ...` until the block ends without one of `away`.

    Each failure is logged as `trouble`, with `fields`, and missed by `beat`. Raises what is not of `away`,
    and the KafkaTimeoutError that is the `deaf_after`th. Who was cancelled ends, whatever error took the
    place of that: a roll-back on a closed connection raises its own.
    """
    timeouts = 0

    def worth_another(error: Exception) -> bool:
        nonlocal timeouts
        if not (isinstance(error, away) if isinstance(away, tuple) else away(error)):
            return False
        if is_cancelled():
            raise asyncio.CancelledError from error
        timeouts += isinstance(error, KafkaTimeoutError)
        if beat is not None:
            beat.missed(error)
        log().warning(trouble, error=type(error).__name__, **fields)
        return deaf_after is None or timeouts < deaf_after

    return stamina.retry_context(
        on=worth_another,
        attempts=None,
        timeout=None,
        wait_initial=RETRY_S_MIN,
        wait_max=RETRY_S_MAX,
        wait_jitter=RETRY_S_MIN,
    )


def is_cancelled() -> bool:
    """Whether the task that asks was told to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def until_done(
    action: Callable[[], Awaitable[T]], trouble: str, *, away: Away = AWAY, deaf_after: int | None = None
) -> T:
    """What `action` returns, for as long as it takes."""
    async for attempt in retrying(trouble, away=away, deaf_after=deaf_after):
        with attempt:
            return await action()
    raise AssertionError("attempts do not end")


async def keep_doing(
    action: Callable[[], Awaitable[object]],
    trouble: str,
    *,
    every_s: float = 0.0,
    away: Away = AWAY,
    beat: Heartbeat | None = None,
    deaf_after: int | None = None,
    **fields: object,
) -> NoReturn:
    """Do it again and again, `every_s` after it was done, until cancelled; `beat` beats whenever it was."""
    while True:
        async for attempt in retrying(trouble, away=away, beat=beat, deaf_after=deaf_after, **fields):
            with attempt:
                await action()
        if beat is not None:
            beat.beat()
        await asyncio.sleep(every_s)
