"""What spends for the first time is told once, when it has come to something; so is what has no price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.alerts.firsts.firsts import ValueSpend, together
from services.alerts.watch import TenantWatch
from tests.alerts.conftest import Book

OLD = {"sku": "gpt-4o", "agent": "triage", "key_id": "k1"}
DEAR = {"sku": "gpt-9-ultra", "agent": "triage", "key_id": "k1"}


async def met(book: Book, days_ago: float, **scope: str) -> None:
    """So long ago the series of these values were first booked."""
    for dimension, value in scope.items():
        await book.owner.execute(
            f"UPDATE series SET first_seen = now() - $1::interval WHERE {dimension} = $2",
            timedelta(days=days_ago),
            value,
        )


@pytest.fixture
async def usual(book: Book, watch: Any) -> TenantWatch:
    """A tenant of four months that spends as ever."""
    now = datetime.now(UTC)
    for day in range(5):
        await book.spend("3", now - timedelta(days=day), **OLD)
    await met(book, 120, **OLD)
    made: TenantWatch = await watch()
    return made


async def test_a_new_dear_model_is_told_once_with_what_it_costs_and_who_uses_it(
    book: Book, usual: TenantWatch
) -> None:
    await book.spend("0.40", **DEAR)
    await usual.look("firsts")
    assert await book.incidents() == []  # 0.40 is not worth a word
    await book.spend("11.60", **DEAR)
    await usual.look("firsts")
    await usual.look("firsts")
    [incident] = await book.incidents()
    assert (incident["kind"], incident["scope"], incident["severity"]) == (
        "first",
        {"sku": "gpt-9-ultra"},
        "info",
    )
    assert incident["amount"] == Decimal("12.00")
    assert incident["title"] == "model gpt-9-ultra of openai spends for the first time: 12 USD"
    assert "100 % of it is agent=triage" in incident["summary"]
    assert incident["suggested_action"].startswith("Ask whether gpt-9-ultra is meant to be used")


async def test_a_model_that_another_team_knows_is_nothing_new(book: Book, usual: TenantWatch) -> None:
    await book.spend("50", team="new-team", **OLD)
    await usual.look("firsts")
    assert await book.incidents() == []


async def test_a_deploys_new_version_is_nothing_new(book: Book, usual: TenantWatch) -> None:
    await book.spend("50", workflow="answer", workflow_version="v81", **OLD)
    await usual.look("firsts")
    assert await book.incidents() == []


async def test_what_wakes_after_a_long_while_is_told_and_what_paused_for_a_week_is_not(
    book: Book, usual: TenantWatch
) -> None:
    now = datetime.now(UTC)
    for agent, days in (("monthly", 60), ("weekly", 8)):
        await book.spend("2", now - timedelta(days=days), **OLD | {"agent": agent})
        await book.spend("5", **OLD | {"agent": agent})
        await met(book, 100, agent=agent)
    await usual.look("firsts")
    [incident] = await book.incidents()
    assert (incident["scope"], incident["details"]["why"]) == ({"agent": "monthly"}, "woke")
    assert "had not spent for long" in incident["summary"]


async def test_a_new_provider_is_told_with_its_model(book: Book, usual: TenantWatch) -> None:
    await book.spend("20", provider="mistral", sku="large-9", agent="triage", key_id="k1")
    await usual.look("firsts")
    assert [each["scope"] for each in await book.incidents()] == [{"sku": "large-9"}]


async def test_of_a_tenant_that_has_just_begun_nothing_is_news_but_what_has_no_price(
    book: Book, watch: Any
) -> None:
    await book.spend("20", **OLD)
    await book.spend("8", provisional="8", **DEAR)
    made = await watch()
    await made.look("firsts")
    [incident] = await book.incidents()
    assert incident["scope"] == {"sku": "gpt-9-ultra", "provider": "openai"}
    assert incident["severity"] == "warning"
    assert incident["title"] == "model gpt-9-ultra of openai has no price: 8 USD are an upper bound"


async def test_what_has_no_price_is_told_by_its_events_and_is_over_when_it_has_one(
    book: Book, usual: TenantWatch
) -> None:
    await book.spend("0", **OLD | {"sku": "gpt-5.9"})
    await book.owner.execute(
        "UPDATE rollups_minute SET unpriced_events = events WHERE series_id IN "
        "(SELECT series_id FROM series WHERE sku = 'gpt-5.9')"
    )
    await met(book, 20, sku="gpt-5.9")
    await usual.look("firsts")
    [incident] = await book.incidents()
    assert incident["title"] == "model gpt-5.9 of openai has no price: 1 events are booked without an amount"
    await book.owner.execute("UPDATE rollups_minute SET unpriced_events = 0")
    await usual.look("firsts")
    [incident] = await book.incidents()
    assert (incident["state"], incident["resolution"]) == (
        "resolved", "all that it spent since yesterday has a price"
    )  # fmt: skip


async def test_it_is_over_when_it_is_known_for_a_day(book: Book, usual: TenantWatch) -> None:
    await book.spend("12", **DEAR)
    await usual.look("firsts")
    await book.owner.execute("UPDATE incidents SET opened_at = now() - interval '25 hours'")
    await usual.look("firsts")
    assert [each["state"] for each in await book.incidents()] == ["resolved"]
    await usual.look("firsts")
    assert [each["state"] for each in await book.incidents()] == ["resolved"]


async def test_what_a_bill_says_is_not_seen_for_the_first_time(book: Book, usual: TenantWatch) -> None:
    await book.owner.execute(
        "INSERT INTO api_keys VALUES ('bills', 'acme', 'bills', '\\x01', '{import}', false) ON CONFLICT DO NOTHING"
    )
    await book.spend("900", provider="aws", sku="AmazonEC2", key_id="bills")
    await usual.look("firsts")
    assert await book.incidents() == []


async def test_what_a_commitment_left_unused_is_no_model_that_somebody_uses(
    book: Book, usual: TenantWatch
) -> None:
    await book.spend("900", provider="anthropic", sku="true-up", key_id="")
    await usual.look("firsts")
    assert await book.incidents() == []


async def test_a_rule_that_is_switched_off_or_dearer_says_nothing(
    book: Book, usual: TenantWatch, watch: Any
) -> None:
    await book.spend("12", **DEAR)
    for settings, enabled in (
        ({"amount_min": "13"}, True),
        ({}, False),
        ({"subjects": ["provider", "unpriced"]}, True),
    ):
        await book.owner.execute("DELETE FROM alert_rules")
        await book.owner.execute(
            "INSERT INTO alert_rules (tenant, rule_id, of, name, settings, severity, enabled, reason, by) "
            "VALUES ('acme', 'first-seen', 'first', 'n', $1, 'info', $2, 'r', 'key k')",
            settings,
            enabled,
        )
        await (await watch()).look("firsts")
    assert await book.incidents() == []


def spent(amount: str, leader: bytes, of_leader: str, sku: str = "gpt-4o") -> ValueSpend:
    return ValueSpend(
        dimension="sku", value=sku, provider="openai", effective=Decimal(amount), provisional=Decimal(0),
        events=2, unpriced_events=1, leader=leader, leader_amount=Decimal(of_leader),
    )  # fmt: skip


def test_two_days_and_the_minutes_since_add_up_to_the_cent_and_the_dearest_are_kept() -> None:
    base = [spent("10.01", b"a", "6"), spent("3", b"c", "3", "o3")]
    [same, small] = together(base, [spent("2.02", b"a", "2.02")], values_max=5)
    assert (same.effective, same.leader, same.leader_amount) == (Decimal("12.03"), b"a", Decimal("8.02"))
    assert (same.events, same.unpriced_events, small.value) == (4, 2, "o3")
    [other] = together(base, [spent("9", b"b", "9")], values_max=1)
    assert (other.effective, other.leader, other.leader_amount) == (Decimal("19.01"), b"b", Decimal(9))
    assert [each.value for each in together(base, [spent("9", b"c", "9", "o3")], 2)] == ["o3", "gpt-4o"]
