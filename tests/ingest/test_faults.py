"""Ingest while Kafka or Postgres come, go and hang: 503 meanwhile, recovery without help, nothing lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.ingest.publish import DEADLINE_S
from spendmeter.platform.serve import GRACE_S
from tests.ingest.harness import Ingest, event, prepare_kafka, prepare_postgres, records_of
from tests.stack import Stack


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers that these tests may kill."""
    with Stack(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
async def door(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ingest]:
    """An ingest that is set up but not started."""
    await prepare_kafka(own_stack.kafka, "faults.")
    database, keys = await prepare_postgres(own_stack.owner_url)
    log = tmp_path_factory.mktemp("ingest") / "ingest.log"
    ingest = Ingest(kafka=own_stack.kafka, database=database, prefix="faults.", log=log, keys=keys)
    yield ingest
    if ingest.process is not None and ingest.process.poll() is None:
        ingest.stop()


@pytest.fixture
def running(door: Ingest) -> Ingest:
    if door.process is None or door.process.poll() is not None:
        door.start()
    door.wait_ready()
    return door


def until(door: Ingest, status: int, id: str, seconds: float = 30) -> list[int]:
    """Post one event again and again until it gets this answer; the answers before it."""
    deadline, before = time.monotonic() + seconds, []
    while (answer := door.post(event(id))).status_code != status:
        before.append(answer.status_code)
        assert time.monotonic() < deadline, before
        time.sleep(0.1)
    return before


def test_it_starts_without_kafka_and_postgres_and_is_ready_once_they_come(
    own_stack: Stack, door: Ingest
) -> None:
    own_stack.kill("kafka")
    own_stack.kill("postgres", signal.SIGQUIT)
    door.start()
    deadline = time.monotonic() + 60
    while "keys" not in (trouble := door.not_ready()):
        assert time.monotonic() < deadline, trouble
        time.sleep(0.1)
    answer = door.post(event("early"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert httpx.get(door.url + "/health").status_code == 200
    own_stack.start("postgres")
    while "Kafka" not in (trouble := door.not_ready()):
        assert time.monotonic() < deadline, trouble
        time.sleep(0.1)
    assert "nothing was sent" in door.post(event("early")).json()["detail"]
    own_stack.start("kafka")
    door.wait_ready()
    assert door.post(event("early")).status_code == 204


def test_keys_are_served_stale_while_postgres_is_away(own_stack: Stack, running: Ingest) -> None:
    said = running.log.read_text().count("API keys not read")
    own_stack.kill("postgres", signal.SIGQUIT)
    deadline = time.monotonic() + 30
    while running.log.read_text().count("API keys not read") == said:
        assert time.monotonic() < deadline, "nobody asked for the keys"
        time.sleep(0.1)
    assert running.post(event("stale")).status_code == 204
    own_stack.start("postgres")


async def _once(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


async def test_a_killed_broker_means_503_until_it_is_back_and_what_was_acknowledged_is_there(
    own_stack: Stack, running: Ingest
) -> None:
    acknowledged: list[str] = []
    answers: list[int] = []
    stop = False

    def send(sender: int) -> None:
        number = 0
        while not stop:
            ids = [f"kill-{sender}-{number}-{n}" for n in range(10)]
            answer = running.post([event(name) for name in ids])
            answers.append(answer.status_code)
            if answer.status_code == 204:
                acknowledged.extend(ids)
            else:
                assert "retry-after" in answer.headers
                time.sleep(0.2)
            number += 1

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send, sender) for sender in range(4)]
        try:
            await _once(lambda: len(acknowledged) >= 100)
            own_stack.kill("kafka")
            await _once(lambda: answers.count(503) >= 8)  # of each sender two
            own_stack.start("kafka")
            await asyncio.to_thread(until, running, 204, "kill-recovered")
            before = len(acknowledged)
            await _once(lambda: len(acknowledged) >= before + 100)
        finally:
            stop = True
        for sender in senders:
            sender.result()
    assert set(answers) == {204, 503}
    found = {json.loads(record.value)["id"] for record in await records_of(running.kafka, running.topic)}
    assert set(acknowledged) <= found


def test_a_broker_that_hangs_means_503_in_time_and_then_recovery(own_stack: Stack, running: Ingest) -> None:
    os.kill(own_stack.kafka_pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = running.post(event("hang"))
        waited = time.monotonic() - began
        assert (answer.status_code, DEADLINE_S - 1 < waited < DEADLINE_S + 3) == (503, True)
        assert "same ids" in answer.json()["detail"]
        began = time.monotonic()
        assert running.post(event("hang")).status_code == 503
        assert time.monotonic() - began < 1
        assert running.not_ready()
    finally:
        os.kill(own_stack.kafka_pid, signal.SIGCONT)
    until(running, 204, "hang")


async def test_after_an_error_that_no_retry_mends_a_new_producer_takes_over(
    own_stack: Stack, running: Ingest
) -> None:
    async def bound_messages(size: int) -> None:
        admin = AIOKafkaAdminClient(**own_stack.kafka.options())
        await admin.start()
        config = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, running.topic, configs=config)])
        await admin.close()

    await bound_messages(100)
    before = await asyncio.to_thread(until, running, 503, "refused by the broker")
    assert set(before) <= {204}
    await bound_messages(1024 * 1024)
    await asyncio.to_thread(until, running, 204, "refused by the broker")


def test_sigterm_answers_what_is_under_way_and_ends_even_while_the_broker_hangs(
    own_stack: Stack, running: Ingest
) -> None:
    assert running.post(event("before the end")).status_code == 204
    os.kill(own_stack.kafka_pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor() as pool:
            under_way = pool.submit(running.post, event("under way"))
            while not running.accepted():
                time.sleep(0.05)
            time.sleep(0.5)  # until its body is read, which nothing tells
            began = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - began < GRACE_S + 5
            assert under_way.result().status_code == 503
    finally:
        os.kill(own_stack.kafka_pid, signal.SIGCONT)
