"""One real Kafka and one real Postgres for the whole run of the tests, and whose turn it is in it (docs/testing.md)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from spendmeter.platform.kafka_access import KafkaAccess
from tests.schedule import Schedule
from tests.striking import let_it_strike
from tests.together import Run, Servers

RUN = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RUN] = Run.join()


def pytest_unconfigure(config: pytest.Config) -> None:
    for name in config.stash[RUN].end():
        print(f"left behind by a test, and stopped: {name}")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    return Schedule(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Waiting for a turn does not count in the test's own time."""
    let_it_strike()
    with item.config.stash[RUN].turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Servers:
    """Both servers, shared by all: a test uses topics and a database of its own."""
    return pytestconfig.stash[RUN].servers()


@pytest.fixture(scope="session")
def kafka_access(stack: Servers) -> KafkaAccess:
    """How the broker is reached."""
    return stack.kafka


@pytest.fixture(scope="session")
def owner_url(stack: Servers) -> str:
    """The superuser's URL of the maintenance database: a test creates a database of its own."""
    return stack.owner_url
