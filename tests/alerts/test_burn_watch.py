"""A budget that burns is told once by a worker, on a real Postgres, beside its thresholds and not twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendmeter.contracts.terms import Timeline
from tests.alerts.conftest import Book


def a_period() -> str:
    """One that is neither just begun nor nearly over."""
    now = datetime.now(UTC)
    for period in ("quarter", "month", "week"):
        start, end = Timeline().bounds(period, now)
        if now - start > timedelta(hours=25) and end - now > max(timedelta(hours=40), (end - start) / 15):
            return period
    pytest.skip("at a quarter's end none is")


async def spend(book: Book, amount: str, minutes_ago: int) -> None:
    await book.spend(amount, datetime.now(UTC) - timedelta(minutes=minutes_ago), team="search")


async def complete(book: Book, minutes: int = 1) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    await book.owner.execute("DELETE FROM log_ends")
    await book.owner.execute("INSERT INTO log_ends (partition, log_end, read_at) VALUES (0, 0, $1)", at)


async def test_a_budget_that_burns_is_told_once_and_is_over_when_it_does_not(book: Book, watch: Any) -> None:
    """430 of 1,000 within the hour, 130 of it within five minutes: gone in an hour and a third."""
    await book.budget("1000", period=a_period(), team="search")
    await spend(book, "300", 40)
    await spend(book, "130", 2)
    made = await watch()
    await made.look("burns")
    await made.look("burns")
    await (await watch()).look("burns")
    [incident] = await book.incidents()
    assert (incident["kind"], incident["severity"], incident["scope"]) == (
        "burn",
        "critical",
        {"team": "search"},
    )
    assert [incident["amount"], incident["expected"], incident["rate_per_hour"]] == [430, 1000, 430]
    runs_out = datetime.fromisoformat(incident["details"]["runs_out"])
    assert abs(runs_out - incident["opened_at"] - timedelta(hours=570 / 430)) < timedelta(seconds=10)
    await complete(book, minutes=-10)
    await book.owner.execute("TRUNCATE rollups_minute")
    await (await watch()).look("burns")
    assert [each["state"] for each in await book.incidents()] == [
        "open"
    ]  # the book is behind: it may burn on
    await complete(book)
    await (await watch()).look("burns")
    [incident] = await book.incidents()
    assert (incident["state"], incident["resolution"]) == (
        "resolved",
        "it goes no faster than its period lasts",
    )


async def test_a_budget_whose_threshold_was_told_just_now_does_not_burn_as_well(
    book: Book, watch: Any
) -> None:
    await book.budget("1000", period=a_period(), percent=(40,), team="search")
    await spend(book, "300", 40)
    await spend(book, "130", 2)
    made = await watch()
    await made.look("budgets")
    await made.look("burns")
    assert [each["kind"] for each in await book.incidents()] == ["budget"]
    await book.owner.execute("UPDATE incidents SET opened_at = opened_at - interval '2 hours'")
    await made.look("burns")
    assert [each["kind"] for each in await book.incidents()] == ["budget", "burn"]
    assert (await book.incidents())[0]["amount"] == Decimal(430)


async def test_what_has_stopped_for_half_an_hour_is_a_warning(book: Book, watch: Any) -> None:
    """Nothing in the last five minutes, nor in the last thirty; but 430 in two hours, and in a day."""
    await book.budget("1000", period=a_period(), team="search")
    await spend(book, "430", 45)
    await (await watch()).look("burns")
    assert [(each["kind"], each["severity"]) for each in await book.incidents()] == [("burn", "warning")]


async def test_a_bill_is_spent_and_burns_nothing(book: Book, watch: Any) -> None:
    await book.owner.execute(
        "INSERT INTO api_keys VALUES ('bills', 'acme', 'bills', '\\x01', '{import}', false) ON CONFLICT DO NOTHING"
    )
    await book.budget("1000", period=a_period())
    at = datetime.now(UTC) - timedelta(minutes=2)
    await book.spend("800", at, provider="aws", sku="AmazonEC2", key_id="bills")
    await (await watch()).look("burns")
    assert await book.incidents() == []
