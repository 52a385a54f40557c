"""Workers watch a tenant's hours on a real Postgres: each rebuilds what is usual, and together they tell once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.alerts.watches.look import Look
from tests.alerts.conftest import Book, transitions

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def came_to(book: Book, at: datetime, amount: str) -> None:
    """All of the tenant's money is agent a's."""
    await book.owner.executemany(
        "INSERT INTO scope_hours (tenant, bucket, dimension, value, provider, sku, currency, events, unpriced_events, "
        "effective, of_which_provisional) VALUES ('acme', $1, $2, $3, 'openai', 'gpt-4o', 'USD', 60, 0, $4, 0)",
        [(at, *scope, Decimal(amount)) for scope in (("tenant", ""), ("agent", "a"))],
    )


async def hour_look(watch: Any) -> Look:
    return next(look for look in (await watch())._looks if look.of == "hours")


@pytest.mark.parametrize(("zone", "begins"), [("UTC", 0), ("Asia/Kathmandu", 15)])
async def test_hours_are_told_once_by_two_workers_and_ended_by_a_third(
    book: Book, watch: Any, zone: str, begins: int
) -> None:
    """Four weeks of 12 an hour; then 40 within 25 minutes, and 12 again."""
    await book.owner.execute("DELETE FROM scope_hours_missing")
    await book.tenant(zone=zone)
    hour = datetime.now(UTC).replace(minute=begins, second=0, microsecond=0) - 5 * HOUR
    for number in range(1, 28 * 24):
        await came_to(book, hour - number * HOUR, "12")
    for minute in range(5):
        await book.spend("8", hour + 5 * minute * MINUTE, agent="a")
    one, other = await hour_look(watch), await hour_look(watch)
    now = hour + 30 * MINUTE
    await asyncio.gather(one.look(now), other.look(now))
    [incident] = await book.incidents()
    assert (incident["kind"], incident["rule_id"], incident["scope"]) == (
        "anomaly", "unusual-hour", {"agent": "a"},
    )  # fmt: skip
    assert [incident["amount"], incident["expected_per_hour"], incident["began_at"]] == [40, 12, hour]
    assert "no minute" in incident["summary"]
    third = await hour_look(watch)
    await third.look(now + 10 * MINUTE)
    [incident] = await book.incidents()
    assert incident["rate_per_hour"] == 60  # 40 within the 40 minutes that it has seen
    await came_to(book, hour, "40")
    await came_to(book, hour + HOUR, "12")
    await book.owner.execute("DELETE FROM touched")
    await third.look(hour + 2 * HOUR + 6 * MINUTE)
    [incident] = await book.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "nothing unusual for a whole hour")
    assert [incident["amount"], incident["rate_per_hour"]] == [40, 0]
    assert [each for each in await transitions(book) if each != "updated"] == ["opened", "resolved"]


async def test_an_hour_after_one_that_is_not_added_up_yet_is_not_judged(book: Book, watch: Any) -> None:
    await book.owner.execute("DELETE FROM scope_hours_missing")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    for number in range(1, 28 * 24):
        await came_to(book, hour - number * HOUR, "12")
    for minute in range(4):
        await book.spend("10", hour + 5 * minute * MINUTE, agent="a")
    await book.owner.execute("INSERT INTO scope_hours_due VALUES ('acme', $1)", hour - HOUR)
    look = await hour_look(watch)
    await look.look(hour + 25 * MINUTE)
    assert await book.incidents() == []
    await book.owner.execute("DELETE FROM scope_hours_due")
    await look.look(hour + 31 * MINUTE)
    assert len(await book.incidents()) == 1
