"""A budget's forecast over the API, and how good forecasts were: told from what was kept alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx

from services.api.budgets.forecasts import KeptForecast, accuracy_of
from tests.api.book import Book
from tests.api.test_governing import make

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def forecast(book: Book, budget: Any, table: str, **changed: Any) -> None:
    """A row as alerts writes it: the budget's open period, forecast just now."""
    row = {
        "tenant": "acme", "budget_id": UUID(budget["id"]), "revision": budget["revision"],
        "period_start": datetime.fromisoformat(budget["period_start"]),
        "period_end": datetime.fromisoformat(budget["period_end"]), "day": date(2026, 11, 20),
        "cut_off": datetime(2026, 11, 20, 12, tzinfo=UTC), "filter": "{}", "amount": Decimal(100),
        "currency": "USD", "spent": Decimal(60), "run_rate": Decimal(92), "p10": Decimal(80), "p50": Decimal(90),
        "p90": Decimal("110.5"), "armed": True, "why": "",
    } | changed  # fmt: skip
    places = ", ".join(f"${number + 1}" for number in range(len(row)))
    await book.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


async def asked(client: httpx.AsyncClient, budget: Any) -> Any:
    answer = await client.get(f"/v1/budgets/{budget['id']}/forecast")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_budget_has_its_newest_forecast_and_none_before_it_was_made(
    acme: httpx.AsyncClient, book: Book
) -> None:
    budget = await make(acme)
    assert budget["forecast"] is None
    assert (await asked(acme, budget))["forecast"] is None
    await forecast(book, budget, "latest_forecasts")
    said = (await asked(acme, budget))["forecast"]
    assert {name: said[name] for name in ("as_of", "spent", "p10", "p50", "p90", "run_rate", "armed", "why_not")} == {
        "as_of": "2026-11-20T12:00:00Z", "spent": "60", "p10": "80", "p50": "90", "p90": "110.5",
        "run_rate": "92", "armed": True, "why_not": "",
    }  # fmt: skip
    assert (await acme.get("/v1/budgets")).json()["budgets"][0]["forecast"] == said


async def test_a_budget_that_was_changed_has_no_forecast_until_it_is_made_anew(
    acme: httpx.AsyncClient, book: Book
) -> None:
    budget = await make(acme)
    await forecast(book, budget, "latest_forecasts")
    await acme.patch(f"/v1/budgets/{budget['id']}", json={"amount": "200"})
    assert (await asked(acme, budget))["forecast"] is None


async def test_too_little_history_is_said_and_no_range_is_made_up(
    acme: httpx.AsyncClient, book: Book
) -> None:
    budget = await make(acme)
    why = "too early: 5 of 14 days of history"
    await forecast(book, budget, "latest_forecasts", p10=None, p50=None, p90=None, armed=False, why=why)
    said = (await asked(acme, budget))["forecast"]
    assert (said["p50"], said["run_rate"], said["armed"], said["why_not"]) == (None, "92", False, why)


async def test_thresholds_of_the_forecast_are_set_and_arm_nothing_else_again(acme: httpx.AsyncClient) -> None:
    budget = await make(acme)
    assert budget["forecast_thresholds_percent"] == ["100"]
    for said, kept in (([80, "120.5"], ["80", "120.5"]), ([], [])):
        changed = await acme.patch(f"/v1/budgets/{budget['id']}", json={"forecast_thresholds_percent": said})
        assert (changed.json()["forecast_thresholds_percent"], changed.json()["revision"]) == (kept, 1)
    assert (await make(acme, forecast_thresholds_percent=[]))["forecast_thresholds_percent"] == []
    assert (
        await acme.post("/v1/budgets", json={"name": "b", "amount": "1", "forecast_thresholds_percent": [0]})
    ).status_code == 422


async def test_accuracy_is_of_kept_forecasts_of_periods_that_are_over_against_what_was_booked(
    acme: httpx.AsyncClient, book: Book
) -> None:
    budget = await make(acme)
    first = datetime.now(UTC).date().replace(day=1)
    for _ in range(3):
        beyond, first = first, (first - timedelta(days=1)).replace(day=1)
        start, end = (datetime(each.year, each.month, each.day, tzinfo=UTC) for each in (first, beyond))
        await book.spend("acme", (start + timedelta(days=2)).isoformat(), "100")
        for day in range(8):
            # of eight in each month two say 90 and miss with their range, six say 96
            low, middle, high = (80, 90, 95) if day < 2 else (90, 96, 105)
            await forecast(
                book, budget, "forecasts", period_start=start, period_end=end, day=first + timedelta(days=day),
                spent=Decimal(10), p10=Decimal(low), p50=Decimal(middle), p90=Decimal(high),
            )  # fmt: skip
    await forecast(book, budget, "forecasts")  # its period is not over
    said = (await asked(acme, budget))["accuracy"]
    # 18 of 24 held; the middle of 18 errors of 4 % and 6 of 10 %
    assert said == {
        "forecasts": 24, "periods": 3, "coverage": "0.75", "median_error_percent": "4", "why_not": "",
    }  # fmt: skip


def test_of_too_few_forecasts_nothing_is_said() -> None:
    kept = [KeptForecast(LONG_AGO, Decimal(80), Decimal(90), Decimal(110), Decimal(100))] * 30
    said = accuracy_of(kept)
    assert (said.coverage, said.median_error_percent) == (None, None)
    assert said.why_not == "insufficient data: 30 of 20 forecasts, 1 of 3 periods"


async def test_a_tenant_sees_no_others_forecast(
    acme: httpx.AsyncClient, client: httpx.AsyncClient, book: Book
) -> None:
    budget = await make(acme)
    await forecast(book, budget, "latest_forecasts")
    key = await book.key("globex")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await client.get(f"/v1/budgets/{budget['id']}/forecast", headers=headers)).status_code == 404
