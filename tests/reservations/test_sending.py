"""Our own events on their way to the broker, and reservations that are looked up; Postgres and Kafka are doubles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka.errors import KafkaConnectionError

from services.reservations import sender as sending
from services.reservations.finder import Finder
from services.reservations.sender import LEFT, EventSender, NotSent
from services.reservations.values import Reservation
from spendmeter.platform.telemetry import Meters
from tests.reservations.turns import NOON

D = Decimal


def committed(number: int) -> Reservation:
    """With an event of its number."""
    return Reservation(
        id=UUID(int=number), key_id="k1", identity=bytes([number]), stated=False, dimensions={}, places=(),
        bound=D(1), held=D(1), state="committed", created_at=NOON, expires_at=NOON, committed_at=NOON,
        event=f"e{number}",
    )  # fmt: skip


class Rooms:
    """A pool with reservations that are not sent yet, and a topic."""

    def __init__(self) -> None:
        self.unsent: dict[UUID, Reservation] = {}
        self.topic: list[str] = []
        self.looks: list[timedelta] = []
        self.away = False

    async def fetch(self, _sql: str, age: timedelta, _limit: int) -> list[dict[str, Any]]:
        self.looks.append(age)
        old = [] if age else list(self.unsent.values())
        return [{"tenant": "acme", **vars(each)} for each in old]

    async def execute(self, _sql: str, _tenants: list[str], ids: list[UUID]) -> None:
        for each in ids:
            self.unsent.pop(each, None)

    async def send(self, _producer: Any, _topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise KafkaConnectionError
        self.topic += [value.decode() for _, value in records]


class _Producer:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@asynccontextmanager
async def sender_of(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EventSender]:
    monkeypatch.setattr(sending, "send_by_key", rooms.send)
    sender = EventSender(rooms, "usage.events", cast("Any", _Producer), Meters())
    task = asyncio.create_task(sender.keep_sending())
    yield sender
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_is_committed_is_on_the_topic_once_before_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = Rooms()
    async with sender_of(rooms, monkeypatch) as sender:
        await sender.sent(replayed=True)  # it has looked
        looked = len(rooms.looks)
        for number in range(1, 21):
            rooms.unsent[UUID(int=number)] = committed(number)
            sender.take("acme", [committed(number), replace(committed(99), state="held", event="")])
            await sender.sent(replayed=False)
            assert rooms.topic[-1] == f"e{number}"
        assert len(rooms.topic) == len(set(rooms.topic)) == 20
        assert len(rooms.looks) == looked  # what it has committed itself it asks nobody for


async def test_what_another_process_has_committed_is_sent_before_its_replay_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = Rooms()
    async with sender_of(rooms, monkeypatch) as sender:
        await sender.sent(replayed=True)
        rooms.unsent[UUID(int=1)] = committed(1)
        await sender.sent(replayed=False)
        assert rooms.topic == []  # whoever committed it sends it
        await sender.sent(replayed=True)
        assert (rooms.topic, rooms.unsent) == (["e1"], {})


async def test_what_could_not_be_sent_is_no_2xx_and_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = Rooms()
    async with sender_of(rooms, monkeypatch) as sender:
        await sender.sent(replayed=True)
        rooms.away, rooms.unsent[UUID(int=1)] = True, committed(1)
        sender.take("acme", [committed(1)])
        with pytest.raises(NotSent):
            await sender.sent(replayed=False)
        rooms.away = False
        await sender.sent(replayed=False)
        assert (rooms.topic, rooms.looks[-1]) == (["e1"], timedelta(0))


async def test_who_has_time_looks_for_what_others_have_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = Rooms()
    monkeypatch.setattr(sending, "LOOK_S", 0.01)
    async with sender_of(rooms, monkeypatch) as sender:
        await sender.sent(replayed=True)
        await asyncio.sleep(0.1)
    assert rooms.looks[:1] == [timedelta(0)] and set(rooms.looks[1:]) == {timedelta(0), LEFT} - {timedelta(0)}


class Asked:
    """A pool that has reservation 1, and answers when it is told to."""

    def __init__(self) -> None:
        self.questions: list[list[UUID]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self, _sql: str, tenants: list[str], ids: list[UUID]) -> list[dict[str, Any]]:
        self.questions.append(ids)
        await self.go.wait()
        if self.error:
            raise self.error
        row = vars(committed(1)) | {"tenant": "acme", "sent_at": None, "budget_ids": [], "period_starts": []}
        del row["places"]
        return [row] if ("acme", UUID(int=1)) in zip(tenants, ids, strict=True) else []


async def test_all_that_is_looked_up_meanwhile_is_one_question() -> None:
    asked = Asked()
    finder = Finder(asked)
    first = asyncio.create_task(finder.find("acme", UUID(int=1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    more = [asyncio.create_task(finder.find(*each)) for each in (
        ("acme", UUID(int=1)), ("globex", UUID(int=1)), ("acme", UUID(int=2)),
    )]  # fmt: skip
    await asyncio.sleep(0)
    more.pop().cancel()  # its client is gone
    asked.go.set()
    assert await first == committed(1)
    assert await asyncio.gather(*more) == [committed(1), None]
    assert [len(each) for each in asked.questions] == [1, 3]


async def test_while_postgres_is_away_everybody_is_told_so_and_later_asked_again() -> None:
    asked = Asked()
    finder, asked.error = Finder(asked), OSError("away")
    asked.go.set()
    told = await asyncio.gather(*(finder.find("acme", UUID(int=n)) for n in (1, 2)), return_exceptions=True)
    assert [type(each) for each in told] == [OSError, OSError]
    asked.error = None
    assert await finder.find("acme", UUID(int=1)) == committed(1)
