"""A channel that does not deliver is told through the next one, and that it does again too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from services.alerts.bursts.learning import Learner
from services.alerts.channels.failing import ChannelHealth
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.store import Store
from services.alerts.rules import Rules
from services.alerts.turns import Turns
from services.alerts.watches.channels import ChannelWatch
from services.alerts.watches.look import Shared
from spendmeter.contracts.incidents import decode_incident
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import Book

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
HEALTHY = ChannelHealth(
    id=UUID(int=1), name="ops", kind="webhook", failing_since=None, failures=0, last_error="",
    last_success_at=NOW, disabled_at=None, disabled_reason="", deleted_at=None, updated_by="", undelivered=0,
)  # fmt: skip


def health(**changed: object) -> ChannelHealth:
    return ChannelHealth(**{**vars(HEALTHY), **changed})


def test_three_deliveries_given_up_or_a_quarter_of_an_hour_are_news() -> None:
    assert not HEALTHY.is_news(NOW)
    assert not health(failing_since=NOW - timedelta(minutes=14), failures=2).is_news(NOW)
    assert health(failing_since=NOW - timedelta(minutes=15)).is_news(NOW)
    assert health(failing_since=NOW, failures=3).is_news(NOW)
    assert health(disabled_at=NOW, disabled_reason="HTTP 410").is_news(NOW)
    assert not health(disabled_at=NOW, disabled_reason="by key k1", failing_since=NOW, failures=3).is_news(
        NOW
    )
    assert not health(deleted_at=NOW, failing_since=NOW, failures=3).is_news(NOW)


@pytest.fixture
async def watch(pool: asyncpg.Pool, store: Store, book: Book) -> AsyncIterator[ChannelWatch]:
    async with Learner() as learner:
        shared = Shared(
            pool=pool, complete=CompletenessReader(pool), store=store, turns=Turns(), learner=learner, meters=Meters(),
            portal_url="https://spend.example.org",
        )  # fmt: skip
        yield ChannelWatch(tenant="acme", rules=(await Rules(pool).read())["acme"], shared=shared)


async def told(book: Book) -> list[tuple[UUID, str, str]]:
    rows = await book.owner.fetch(
        "SELECT channel_id, transition, body FROM deliveries WHERE channel_id <> $1 ORDER BY created_at",
        UUID(int=0),
    )
    return [(row["channel_id"], row["transition"], decode_incident(row["body"]).title) for row in rows]


async def test_a_failing_channel_is_told_to_the_next_one_once_and_its_recovery_as_well(
    book: Book, watch: ChannelWatch
) -> None:
    first = await book.channel("https://a.example", position=0)
    second = await book.channel("https://b.example", position=1)
    await book.channel("https://c.example", position=2)
    await watch.look(datetime.now(UTC))
    assert await told(book) == []
    await book.owner.execute(
        "UPDATE channels SET failing_since = now() - interval '16 minutes', last_error = 'HTTP 500' WHERE id = $1",
        first,
    )
    for _ in range(3):
        await watch.look(datetime.now(UTC))
    title = "channel ops (webhook) does not deliver: HTTP 500"
    assert await told(book) == [(second, "opened", title)]
    [incident] = await book.incidents("silence")
    assert (incident["severity"], incident["currency"], incident["scope"]) == ("warning", "messages", {})
    assert incident["link"] == "https://spend.example.org/#/channels"

    await book.owner.execute(
        "UPDATE channels SET failing_since = NULL, last_success_at = now() WHERE id = $1", first
    )
    await watch.look(datetime.now(UTC))
    over = "Over: channel ops (webhook) did not deliver: HTTP 500"
    assert await told(book) == [(second, "opened", title), (second, "resolved", over)]
    [incident] = await book.incidents("silence")
    assert incident["resolution"] == "it delivers again"


async def test_a_channel_that_is_gone_is_told_until_it_is_removed(book: Book, watch: ChannelWatch) -> None:
    first, second = await book.channel("https://a.example"), await book.channel("https://b.example")
    await book.owner.execute(
        "UPDATE channels SET disabled_at = now(), disabled_reason = 'HTTP 410' WHERE id = $1", first
    )
    await watch.look(datetime.now(UTC))
    await book.owner.execute("UPDATE channels SET deleted_at = now() WHERE id = $1", first)
    await watch.look(datetime.now(UTC))
    assert [(channel, transition) for channel, transition, _ in await told(book)] == [
        (second, "opened"), (second, "resolved"),
    ]  # fmt: skip
    [incident] = await book.incidents("silence")
    assert incident["resolution"] == "the channel was removed"
