"""The alerts process on real Kafka and Postgres: opened once, missed never, told with one id."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiokafka import AIOKafkaConsumer
from standardwebhooks import Webhook

from spendmeter.contracts.incidents import decode_incident
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.topics import ALERTS_EVENTS, SPEND_TOTALS, partition_of
from spendmeter.contracts.totals import SpendChanged, SpendTotal, encode_changed, encode_total
from spendmeter.platform.kafka import producer
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from tests.alerts.conftest import WEBHOOK_SECRET, Book, Listener

USUAL = {
    "triage": {"team": "support", "agent": "triage", "workflow": "answer"},
    "reviewer": {"team": "devtools", "agent": "reviewer", "workflow": "review", "sku": "claude-opus-4-5"},
    "none": {"team": "search", "workflow": "rank"},
}
RUNAWAY = {"team": "research", "agent": "deep", "workflow": "deep", "key_id": "k1", "sku": "claude-opus-4-5"}


async def history(book: Book, minutes: int = 10) -> None:
    """The last minutes of a tenant that spends a few dollars a minute, this one included."""
    now = datetime.now(UTC)
    for minute in range(minutes + 1):
        for place, scope in enumerate(USUAL.values()):
            await book.spend(f"{place + 1}.0{minute}", now - timedelta(minutes=minute), **scope)
    await book.spend("0.01", now - timedelta(minutes=minutes), **RUNAWAY)


async def events(kafka: KafkaAccess, prefix: str) -> list[Any]:
    """Everything on alerts.events."""
    topic = prefix + ALERTS_EVENTS.name
    consumer = AIOKafkaConsumer(topic, **kafka.options(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[Any] = []
        while records := await consumer.getmany(timeout_ms=1000):
            found += [record for batch in records.values() for record in batch]
        return [(record.key.decode(), decode_incident(record.value)) for record in found]
    finally:
        await consumer.stop()


async def test_a_runaway_raises_one_incident_of_each_kind_within_ten_seconds(
    book: Book, new_worker: Any, new_listener: Any, kafka_access: KafkaAccess, prefix: str
) -> None:
    """No total is ever published here: the sweep alone must be fast enough. Two workers, and one page in all:
    the channel hears of the burst and of the budget that it breaks as one incident."""
    listener: Listener = await new_listener()
    await book.channel(listener.url)
    await history(book)
    budget = await book.budget("5", period="day", agent="deep")
    await book.budget("100000")
    first, second = new_worker(), new_worker()
    await asyncio.gather(first.start(), second.start())
    assert await book.incidents() == []

    began, spent = time.monotonic(), Decimal(0)
    while time.monotonic() - began < 10:
        await book.spend("0.4", **RUNAWAY)
        spent += Decimal("0.4")
        await asyncio.sleep(0.25)
        if len(await book.incidents()) == 2:
            break
    opened = await book.wait_for_incidents(2, seconds=0.1)
    took = time.monotonic() - began
    print(f"both incidents {took:.1f} s after the first runaway call")
    for _ in range(12):  # it goes on for a while: nothing more is opened
        await book.spend("1", **RUNAWAY)
        await asyncio.sleep(0.25)
    opened = await book.incidents()
    assert sorted(each["kind"] for each in opened) == ["anomaly", "budget"]
    for incident in opened:
        assert incident["scope"] == {"agent": "deep"}
        assert incident["rate_per_hour"] > 1000
        assert incident["top_contributor"]["dimensions"]["agent"] == "deep"
        assert Decimal(incident["top_contributor"]["share"]) > Decimal("0.9")
        assert Decimal("1") < incident["amount"] < spent + 20
        assert "agent=deep" in incident["summary"]
        assert "per hour" in incident["summary"]
    assert opened[0]["rule_id"] == str(budget) or opened[1]["rule_id"] == str(budget)

    await listener.wait_for(2)
    messages = [Webhook(WEBHOOK_SECRET).verify(body, headers) for headers, body in listener.requests]
    # spend of three budgets and more is told again: it doubled (5 USD a day, some 17 are spent)
    assert {told["type"] for told in messages} <= {"incident.opened", "incident.grew"}
    ids = {str(incident["id"]) for incident in opened}
    (whole,) = (told["data"]["incident_id"] for told in messages if told["type"] == "incident.opened")
    assert {told["data"]["incident_id"] for told in messages} == {whole}
    [part] = ids - {whole}
    parts = [told["data"]["details"].get("parts", []) for told in messages]
    assert part in [each["incident"] for each in parts[-1]]
    assert {str(incident["parent"]) for incident in opened} == {whole, "None"}
    on_topic = [event for _, event in await events(kafka_access, prefix) if event.transition == "opened"]
    assert sorted(event.incident_id for event in on_topic) == sorted(ids)
    assert first.stop() == 0
    assert second.stop() == 0


async def test_a_total_wakes_and_what_is_no_total_is_skipped(
    book: Book, new_worker: Any, kafka_access: KafkaAccess, prefix: str
) -> None:
    await book.budget("10")
    worker = new_worker()
    await worker.start()
    settings = Settings(kafka=kafka_access, topic_prefix=prefix)
    sender = producer(settings, service="test")
    await sender.start()
    topic, partition = prefix + SPEND_TOTALS.name, partition_of(b"acme", 2)
    rubbish = [b"", None, b"{}", b"\xff\xfe", b"[" * 5000, *(secrets.token_bytes(99) for _ in range(20))]
    series = Series(provider="openai", sku="gpt-4o")
    total = SpendTotal(
        tenant="acme", series_id=series_id(series).hex(), dimensions=series,
        bucket_start=datetime.now(UTC).replace(second=0, microsecond=0), version=1, currency="USD",
        list="1", contracted="1", effective="1", of_which_provisional="0", events=1, unpriced_events=0, usage={},
    )  # fmt: skip
    try:
        await book.spend("11")
        began = time.monotonic()
        for value in rubbish:
            await sender.send_and_wait(topic, value, key=b"acme", partition=partition)
        changed = encode_changed(SpendChanged(tenant="acme", day=date(2026, 11, 2)))
        await sender.send_and_wait(topic, changed, key=b"acme", partition=partition)
        last = await sender.send_and_wait(topic, encode_total(total), key=b"acme", partition=partition)
        await book.wait_for_incidents(1)
        print(f"woken {time.monotonic() - began:.2f} s after the total")
        async with asyncio.timeout(10):
            metrics = await worker.metrics()
            while not re.search(rf"^spendmeter_alerts_totals_skipped\S* {len(rubbish)}\.0$", metrics, re.M):
                await asyncio.sleep(0.2)
                metrics = await worker.metrics()
            async with KafkaAdmin(kafka_access) as admin:
                while last.offset + 1 not in (await admin.committed(prefix + "alerts")).values():
                    await asyncio.sleep(0.2)
    finally:
        await sender.stop()


async def test_a_worker_killed_mid_delivery_sends_it_again_with_the_same_id(
    book: Book, new_worker: Any, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    listener.delay_s = 30
    await book.channel(listener.url)
    await book.budget("10")
    worker = new_worker()
    await worker.start()
    await book.spend("11")
    await listener.wait_for(1)
    worker.kill()
    listener.delay_s = 0
    await book.owner.execute(
        "UPDATE deliveries SET claimed_until = now() WHERE state = 'pending'"
    )  # it ran out
    new_worker().spawn()  # it is told nothing while Kafka waits for its predecessor, and watches all the same
    await listener.wait_for(2, seconds=20)
    assert len({headers["webhook-id"] for headers, _ in listener.requests}) == 1
    assert len({body for _, body in listener.requests}) == 1
    assert len(await book.incidents()) == 1
    await book.spend("5")  # what it knew of the first 11 died with its predecessor
    async with asyncio.timeout(25):
        while (await book.incidents())[0]["amount"] != 16:
            await asyncio.sleep(0.5)
    assert len(await book.incidents()) == 1
    pending = "SELECT count(*) FROM deliveries WHERE state = 'pending' AND transition = 'opened'"
    assert await book.owner.fetchval(pending) == 0


async def test_new_budgets_changes_and_acknowledgements_take_effect_within_two_seconds(
    book: Book, new_worker: Any, new_listener: Any
) -> None:
    listener: Listener = await new_listener()
    await book.channel(listener.url)
    await book.spend("11")
    worker = new_worker()
    await worker.start()
    budget = await book.budget("10")
    (incident,) = await book.wait_for_incidents(1, seconds=3)
    await book.owner.execute(
        "INSERT INTO incident_acts (tenant, incident_id, act, by) VALUES ('acme', $1, 'acknowledge', 'ann')",
        incident["id"],
    )
    await listener.wait_for(2, seconds=4)
    assert (await book.incidents())[0]["state"] == "acknowledged"
    await book.owner.execute("UPDATE budgets SET amount = 20, revision = revision + 1 WHERE id = $1", budget)
    await listener.wait_for(3, seconds=4)
    assert [json.loads(body)["type"] for _, body in listener.requests] == [
        "incident.opened", "incident.acknowledged", "incident.resolved",
    ]  # fmt: skip
    (incident,) = await book.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "the budget was changed or deleted")
    await book.spend("10")
    assert len(await book.wait_for_incidents(2, seconds=8)) == 2  # re-armed: its new revision is crossed, too
