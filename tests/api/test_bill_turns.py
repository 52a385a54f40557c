"""Work beside the requests waits for its turn where a person would be told to come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.api.database.shares import AllBusy, TooMuch
from services.api.imports.turns import PATIENCE_S, PatientDatabase


class BusyDatabase:
    """Refuses as often as it is told to, then lets in."""

    def __init__(self, *refusals: Exception) -> None:
        self.refusals = list(refusals)
        self.ended = 0

    @asynccontextmanager
    async def reading(self, tenant: str, by: str = "") -> AsyncIterator[str]:
        if self.refusals:
            raise self.refusals.pop(0)
        yield f"a connection of {tenant}"
        self.ended += 1

    writing = reading


def patient(database: Any, waited: list[float]) -> PatientDatabase:
    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    return PatientDatabase(database, "acme", "test", sleep)


async def test_it_waits_as_long_as_it_is_told_and_a_little_at_a_time() -> None:
    waited: list[float] = []
    database = BusyDatabase(TooMuch("busy", 4), AllBusy(), TooMuch("busy", 60))
    async with patient(database, waited).writing() as connection:
        assert (connection, database.ended) == ("a connection of acme", 0)
    assert (waited, database.ended) == ([4, 2, 10], 1)


async def test_its_patience_ends() -> None:
    waited: list[float] = []
    with pytest.raises(TooMuch):
        async with patient(BusyDatabase(*[TooMuch("busy", 60)] * 100), waited).reading():
            pass
    assert sum(waited) == PATIENCE_S


async def test_what_fails_inside_is_not_done_again() -> None:
    waited: list[float] = []
    with pytest.raises(TooMuch):
        async with patient(BusyDatabase(), waited).writing():
            raise TooMuch("inside", 1)
    assert waited == []
