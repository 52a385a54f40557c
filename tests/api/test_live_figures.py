"""What is told as it is booked, against the minutes of the book: where days begin at a half or a quarter past."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.api.accounting.progress import BookProgress
from services.api.database.transactions import EVERY_TEAM, Database, Onlooker
from services.api.live.reading import read_live
from services.api.spend.closed import ClosedSums
from services.ledger.roller import Roller
from tests.api.book import Book
from tests.api.test_spend_rollups import roller

__all__ = ["roller"]

ZONES = (
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "UTC",
)


@pytest.mark.parametrize("zone", ZONES)
async def test_today_and_this_month_begin_at_their_midnight_and_the_hour_sixty_minutes_ago(
    book: Book, database: Database, roller: Roller, zone: str
) -> None:
    chance, here = random.Random(zone), ZoneInfo(zone)
    await book.tenant("edge", zone=zone, currency="EUR")
    for day in (
        "2026-10-04",
        "2026-11-01",
        "2026-11-23",
    ):  # Lord Howe's clock jumped by half an hour on the first
        midnight = datetime.fromisoformat(day).replace(tzinfo=here).astimezone(UTC)
        spent = {midnight + timedelta(minutes=chance.randrange(-180, 180)) for _ in range(60)}
        spent |= {midnight + timedelta(minutes=minutes) for minutes in (-1, 0, -15, 15, -30, 30)}
        for at in spent:
            amount = f"0.{chance.randrange(1, 1000):03}"
            await book.spend("edge", at.isoformat(), amount, currency="EUR", team=chance.choice("ab"))
    for day in ("2026-11-01", "2026-11-23"):
        midnight = datetime.fromisoformat(day).replace(tzinfo=here).astimezone(UTC)
        for _ in range(4):
            if chance.random() < 0.6:
                await roller.roll_up(datetime(2026, 12, 1, tzinfo=UTC))
            now = midnight + timedelta(minutes=chance.randrange(181), seconds=chance.randrange(60))
            found = await read_live(database, BookProgress(), ClosedSums(), Onlooker("edge", EVERY_TEAM), now)
            month = now.astimezone(here).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            begun = {"today": midnight, "month_to_date": month, "last_hour": now - timedelta(hours=1)}
            for name, start in begun.items():
                told = sum((row.effective for row in found.spans[name].totals), Decimal(0))
                assert told == await booked(book, start, now), (name, now)


async def booked(book: Book, start: datetime, now: datetime) -> Decimal:
    """In the minutes from that of `start` to that of `now`, each whole."""
    found: Decimal = await book.connection.fetchval(
        "SELECT coalesce(sum(effective), 0) FROM rollups_minute WHERE tenant = 'edge' AND bucket >= date_trunc('minute', $1::timestamptz) "
        "AND bucket < date_bin('1 minute', $2::timestamptz - interval '1 microsecond', 'epoch') + interval '1 minute'",
        start.astimezone(UTC), now,
    )  # fmt: skip
    return found
