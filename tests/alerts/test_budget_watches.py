"""Budgets of every kind on real Postgres: what is read, opened, followed and ended; and rules that are read by change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.alerts import rules as rules_module
from services.alerts.rules import Rules
from tests.alerts.conftest import Book, transitions

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def budget(book: Book, amount: str, **columns: Any) -> str:
    values = {"name": "A budget", "currency": "USD", "period": "month", "filter": {}} | columns
    names = ", ".join(values)
    places = ", ".join(f"${number + 2}" for number in range(len(values)))
    made = await book.owner.fetchval(
        f"INSERT INTO budgets (tenant, amount, {names}) VALUES ('acme', $1, {places}) RETURNING id",
        Decimal(amount), *values.values(),
    )  # fmt: skip
    return str(made)


async def complete(book: Book) -> None:
    """All that was accepted is booked, as of now."""
    await book.owner.execute(
        "INSERT INTO log_ends (partition, read_at, log_end) VALUES (0, now(), 0) "
        "ON CONFLICT (partition) DO UPDATE SET read_at = now()"
    )


async def test_the_last_hours_are_told_while_they_are_over_and_ended_when_they_are_not(
    book: Book, watch: Any
) -> None:
    now = datetime.now(UTC)
    await complete(book)
    await budget(book, "10", period="rolling", last_hours=4)
    await book.spend("9", now - 2 * HOUR)
    await book.spend("8", now - 6 * HOUR)
    made = await watch()
    await made.look("last hours")
    assert await book.incidents() == []
    await book.spend("2", now)
    await made.look("last hours")
    (incident,) = await book.incidents()
    assert (incident["amount"], incident["state"]) == (11, "open")
    assert incident["title"] == "budget A budget passed 100 %: 11 of 10 USD spent in 4 hours"
    await book.correct("-1.99")
    await made.look("last hours")
    assert (await book.incidents())[0]["state"] == "open"  # 9.01 are not below nine tenths of 10
    await book.correct("-0.02")
    await complete(book)
    await made.look("last hours")
    (incident,) = await book.incidents()
    assert incident["resolution"] == "the last 4 hours came to 8.99 USD, well below 100 % of 10.00 USD"
    await book.spend("3", now)
    await made.look("last hours")
    assert [each["state"] for each in await book.incidents()] == ["resolved", "open"]
    await made.look("budgets")  # which leaves it alone, until no budget is left
    assert [each["state"] for each in await book.incidents()] == ["resolved", "open"]
    await book.owner.execute("UPDATE budgets SET deleted_at = now()")
    made = await watch()
    for of in ("last hours", "budgets"):
        await made.look(of)
    assert [each["state"] for each in await book.incidents()] == ["resolved", "resolved"]


async def test_a_fiscal_year_counts_all_of_it(book: Book, watch: Any) -> None:
    now = datetime.now(UTC)
    await budget(book, "10", period="year")
    await book.spend("6", now.replace(month=1, day=2))
    await book.spend("5", now)
    await (await watch()).look("budgets")
    (incident,) = await book.incidents()
    assert (incident["amount"], incident["period_start"].month) == (11, 1)


async def test_stated_days_that_are_over_or_to_come_are_not_watched(book: Book, watch: Any) -> None:
    now = datetime.now(UTC)
    today = now.date()
    await budget(book, "1", period="custom", starts_on=today + DAY, ends_on=today + 3 * DAY)
    running = await budget(book, "1", period="custom", starts_on=today - DAY, ends_on=today + DAY)
    await book.spend("5", now)
    await (await watch()).look("budgets")
    assert [each["rule_id"] for each in await book.incidents()] == [running]


async def test_usage_that_comes_when_a_period_is_over_is_told_once_if_it_crosses(
    book: Book, watch: Any
) -> None:
    now = datetime.now(UTC)
    await budget(book, "10", period="day", updated_at=now - 10 * DAY)
    late = (now - 3 * DAY).replace(hour=12)
    await book.spend("9", late)
    made = await watch()
    await made.look("late budgets")
    assert await book.incidents() == []
    await book.spend("2", late)
    made = await watch()
    for _ in range(2):
        await made.look("late budgets")
        await made.look("budgets")  # it neither renews nor ends it
    (incident,) = await book.incidents()
    assert (incident["amount"], incident["severity"], incident["state"]) == (11, "warning", "open")
    assert incident["title"] == "budget A budget passed 100 % after its period was over: 11 of 10 USD spent"
    assert await transitions(book) == ["opened"]
    await book.owner.execute("UPDATE incidents SET opened_at = opened_at - interval '25 hours'")
    await made.look("late budgets")
    assert (await book.incidents())[0]["resolution"] == "its period was over when it was told"
    await made.look("late budgets")
    assert len(await book.incidents()) == 1


async def test_each_value_of_a_dimension_has_a_budget_of_its_own(book: Book, watch: Any) -> None:
    now = datetime.now(UTC)
    await budget(book, "10", period="day", each="agent", filter={"team": "search"})
    await book.spend("12", now, team="search", agent="ranker")
    await book.spend("11", now, team="search", agent="triage")
    await book.spend("9", now, team="search", agent="idle")
    await book.spend("99", now, team="ads", agent="other")
    await book.spend("99", now, team="search")
    await book.spend("99", now, team="search", agent="~other")
    made = await watch()
    for _ in range(2):
        await made.look("each value")
        await made.look("budgets")
    found = await book.incidents()
    assert {each["scope"]["agent"]: each["amount"] for each in found} == {"ranker": 12, "triage": 11}
    assert await transitions(book) == ["opened", "opened"]
    await book.correct("-3", team="search", agent="ranker")
    await made.look("each value")
    states = {each["scope"]["agent"]: each["state"] for each in await book.incidents()}
    assert states == {"ranker": "resolved", "triage": "open"}
    await book.owner.execute("UPDATE budgets SET deleted_at = now()")
    await (await watch()).look("each value")
    assert {each["state"] for each in await book.incidents()} == {"resolved"}


async def test_each_run_has_a_budget_of_its_own_whatever_days_it_spans(book: Book, watch: Any) -> None:
    now = datetime.now(UTC)
    await budget(book, "10", period="week", each="run", filter={"workflow": "refund"})
    row = (
        "INSERT INTO runs (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, "
        "call_status, events, unpriced_events, list, contracted, effective, of_which_provisional, first_at, last_at, "
        "timed_events, latency_ms, latency_ms_max) "
        "VALUES ('acme', $1, $2, '', 'model', 'USD', '', 'openai', $3, '', 1, 0, $4, $4, $4, 0, $5, $6, 0, 0, 0)"
    )
    await book.owner.execute(row, "r1", "refund", "a", Decimal(6), now - DAY, now - DAY)
    await book.owner.execute(row, "r1", "refund", "b", Decimal(5), now, now)
    await book.owner.execute(row, "r2", "refund", "a", Decimal(9), now, now)
    await book.owner.execute(row, "r3", "other", "a", Decimal(90), now, now)
    await book.owner.execute(row, "r4", "refund", "a", Decimal(90), now - 8 * DAY, now)
    made = await watch()
    for _ in range(2):
        await made.look("each value")
    (incident,) = await book.incidents()
    assert (incident["scope"], incident["amount"]) == ({"workflow": "refund", "run": "r1"}, 11)


async def test_each_user_has_a_budget_of_the_month_of_utc(book: Book, watch: Any) -> None:
    await budget(book, "10", each="user")
    month = datetime.now(UTC).date().replace(day=1)
    row = "INSERT INTO user_months VALUES ('acme', $1, $2, 'USD', 1, $3, 0)"
    await book.owner.execute(row, month, "user:a1", Decimal("10.5"))
    await book.owner.execute(row, month, "user:b2", Decimal("9.9"))
    await book.owner.execute(row, (month - DAY).replace(day=1), "user:c3", Decimal(99))
    await (await watch()).look("each value")
    (incident,) = await book.incidents()
    assert (incident["scope"], incident["amount"]) == ({"user": "user:a1"}, Decimal("10.5"))
    assert incident["link"].endswith("&by=sku")


async def test_rules_are_read_of_those_alone_that_changed_something(book: Book, pool: asyncpg.Pool) -> None:
    await book.tenant("globex")
    rules = Rules(pool)
    first = await rules.read()
    assert (await rules.read())["acme"] is first["acme"]
    made = await budget(book, "10")
    second = await rules.read()
    assert [each.id for each in second["acme"].budgets] == [made]
    assert second["globex"] is first["globex"]
    # However it is dated: changes are counted by who makes them.
    await book.owner.execute("UPDATE budgets SET amount = 20, updated_at = '2020-01-01T00:00Z'")
    assert (await rules.read())["acme"].budgets[0].amount == 20
    await book.owner.execute("DELETE FROM budgets")
    assert (await rules.read())["acme"].budgets == ()


async def test_rules_of_tenants_that_are_not_ours_are_not_read_until_they_are(
    book: Book, pool: asyncpg.Pool
) -> None:
    await book.tenant("globex")
    ours = {"acme"}
    rules = Rules(pool, ours.__contains__)
    assert set(await rules.read()) == {"acme"}
    ours.add("globex")
    assert set(await rules.read()) == {"acme", "globex"}
    ours.remove("acme")
    assert set(await rules.read()) == {"globex"}


async def test_what_a_limit_leaves_unwatched_is_said(
    book: Book, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Rules(pool)
    await budget(book, "10")
    await rules.read()
    assert rules.not_watched() == ""
    monkeypatch.setattr(rules_module, "BUDGETS_MAX", 1)
    second = await budget(book, "20")
    assert len((await rules.read())["acme"].budgets) == 1
    assert rules.not_watched() == "not watched: budgets of acme beyond the first 1"
    await book.owner.execute("DELETE FROM budgets WHERE id = $1", second)
    await rules.read()
    assert rules.not_watched() == ""
    await book.tenant("globex")
    monkeypatch.setattr(rules_module, "TENANTS_MAX", 1)
    await rules.read()
    assert rules.not_watched() == "not watched: 1 tenants beyond the first 1"
