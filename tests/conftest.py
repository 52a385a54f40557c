"""One real Kafka and one real Postgres for the whole run of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both servers in a folder with a space in its name; stopped at the end, whatever happened."""
    with Stack(tmp_path_factory.mktemp("spend meter")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_access(stack: Stack) -> str:
    """The broker's HOST:PORT."""
    return stack.kafka


@pytest.fixture(scope="session")
def owner_url(stack: Stack) -> str:
    """The superuser's URL of the maintenance database: a test creates a database of its own."""
    return stack.owner_url
