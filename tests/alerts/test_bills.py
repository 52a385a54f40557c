"""Bills are no bursts: the detector reads past them, and budgets count them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.watch import TenantWatch
from spendmeter.platform.keys import create_key, create_tenant
from tests.alerts.conftest import Book
from tests.alerts.test_fold import at_once


@pytest.fixture
async def bills_key(book: Book) -> str:
    await book.owner.execute("DELETE FROM key_uses")
    await book.owner.execute("DELETE FROM api_keys")
    await create_tenant(book.owner, "acme")
    return (await create_key(book.owner, "acme", ["import"], name="bills")).split("_")[2]


async def test_the_detector_reads_live_spend_alone(book: Book, pool: asyncpg.Pool, bills_key: str) -> None:
    now = datetime.now(UTC)
    await book.spend("2", now, key_id="k1")
    await book.spend("500", now, key_id=bills_key)
    for ago in range(2, 90):  # an hour and a half in which nothing but a bill was for
        await book.spend("70", now - timedelta(minutes=ago), key_id=bills_key)
    await book.spend("3", now - timedelta(minutes=95), key_id="k1")
    async with Learner() as learner:
        reader = MinuteReader(pool, "acme", "USD", at_once, learner, BillKeys(pool))
        await reader.look(now)
    assert [row.amount for row in reader.recent.spent] == [Decimal(2)]
    assert [minute for minute in reader._known if minute < now - timedelta(minutes=60)] == [
        (now - timedelta(minutes=95)).replace(second=0, microsecond=0)
    ]


async def test_keys_are_those_of_the_tenant_and_operators(
    book: Book, pool: asyncpg.Pool, bills_key: str
) -> None:
    await create_tenant(book.owner, "globex")
    other = (await create_key(book.owner, "globex", ["import"], name="bills")).split("_")[2]
    operators = (await create_key(book.owner, "", ["import", "admin"], name="bills")).split("_")[2]
    keys = BillKeys(pool)
    assert set(await keys.keys_of("acme")) == {bills_key, operators}
    assert set(await keys.keys_of("globex")) == {other, operators}


async def test_a_credit_opens_nothing_and_a_bill_opens_the_budgets_threshold_once(
    book: Book, watch: Callable[[], Awaitable[TenantWatch]], bills_key: str
) -> None:
    await book.budget("100")
    now = datetime.now(UTC)
    await book.spend("-5000", now, key_id=bills_key)
    made = await watch()
    await made.look("budgets")
    await made.look("anomalies")
    assert await book.incidents() == []
    await book.spend("5150", now, key_id=bills_key)
    for _ in range(2):
        await made.look("budgets")
        await made.look("anomalies")
    (incident,) = await book.incidents()
    # 5150 - 5000 of 100
    assert (incident["kind"], incident["amount"]) == ("budget", Decimal(150))
