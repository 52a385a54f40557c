"""Changed days: each told once however often it changed, again when it changes again, and not lost with a send."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from unittest.mock import AsyncMock
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from spendmeter.book.changed import DAYS_MAX, ChangedDays, day_of
from spendmeter.contracts.topics import SPEND_TOTALS
from spendmeter.contracts.totals import SpendChanged, decode_changed
from spendmeter.platform.kafka import producer, running
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def test_a_minute_is_told_by_its_day_in_utc() -> None:
    late = datetime(2026, 11, 24, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert day_of("acme", late) == day_of("acme", datetime(2026, 11, 23, 1, tzinfo=UTC)) == ("acme", MONDAY)


async def test_a_day_is_told_once_a_time_and_what_was_not_sent_is_told_later(
    kafka_access: KafkaAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"{uuid4().hex[:8]}."
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics([SPEND_TOTALS], prefix=prefix, partitions=2)
    topic = prefix + SPEND_TOTALS.name
    sender = producer(Settings(kafka=kafka_access, topic_prefix=prefix), service="test")
    changed = ChangedDays(sender, topic)
    for _ in range(1000):
        assert changed.add([("acme", MONDAY), ("acme", TUESDAY), ("other", MONDAY)]) == 0
    reader = AIOKafkaConsumer(topic, **kafka_access.options(), auto_offset_reset="earliest")
    async with running(sender, reader):
        with monkeypatch.context() as away:
            away.setattr(sender, "partitions_for", AsyncMock(side_effect=KafkaConnectionError))
            with pytest.raises(KafkaConnectionError):
                await changed.publish()
        await changed.publish()
        await changed.publish()  # nothing new
        changed.add([("acme", MONDAY)])
        await changed.publish()
        told = []
        while records := await reader.getmany(timeout_ms=1000):
            told += [decode_changed(record.value) for batch in records.values() for record in batch]
    acme = [one.day for one in told if one.tenant == "acme"]
    assert acme == [MONDAY, TUESDAY, MONDAY]
    assert [one for one in told if one.tenant != "acme"] == [SpendChanged(tenant="other", day=MONDAY)]


def test_what_waits_is_bounded_and_what_is_known_still_counts() -> None:
    changed = ChangedDays(AIOKafkaProducer.__new__(AIOKafkaProducer), "a topic")
    days = [(f"t{number}", MONDAY) for number in range(DAYS_MAX)]
    assert changed.add(days) == 0
    assert changed.add([("late", MONDAY), ("t7", MONDAY), ("t7", MONDAY + timedelta(days=1))]) == 2
