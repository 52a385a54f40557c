"""verify holds cells, runs and outcomes against the entries, as far as they say to have folded them."""

from __future__ import annotations

import asyncpg
import pytest

from services.corrector.projections.projector import Projector
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.report import CLEAN, FOUND, INCOMPLETE
from tests.verify.conftest import EVENTS, WrittenBook
from tests.verify.test_verify import said


async def fold(book: WrittenBook, *, batches: int = 100) -> None:
    url = role_url(book.request.database, "corrector", "test")
    async with asyncpg.create_pool(url, min_size=1, max_size=2, server_settings={"timezone": "UTC"}) as pool:
        projector = Projector(pool=pool, meters=Meters(), entries_max=10)
        for _ in range(batches):
            await projector.fold_next()


async def name_runs(book: WrittenBook) -> None:
    """Let every fifth event have named its run, and achieved something, and the next one a coding agent."""
    await book.owner.execute(
        "UPDATE entries SET event = jsonb_set(jsonb_set(event::jsonb, '{data,labels,run}', '\"run-1\"'), "
        "'{data,outcome}', '{\"name\": \"done\"}')::text WHERE origin_offset % 5 = 0"
    )
    await book.owner.execute(
        "UPDATE entries SET event = jsonb_set(event::jsonb, '{data,labels,agent}', '\"claude-code\"')::text "
        "WHERE origin_offset % 5 = 1"
    )


async def test_projections_that_are_right_are_clean(book: WrittenBook) -> None:
    without = (await book.check()).checked["I5"]
    await fold(book)
    report = await book.check()
    assert (report.exit_code, dict(report.named)) == (CLEAN, {})
    assert report.checked["I5"] > without + EVENTS


@pytest.mark.parametrize(
    ("spoiled", "what"),
    [
        (
            "UPDATE cells SET list = list + 0.000000000001 WHERE cell_id = (SELECT min(cell_id) FROM cells WHERE unit = '')",
            "its events: list is 0.00000000000",
        ),
        (
            "UPDATE cells SET quantity = quantity + 1 WHERE cell_id = (SELECT min(cell_id) FROM cells WHERE unit <> '')",
            "(priced) at x: quantity is",
        ),
        ("DELETE FROM cells WHERE cell_id = (SELECT min(cell_id) FROM cells)", "events are in no such row"),
        (
            "UPDATE cells SET entry = 'y' WHERE cell_id = (SELECT min(cell_id) FROM cells)",
            "there, and no entry is in it",
        ),
        (
            "UPDATE runs SET events = events + 1",
            "run 'run-1' of acme model anthropic claude-sonnet-4-5 USD: events is",
        ),
        ("UPDATE runs SET last_at = last_at + interval '1 second'", "its times are not those of its entries"),
        (
            "UPDATE run_outcomes SET count = 7",
            "outcome 'done' of run 'run-1' of acme: count is 7, its entries say",
        ),
        (
            "UPDATE run_outcomes SET at = at + interval '1 second'",
            "outcome 'done' of run 'run-1' of acme: its times are not those of its entries",
        ),
        ("UPDATE user_months SET effective = effective + 1", "month of acme hmac:00 in "),
        ("UPDATE quality_hours SET calls = calls + 1", "calls of acme 2026-"),
        ("UPDATE quality_hours SET latency = latency + 1", "no entry is in it"),
        ("DELETE FROM quality_hours", "events are in no such row"),
        (
            "UPDATE run_days SET calls = calls + 1 WHERE run = 'run-1'",
            "of run 'run-1' of acme team-0 USD: calls is",
        ),
        ("UPDATE agent_people SET events = events + 1", "month of acme: user hmac:00 of team-"),
        (
            "UPDATE model_days SET effective = effective + 1 WHERE unit = ''",
            "USD: its events (priced) at no price: effective is",
        ),
        (
            "DELETE FROM model_days WHERE unit <> ''",
            "model anthropic/claude-sonnet-4-5 USD: input_tokens (priced) at x",
        ),
        (
            "UPDATE model_call_days SET calls = calls + 1",
            "model anthropic/claude-sonnet-4-5: '', over 0 tokens",
        ),
    ],
)
async def test_a_row_that_is_not_the_sum_of_its_entries_is_named(
    book: WrittenBook, spoiled: str, what: str
) -> None:
    await name_runs(book)
    await fold(book)
    assert "cell" not in said(await book.check(), "I5")
    await book.owner.execute(spoiled)
    report = await book.check()
    assert report.exit_code == FOUND
    assert what in said(report, "I5")


async def test_what_is_not_folded_in_time_is_said_and_the_rest_is_checked(book: WrittenBook) -> None:
    await fold(book, batches=1)
    report = await book.check()
    assert report.exit_code == INCOMPLETE
    assert report.unchecked["I5"] == {
        f"projection {name}: offsets that it has not folded yet": 50
        for name in (
            "cells",
            "runs",
            "run_outcomes",
            "user_months",
            "quality_hours",
            "run_days",
            "agent_people",
        )
    }
    await book.owner.execute("UPDATE cells SET events = events + 1")
    assert (await book.check()).exit_code == FOUND
