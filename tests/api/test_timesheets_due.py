"""When hours of work that were written down are sent. Pure: nothing is asked but what a turn would do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.api.assets.accruing import AccrualWork, _work
from services.api.assets.models import NewAsset
from services.api.assets.registering import new_asset
from spendmeter.pricing.accruals.timesheets import Timesheet

MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sheet(name: str, day: date) -> Timesheet:
    return Timesheet(
        entry_id=name, revision=1, day=day, hours=Decimal(1), amount=Decimal(80), labels={}, first_labels={},
        author="key k1", reason="", recorded_at=MORNING,
    )  # fmt: skip


def work(now: datetime, *sheets: Timesheet) -> AccrualWork:
    body = NewAsset(
        id="counsel", kind="labour", name="Counsel", starts_on=date(2026, 11, 1), rate_per_hour="80",
        ends_on=date(2026, 11, 10),
    )  # fmt: skip
    asset = new_asset(body, tenant="acme", currency="USD", zone=ZoneInfo("UTC"), author="key k1", now=MORNING)
    over = datetime(2026, 11, 10, tzinfo=UTC)
    row: Any = {
        "at": now, "sent_until": over, "claimed_until": over, "amended": 1, "amended_until": None, "revision": 1,
    }  # fmt: skip
    return _work(row, asset, sheets, 500)


def test_hours_of_today_are_sent_from_noon_on_and_keep_none_of_other_days_back() -> None:
    """Their event is at noon, and ingest refuses what is more than an hour ahead: all of what is with it."""
    yesterday, today = sheet("w-1", date(2026, 11, 19)), sheet("w-2", date(2026, 11, 20))
    first = work(MORNING, today, yesterday)
    assert (first.sheets, [event["id"] for event in first.events]) == ([yesterday], ["timesheet/w-1"])
    assert first.due_at == MORNING, "there may be more"
    waiting = work(MORNING, today)
    assert (waiting.sheets, waiting.events, waiting.due_at) == ([], [], NOON)
    assert [event["id"] for event in work(NOON, today).events] == ["timesheet/w-2"]
    assert work(NOON + timedelta(hours=1)).due_at is None
