"""What is away is tried again, what stays deaf is replaced, and a bug passes through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.retry import keep_doing, passes, until_done


class Attempts:
    """Raises these errors one after the other, then returns how often it was called."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.count = 0

    async def __call__(self) -> int:
        self.count += 1
        for error in self._errors:
            raise error
        return self.count


async def test_what_is_away_is_tried_until_it_is_there() -> None:
    attempts = Attempts(OSError("away"), KafkaConnectionError("away"), TimeoutError())
    assert await until_done(attempts, "not connected yet") == 4


async def test_a_bug_is_no_trouble_that_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        await until_done(Attempts(OSError("away"), ZeroDivisionError("a bug")), "not connected yet")


async def test_what_is_kept_doing_goes_on_after_trouble_and_its_heart_beats() -> None:
    beat, attempts = Heartbeat("it was done", 60), Attempts(OSError("away"), OSError("away"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await keep_doing(attempts, "it waits", every_s=0.01, beat=beat)
    assert attempts.count > 3
    assert beat.trouble() == ""


async def test_the_reason_of_a_miss_is_told_while_it_lasts() -> None:
    beat = Heartbeat("it was done", 60)
    with pytest.raises(ZeroDivisionError):
        await keep_doing(
            Attempts(KafkaConnectionError("away"), ZeroDivisionError("a bug")), "it waits", beat=beat
        )
    assert "KafkaConnectionError" in beat.trouble()


async def test_a_client_that_stays_deaf_is_given_up_after_two_timeouts_in_a_row() -> None:
    deaf = Attempts(KafkaTimeoutError("deaf"), OSError("away"), KafkaTimeoutError("deaf"))
    with pytest.raises(KafkaTimeoutError):
        await keep_doing(deaf, "reading is interrupted", deaf_after=2)
    assert deaf.count == 3


async def test_timeouts_with_a_success_between_them_are_not_in_a_row() -> None:
    count = 0

    async def every_other_time() -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise ZeroDivisionError("the test is over")
        if count % 2:
            raise KafkaTimeoutError("deaf")

    with pytest.raises(ZeroDivisionError):
        await keep_doing(every_other_time, "reading is interrupted", deaf_after=2)


def test_an_error_that_spoils_a_kafka_client_does_not_pass() -> None:
    assert passes(KafkaConnectionError("away"))
    assert passes(KafkaTimeoutError("deaf"))
    assert passes(OSError("Postgres is away"))
    assert not passes(TopicAuthorizationFailedError("an ACL"))
    assert not passes(KafkaError("of no kind that is known to pass"))
    assert not passes(ZeroDivisionError("a bug"))
