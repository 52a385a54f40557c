"""What the rating worker does when something dies: a broker of its own, for it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from services.rating import rounds
from services.rating.rate import RecordRater
from services.rating.worker import Rater
from spendmeter.contracts.rated import RatedUsage
from spendmeter.platform.kafka import send_batches
from tests.rating.conftest import PARTITIONS, System, new_system, rating, raw_event
from tests.rating.test_worker import BOOK
from tests.stack import Stack
from tests.waiting import until

EVENTS = 6_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("rating faults"), parts=["kafka"]) as stack:
        yield stack


@pytest.fixture
async def system(broker: Stack) -> AsyncIterator[System]:
    async with new_system(broker.kafka) as made:
        await made.publish(BOOK, 1)
        yield made


async def everything_is_answered(system: System, events: int) -> None:
    """Every offset has an answer, and whoever reads them in order never waits behind a gap."""
    for partition in range(PARTITIONS):
        next_origin = 0
        for answer in await system.answers(events, partition, distinct=True):
            assert isinstance(answer, RatedUsage)
            if answer.origin.offset >= next_origin and answer.prev < next_origin:
                assert answer.origin.offset == next_origin
                next_origin += 1
        assert next_origin == events


async def test_a_broker_killed_and_restarted_costs_no_answer(system: System, broker: Stack) -> None:
    for partition in range(PARTITIONS):
        await system.use((raw_event(number) for number in range(EVENTS)), partition)
    async with rating(system.settings):
        await system.answers(100)
        await asyncio.to_thread(broker.restart, "kafka")
        await everything_is_answered(system, EVENTS)


async def test_a_worker_killed_at_any_moment_costs_no_answer(system: System) -> None:
    for partition in range(PARTITIONS):
        await system.use((raw_event(number) for number in range(EVENTS)), partition)
    with _process(system):
        await system.answers(1)  # the first round is acknowledged, and perhaps not yet committed
    async with rating(system.settings):
        await everything_is_answered(system, EVENTS)


async def test_answers_that_fail_are_sent_again_by_a_new_producer(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([KafkaError("not taken"), TimeoutError()])

    async def sometimes(*arguments: Any) -> Any:
        for failure in failures:
            raise failure
        return await send_batches(*arguments)

    monkeypatch.setattr(rounds, "send_batches", sometimes)
    for partition in range(PARTITIONS):
        await system.use((raw_event(number) for number in range(10)), partition)
    async with rating(system.settings) as rater:
        await everything_is_answered(system, 10)
        await until(lambda: not rater.not_ready(), "the rater to be ready again")


async def test_a_bug_ends_the_process(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(RecordRater, "answer", bug)
    await system.use([raw_event(1)])
    rater = Rater(system.settings)
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(20):
            await rater.run(asyncio.Event())
    assert ended.group_contains(ZeroDivisionError)


async def test_sigterm_ends_the_process_within_its_grace_though_the_broker_is_frozen(
    system: System, broker: Stack
) -> None:
    await system.use([raw_event(1)])
    with _process(system) as process:
        await system.answers(1)
        await system.use([raw_event(2)])
        os.kill(broker.kafka_pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(0.5)
            began = time.monotonic()
            process.terminate()
            assert await asyncio.to_thread(process.wait, 15) == 0
            assert time.monotonic() - began < 10
        finally:
            os.kill(broker.kafka_pid, signal.SIGCONT)


class _process:
    """`python -m services.rating`; killed at the end of the block, if it still runs."""

    def __init__(self, system: System) -> None:
        self._system = system

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "services.rating"],
            cwd=Path(rounds.__file__).parents[2],
            env=os.environ
            | {
                **self._system.settings.kafka.environment(),
                "SPENDMETER_TOPIC_PREFIX": self._system.settings.topic_prefix,
            },
            stdout=subprocess.DEVNULL,
        )
        return self._worker

    def __exit__(self, *_: object) -> None:
        self._worker.kill()
        self._worker.wait()
