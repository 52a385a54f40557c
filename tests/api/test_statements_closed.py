"""Statements of closed months: what is told stays, and what comes later is said in the next, by what it corrects."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from focus_data_toolkit.model.validator import lint_focus_1_4_structure

from services.corrector.closings.keeper import ClosingsKeeper
from spendmeter.contracts.events import Labels, UsageEvent
from tests.api.book import Book
from tests.api.test_allocations import set_plan, statement
from tests.api.test_statement_export import export, rows_of
from tests.corrector.closing_world import ask_to_close, close_all, keeper_of
from tests.corrector.written_book import Book as LedgerBook
from tests.corrector.written_book import correction, event, open_book

MONTHS = ("2026-08", "2026-09", "2026-10")
SHARED = {
    "name": "nobody's",
    "filter": {"team": ""},
    "rule": "proportional",
    "driver": {"measure": "input_tokens"},
}


@pytest.fixture
async def keeper(database_url: str) -> AsyncIterator[ClosingsKeeper]:
    async with keeper_of(database_url) as made:
        yield made


@pytest.fixture
async def ledger(acme: httpx.AsyncClient, book: Book, database_url: str) -> AsyncIterator[LedgerBook]:
    made, connections = await open_book(book.connection, database_url)
    yield made
    for connection in connections:
        await connection.close()


def used(id: str, month: str, tokens: int, team: str = "search") -> UsageEvent:
    """Input tokens of gpt-4o, 2.5 US dollars a million, on the 10th."""
    at = datetime.fromisoformat(f"{month}-10T10:00:00").replace(tzinfo=UTC)
    return event(id, time=at, usage={"input_tokens": tokens}, labels=Labels(team=team) if team else Labels())


async def close(book: Book, keeper: ClosingsKeeper, month: str) -> None:
    await ask_to_close(book.connection, datetime.fromisoformat(f"{month}-01").date())
    assert await close_all(keeper) == 1


def money(answer: Any) -> Any:
    return [(line["kind"], line["corrects"], line["effective"], line["events"]) for line in answer["lines"]]


async def test_what_comes_late_for_a_closed_month_is_a_line_of_the_next_statement(
    acme: httpx.AsyncClient, book: Book, ledger: LedgerBook, keeper: ClosingsKeeper
) -> None:
    await ledger.book_events(used("e1", "2026-09", 400_000), used("e2", "2026-10", 800_000))
    before = await statement(acme, "search", "2026-09")
    assert before["closed_at"] is None
    await close(book, keeper, "2026-09")
    await ledger.book_events(used("late", "2026-09", 200_000))
    await ledger.correct(correction("e1"))
    told = await statement(acme, "search", "2026-09")
    assert told["closed_at"] is not None
    assert (told["lines"], told["totals"]) == (before["lines"], before["totals"])
    following = await statement(acme, "search", "2026-10")
    # 0.8 million for 2; of September 0.2 million for 0.5 came late, and 0.4 million for 1 were taken back.
    assert money(following) == [("direct", None, "2", 1), ("direct", "2026-09", "-0.5", 0)]
    [whole] = following["totals"]
    assert (whole["total"], whole["of_closed_periods"]) == ("1.5", "-0.5")


async def test_shares_of_a_closed_month_stay_though_what_they_go_by_has_changed(
    acme: httpx.AsyncClient, book: Book, ledger: LedgerBook, keeper: ClosingsKeeper
) -> None:
    await set_plan(acme, SHARED, day="2026-09-01")
    await ledger.book_events(
        used("s", "2026-09", 400_000), used("a", "2026-09", 400_000, "ads"), used("n", "2026-09", 800_000, "")
    )
    await close(book, keeper, "2026-09")
    await ledger.book_events(used("late", "2026-09", 1_200_000))
    told = await statement(acme, "search", "2026-09")
    # nobody's 2 dollars half and half (nobody's own tokens are the driver's too: 4 : 4 of 16, the rest is residual)
    assert money(told) == [("direct", None, "1", 1), ("shared", None, "0.5", None)]
    following = await statement(acme, "search", "2026-10")
    # with 1.2 million more it drives 16 of 28: 2 * 16/28 - 0.5, and 3 dollars of its own
    shared = Decimal(following["lines"][1]["effective"])
    assert following["lines"][0]["effective"] == "3"
    assert abs(shared - (Decimal(32) / 28 - Decimal("0.5"))) < Decimal("1e-11")
    ads = await statement(acme, "ads", "2026-10")
    assert Decimal(ads["lines"][0]["effective"]) < 0, "what search drives more is not borne by ads any more"


@pytest.mark.parametrize("seed", [1, 2])
async def test_statements_of_closed_months_never_change_and_all_months_are_all_money(
    acme: httpx.AsyncClient, book: Book, ledger: LedgerBook, keeper: ClosingsKeeper, seed: int
) -> None:
    chance = random.Random(seed)
    await set_plan(acme, SHARED, day="2026-08-01")
    first = [used(f"f{number}{team}", month, 100_000, team) for number, month in enumerate(MONTHS)
             for team in ("search", "ads", "")]  # fmt: skip
    await ledger.book_events(*first)
    names = [each.id for each in first]
    told: dict[tuple[str, str], Any] = {}
    open_months = list(MONTHS)
    for step in range(14):
        act = chance.choice(("late", "late", "amend", "retract", "close"))
        if act == "late":
            names.append(f"l{step}")
            team = chance.choice(("search", "ads", ""))
            await ledger.book_events(
                used(names[-1], chance.choice(MONTHS), chance.randrange(1, 9) * 50_000, team)
            )
        elif act == "amend":
            patch = f'{{"usage": {{"input_tokens": {chance.randrange(1, 9) * 50_000}}}}}'
            await ledger.correct(correction(chance.choice(names), patch=patch, revision=step, id=f"c{step}"))
        elif act == "retract" and len(names) > 4:
            await ledger.correct(correction(names.pop(chance.randrange(len(names))), id=f"c{step}"))
        elif act == "close" and open_months:
            month = open_months.pop(0)
            await close(book, keeper, month)
            for team in ("search", "ads"):
                told[team, month] = await statement(acme, team, month)
    for (team, month), before in told.items():
        now = await statement(acme, team, month)
        assert (now["lines"], now["totals"]) == (before["lines"], before["totals"]), (team, month)
    answer = await acme.get("/v1/allocations", params={"from": "2026-08-01", "to": "2026-11-01"})
    borne = {row["cost_centre"]: Decimal(row["total"]) for row in answer.json()["rows"]}
    for team in ("search", "ads"):
        of_months = [await statement(acme, team, month) for month in (*MONTHS, "2026-11")]
        assert sum(Decimal(each["totals"][0]["total"]) for each in of_months) == borne[team]


async def test_a_closed_statement_is_issued_and_its_file_stays(
    acme: httpx.AsyncClient, book: Book, ledger: LedgerBook, keeper: ClosingsKeeper
) -> None:
    await ledger.book_events(used("e1", "2026-09", 400_000), used("e2", "2026-10", 800_000))
    assert {row["InvoiceIssueStatus"] for row in await rows_of(acme, month="2026-09")} == {"Open"}
    await close(book, keeper, "2026-09")
    issued = (await export(acme, month="2026-09")).text
    await ledger.book_events(used("late", "2026-09", 200_000))
    assert (await export(acme, month="2026-09")).text == issued
    [row] = await rows_of(acme, month="2026-09")
    assert (row["InvoiceIssueStatus"], row["BilledCost"]) == ("Issued", "1.0")
    [period] = await rows_of(acme, month="2026-09", dataset="billing_period")
    assert period["BillingPeriodStatus"] == "Closed"
    own, correction = await rows_of(acme, month="2026-10")
    assert (own["BilledCost"], own["x_ChargeClass"]) == ("2.0", "")
    assert (correction["BilledCost"], correction["x_ChargeClass"]) == ("0.5", "Correction")
    for dataset in ("invoice detail", "billing period"):
        for month in ("2026-09", "2026-10"):
            rows = await rows_of(acme, month=month, dataset=dataset.replace(" ", "_"))
            assert lint_focus_1_4_structure(dataset, rows).messages() == []
