"""An incident that opens says what explains it: kept in its details, and in its summary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

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
    assert incident["scope"] == {"agent": "triage"}
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
    assert "explanation" not in incident["details"]
    assert "% of it is model large" in incident["summary"] or "large" in incident["summary"]
