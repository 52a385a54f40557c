"""A worker judges a tenant's last complete day once, on a real Postgres: what rose is told, what is half there not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.alerts.watches import levels
from spendmeter.contracts.series import Series
from tests.alerts.conftest import Book, transitions
from tests.databases import empty
from tests.series import add_series

NAMED = (("tenant", ""), ("workflow", "refund"), ("agent", "a1"), ("team", ""))
"""Of a team only what is beyond the largest."""


def days_ago(number: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=number)


async def complete(book: Book, hours: int = 1) -> None:
    """All that was accepted until now, and in the hour to come, is booked."""
    at = datetime.now(UTC) + timedelta(hours=hours)
    await book.owner.execute("DELETE FROM log_ends")
    await book.owner.execute("INSERT INTO log_ends (partition, log_end, read_at) VALUES (0, 0, $1)", at)


async def spent(book: Book, number: int, amount: str, calls: int = 500, tokens: int = 500_000) -> None:
    """On the day so long ago, of every scope, in one hour."""
    at = datetime.combine(days_ago(number), datetime.min.time(), UTC) + timedelta(hours=9)
    await book.owner.executemany(
        "INSERT INTO scope_hours (tenant, bucket, dimension, value, provider, sku, currency, events, "
        "unpriced_events, effective, of_which_provisional, input_tokens) "
        "VALUES ('acme', $1, $2, $3, 'openai', 'gpt-4o', 'USD', $4, 0, $5, 0, $6)",
        [(at, *scope, calls, Decimal(amount), Decimal(tokens)) for scope in NAMED],
    )


async def priced(book: Book, number: int, entry: str, quantity: int, amount: str) -> None:
    """What input tokens cost on the day so long ago, as the projection has it."""
    series = await add_series(book.owner, "acme", Series(provider="openai", sku="gpt-4o"))
    await book.owner.execute(
        "INSERT INTO cells VALUES ('acme', $1, $2, $3, '', '', false, 'USD', 'input_tokens', 'priced', $4, '', '', "
        "'', 'USD', 'USD', 500, $5, $6, $6, $6, $6, $6, $6)",
        days_ago(number), entry.encode(), series, entry, Decimal(quantity), Decimal(amount),
    )  # fmt: skip


async def test_what_rose_is_told_once_with_its_split(book: Book, watch: Any) -> None:
    """40 days of 100 and 500 calls; for the last five 250 and 1,250 calls: all of the 750 is volume."""
    for number in range(1, 41):
        rose = number <= 5
        await spent(book, number, "250" if rose else "100", *((1250, 1_250_000) if rose else (500, 500_000)))
    await priced(book, 40, "e1", 500_000, "100")
    await priced(book, 1, "e1", 1_250_000, "250")
    await complete(book)
    made = await watch()
    await made.look("levels")
    await made.look("levels")
    again = await watch()
    await again.look("levels")
    [incident] = await book.incidents()
    assert (incident["kind"], incident["scope"]) == ("shift", {"agent": "a1"})
    assert [incident["amount"], incident["expected"]] == [1250, 500]
    assert incident["began_at"].date() == days_ago(5)
    assert incident["details"]["explanation"]["split"]["change"] == "750"
    assert incident["details"]["explanation"]["split"]["volume"] == "750"
    assert {tuple(one["scope"]) for one in incident["details"]["folded"]} == {
        ("tenant", ""), ("workflow", "refund"), ("team", "~others"),
    }  # fmt: skip
    assert await transitions(book) == ["opened"]
    await book.owner.execute("UPDATE incidents SET state = 'acknowledged'")
    await (await watch()).look("levels")
    [incident] = await book.incidents()
    assert incident["resolution"] == "somebody has seen it: it is the new level"
    await (await watch()).look("levels")
    assert len(await book.incidents()) == 1


async def test_a_price_that_rose_is_no_shift_and_the_same_work_that_did_is_drift(
    book: Book, watch: Any
) -> None:
    """Twice the price for five days: 200 for what cost 100. Then 1.28 times the tokens of as many calls: 256."""
    for number in range(1, 41):
        await spent(book, number, "200" if number <= 5 else "100")
    await priced(book, 40, "old", 500_000, "100")
    for number in range(6, 40):
        await priced(book, number, f"old{number}", 500_000, "100")
    for number in range(1, 6):
        await priced(book, number, f"new{number}", 500_000, "200")
    await complete(book)
    await (await watch()).look("levels")
    assert await book.incidents() == []
    await empty(book.owner, "scope_hours")
    for number in range(1, 41):
        await spent(
            book, number, "256" if number <= 4 else "200" if number == 5 else "100",
            tokens=640_000 if number <= 4 else 500_000,
        )  # fmt: skip
    await (await watch()).look("levels")
    [incident] = await book.incidents()
    assert (incident["kind"], incident["scope"]) == ("drift", {"agent": "a1"})
    assert set(incident["details"]["moved"]) == {"cost", "tokens"}
    assert Decimal(incident["details"]["cost_before"]) == Decimal("0.4")


async def test_a_day_of_which_something_waits_is_not_judged(
    book: Book, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 41):
        await spent(book, number, "250" if number <= 5 else "100")
    monkeypatch.setattr(levels, "PATIENCE", timedelta(days=1))
    await complete(book, hours=-25)
    made = await watch()
    await made.look("levels")
    assert await book.incidents() == []  # the book is a day behind
    await complete(book)
    at = datetime.combine(days_ago(1), datetime.min.time(), UTC)
    await book.owner.execute("INSERT INTO scope_hours_due VALUES ('acme', $1)", at)
    made = await watch()
    await made.look("levels")
    assert await book.incidents() == []
    monkeypatch.setattr(levels, "PATIENCE", timedelta())
    await made.look("levels")
    assert len(await book.incidents()) == 1  # late events must not keep a day from being judged
