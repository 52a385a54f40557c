"""The same on the real book: what is new within an open incident's scope, repeats, and growth, each told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.alerts.incidents.acts import obey
from services.alerts.notify.queue import TOPIC
from services.alerts.scopes import MINUTE
from services.alerts.watch import TenantWatch
from tests.alerts.conftest import Book

KEY = {"key_id": "k1"}


async def messages(book: Book) -> list[tuple[str, int, dict[str, str]]]:
    """What the channel was told: transition, number and scope, oldest first."""
    rows = await book.owner.fetch(
        "SELECT d.transition, d.number, i.scope FROM deliveries d JOIN incidents i ON i.id = d.incident_id "
        "WHERE d.channel_id <> $1 ORDER BY d.created_at, d.number",
        TOPIC,
    )
    return [tuple(row.values()) for row in rows]


async def at(watch: TenantWatch, now: datetime) -> None:
    """A look at anomalies in that moment."""
    await next(look for look in watch._looks if look.of == "anomalies").look(now)


async def key_bursts(book: Book, watch: Any) -> tuple[TenantWatch, datetime]:
    """A key of two agents, 1.00 each a minute, and an incident of both together."""
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    await book.channel("https://example.com/a")
    for minute in range(1, 13):
        for agent in ("triage", "search"):
            await book.spend("1", now - timedelta(minutes=minute), agent=agent, **KEY)
        await book.spend("4", now - timedelta(minutes=minute), agent="review", key_id="k2")
    made = await watch()
    for agent in ("triage", "search"):
        await book.spend("20", now, agent=agent, **KEY)
    await at(made, now)
    assert await messages(book) == [("opened", 0, KEY)]
    return made, now


async def test_a_second_agent_of_a_key_with_an_open_incident_is_told(book: Book, watch: Any) -> None:
    made, now = await key_bursts(book, watch)
    await book.spend("20", now, agent="scraper", **KEY)
    await at(made, now + timedelta(seconds=5))
    await at(made, now + timedelta(seconds=6))
    assert await messages(book) == [("opened", 0, KEY), ("opened", 0, {"agent": "scraper"})]


async def test_a_part_that_grows_is_told_once_as_the_same_incident(book: Book, watch: Any) -> None:
    """Told were 40 of triage in half a minute; two minutes later it is at 200 in half a one."""
    made, now = await key_bursts(book, watch)
    for agent, amount in (("triage", "200"), ("search", "20")):
        await book.spend(amount, now + 2 * MINUTE, agent=agent, **KEY)
    for seconds in (0, 1, 20):
        await at(made, now + 2 * MINUTE + timedelta(seconds=seconds))
    assert await messages(book) == [("opened", 0, KEY), ("grew", 1, KEY)]
    (incident,) = await book.incidents()
    assert incident["number"] == 1
    assert incident["details"]["grew"]["value"] in ("triage", "k1")


async def test_what_was_over_and_begins_again_is_the_same_incident_told_as_a_repeat(
    book: Book, watch: Any
) -> None:
    made, now = await key_bursts(book, watch)
    (first,) = await book.incidents()
    await book.owner.execute(
        "INSERT INTO incident_acts (tenant, incident_id, act, by, at) "
        "VALUES ('acme', $1, 'acknowledge', 'ann', now() - interval '1 hour')",
        first["id"],
    )
    for minute in range(1, 10):
        for agent in ("triage", "search"):
            await book.spend("1", now + minute * MINUTE, agent=agent, **KEY)
        await at(made, now + minute * MINUTE)
    (over,) = await book.incidents()
    assert (over["state"], over["repeats"]) == ("resolved", 0)
    for agent in ("triage", "search"):
        await book.spend("20", now + 10 * MINUTE, agent=agent, **KEY)
    await at(made, now + 10 * MINUTE)
    await at(made, now + 10 * MINUTE + timedelta(seconds=1))
    assert await messages(book) == [("opened", 0, KEY), ("resolved", 1, KEY), ("repeated", 2, KEY)]
    (again,) = await book.incidents()
    assert (again["id"], again["state"], again["repeats"]) == (first["id"], "open", 1)
    assert (again["resolved_at"], again["resolution"]) == (None, "")
    assert again["title"].startswith("key ")
    assert " spends " in again["title"]
    assert again["title"].endswith(", usually 120 (2nd time in 10 min)")
    assert again["amount"] == 40  # of this time; the first's 40 had a minute of what is usual beside it
    assert "It is the 2nd time: 82.00 USD in all." in again["summary"]
    await obey(made._shared.store, datetime.now(UTC))
    assert (await book.incidents())[0]["state"] == "open"
