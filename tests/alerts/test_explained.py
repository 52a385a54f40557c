"""An incident that opens says what explains it: kept in its details, and in its summary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.alerts.incidents.incident import UPDATE_AGE_MIN
from services.alerts.notify.queue import TOPIC
from services.alerts.scopes import MINUTE
from services.alerts.watch import TenantWatch
from services.alerts.watches import explanations
from tests.alerts.conftest import Book

Watch = Callable[[], Awaitable[TenantWatch]]


async def at(watch: TenantWatch, now: datetime) -> None:
    """A look at anomalies in that moment."""
    await next(look for look in watch._looks if look.of == "anomalies").look(now)


async def burst(book: Book) -> datetime:
    """Two agents on two models, 1.00 each a minute, for twelve minutes; then half a minute of 40.00 by one on one."""
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    for ago in range(13):
        for agent in ("triage", "search"):
            for sku in ("small", "large"):
                risen = not ago and (agent, sku) == ("triage", "large")
                await book.spend(
                    "40" if risen else "1" if ago else "0.5", now - ago * MINUTE, agent=agent, sku=sku
                )
    await book.owner.execute("UPDATE series SET first_seen = $1", now - timedelta(minutes=30))
    return now


async def test_an_incident_says_which_combination_and_why(book: Book, watch: Watch) -> None:
    now = await burst(book)
    await at(await watch(), now)
    (incident,) = await book.incidents()
    assert incident["scope"] == {"agent": "triage", "sku": "large"}
    assert incident["title"].startswith("agent triage on model large spends ")
    # Its money is its own: nothing of the 0.50 on the other model; 12.00 in the 29 whole minutes before.
    assert (incident["amount"], round(incident["expected_per_hour"], 2)) == (40, Decimal("24.83"))
    explanation = incident["details"]["explanation"]
    # Of the 40.50 in half a minute 40.00 are of that model; each had 12.00 in the half hour before, which is 0.20 in this.
    assert [cause["scope"] for cause in explanation["causes"]] == [{"sku": "large"}]
    assert explanation["causes"][0]["amount"] == "40"
    assert explanation["split"]["change"] == explanation["causes"][0]["excess"]
    assert "is model large (40.00 USD, expected" in incident["summary"]


async def test_what_cannot_be_explained_in_time_is_told_without(
    book: Book, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await burst(book)
    monkeypatch.setattr(explanations, "EXPLAIN_S_MAX", 0.0)
    await at(await watch(), now)
    (incident,) = await book.incidents()
    assert incident["scope"] == {"agent": "triage"}
    assert "explanation" not in incident["details"]
    assert "% of it is model large" in incident["summary"] or "large" in incident["summary"]


async def test_what_explains_it_too_late_names_it_in_place_and_is_no_message(
    book: Book, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await burst(book)
    await book.channel("https://hooks.example.org/")
    anomalies = await watch()
    with monkeypatch.context() as away:
        away.setattr(explanations, "EXPLAIN_S_MAX", 0.0)
        await at(anomalies, now)
    (before,) = await book.incidents()
    await at(anomalies, now + UPDATE_AGE_MIN)
    (after,) = await book.incidents()
    assert after["title"].startswith("model large: agent triage spends ")
    assert (after["id"], after["number"], after["scope"]) == (before["id"], 0, {"agent": "triage"})
    told = "SELECT transition FROM deliveries WHERE channel_id <> $1 ORDER BY created_at"
    assert [row["transition"] for row in await book.owner.fetch(told, TOPIC)] == ["opened"]


async def test_workers_that_explain_it_differently_open_it_once(
    book: Book, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await burst(book)
    await at(await watch(), now)
    monkeypatch.setattr(explanations, "EXPLAIN_S_MAX", 0.0)
    await at(await watch(), now)
    (incident,) = await book.incidents()
    assert (incident["scope"], incident["number"]) == ({"agent": "triage", "sku": "large"}, 0)


async def test_other_money_of_the_agent_is_an_incident_of_its_own(book: Book, watch: Watch) -> None:
    now = await burst(book)
    await at(await watch(), now)
    await book.spend("30", now, agent="triage", sku="small")
    await at(await watch(), now + timedelta(seconds=5))
    incidents = await book.incidents()
    assert [each["scope"]["sku"] for each in incidents] == ["large", "small"]
    assert incidents[1]["amount"] == Decimal("30.5")


async def test_two_combinations_at_once_are_both_in_the_title(book: Book, watch: Watch) -> None:
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    risen = {("triage", "large"), ("search", "small")}
    agents, models = ("triage", "search", "review", "mail"), ("large", "small", "tiny", "vision")
    for ago in range(13):
        for agent in agents:
            for sku in models:
                amount = "40" if not ago and (agent, sku) in risen else "1" if ago else "0.5"
                await book.spend(amount, now - ago * MINUTE, agent=agent, sku=sku)
    await book.owner.execute("UPDATE series SET first_seen = $1", now - timedelta(minutes=13))
    await at(await watch(), now)
    (incident,) = await book.incidents()
    assert incident["scope"] == {"provider": "openai"}  # all of whom there is no better value
    assert incident["title"].startswith(
        "agent search on model small and agent triage on model large: provider openai spends "
    )
