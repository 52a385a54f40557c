"""A stand-in for the server, and a meter that reports to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spendmeter_client import Drop, Meter
from tests.client.stand_in import StandIn, standing_in


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing_in() as server:
        yield server


@pytest.fixture
def drops() -> list[Drop]:
    return []


@pytest.fixture
def meter(server: StandIn, drops: list[Drop]) -> Iterator[Meter]:
    with Meter(server.url, "sm_key", "checkout-bot", linger_s=0.05, on_drop=drops.append) as meter:
        yield meter
