"""Reservations in a real Postgres: decided under one lock, settled with the book."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from services.reservations.decide import DecidedTurn
from services.reservations.desk import TOLD_AT_ONCE, Desk, Undecided
from services.reservations.operations import HoldDecision, Operation
from services.reservations.turns import Pool
from spendmeter.contracts.event_identity import identity
from spendmeter.platform.telemetry import Meters
from tests.corrector.written_book import event
from tests.reservations.turns import commit, extend, release, reserve
from tests.reservations.world import World

D = Decimal


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_call_is_held_then_booked_and_never_counts_twice(world: World) -> None:
    """1,000 input and 100 output tokens of gpt-4o: 0.0025 + 0.001 = 0.0035 USD."""
    budget = await world.budget("1")
    asked = replace(reserve(1, "0.01"), identity=identity("acme", "bot", "e1"))
    assert (await world.ask(asked)).done
    assert await world.counter(budget) == (D(0), D("0.01"), D(0))
    assert (await world.ask(commit(1, "0.004"))).done
    assert await world.counter(budget) == (D(0), D("0.004"), D(0))
    await world.book.book_events(event("e1", time=now()))
    await world.settle()
    assert await world.counter(budget) == (D("0.0035"), D(0), D(0))


async def test_what_is_booked_before_the_budget_was_hard_counts_and_what_comes_later_once(
    world: World,
) -> None:
    await world.book.book_events(event("e1", time=now()))
    budget = await world.budget("1", provider="openai")
    await world.settle()
    assert await world.counter(budget) == (D("0.0035"), D(0), D(0))
    await world.book.book_events(event("e2", time=now()), event("e1", time=now()))
    await world.settle()
    assert await world.counter(budget) == (D("0.0070"), D(0), D(0))


async def test_the_event_that_was_booked_before_the_commit_named_it_settles_it(world: World) -> None:
    budget = await world.budget("1")
    await world.ask(reserve(1, "0.01"))
    await world.book.book_events(event("e1", time=now()))
    await world.settle()
    await world.ask(commit(1, None, identity=identity("acme", "bot", "e1")))
    assert await world.counter(budget) == (D("0.0035"), D(0), D(0))


async def test_a_booking_after_expiry_is_debt(world: World) -> None:
    budget = await world.budget("1")
    asked = replace(reserve(1, "0.01"), identity=identity("acme", "bot", "e1"), ttl=timedelta(seconds=1))
    await world.ask(asked)
    await asyncio.sleep(1.1)
    await world.settle()
    assert await world.counter(budget) == (D(0), D(0), D(0))
    assert (await world.ask(commit(1, "0.01"))).reason == "expired"
    await world.book.book_events(event("e1", time=now()))
    await world.settle()
    assert await world.counter(budget) == (D("0.0035"), D(0), D("0.0035"))


async def test_two_workers_and_two_hundred_callers_never_hold_more_than_there_is(world: World) -> None:
    """Four levels: the tightest has 50, so of 200 calls for 1 each exactly 50 are let through."""
    ids = [
        await world.budget("1000"),
        await world.budget("500", team="a"),
        await world.budget("200", team="a", agent="x"),
        await world.budget("50", team="a", agent="x", sku="gpt-4o"),
    ]
    other = Desk(lambda: world.pool, Meters())
    asked = [reserve(number, "1", team="a", agent="x") for number in range(1, 201)]
    desks = (world.desk, other)
    decided = await asyncio.gather(
        *(desks[number % 2].ask("acme", each) for number, each in enumerate(asked))
    )
    assert sum(each.done for each in decided) == 50
    assert [(await world.counter(each))[1] for each in ids] == [D(50)] * 4
    assert [await world.held_by_hand(each) for each in ids] == [D(50)] * 4


async def test_the_same_key_again_from_another_worker_has_the_same_answer(world: World) -> None:
    budget = await world.budget("10")
    first = await world.ask(reserve(1, "4"))
    await world.ask(release(1))
    again = await Desk(lambda: world.pool, Meters()).ask("acme", replace(reserve(1, "4"), id=uuid4()))
    assert again.replayed and again.reservation == first.reservation
    assert (await world.counter(budget))[1] == 0


async def test_a_budget_that_is_lowered_or_filtered_anew_keeps_what_is_held_and_says_so(world: World) -> None:
    budget = await world.budget("10")
    await world.ask(reserve(1, "4", team="a"))
    await world.ask(reserve(2, "3", team="b"))
    await world.owner.execute(
        'UPDATE budgets SET amount = 5, filter = \'{"team": "a"}\', revision = revision + 1'
    )
    refused = await world.ask(reserve(3, "2", team="a"))
    assert (refused.reason, refused.budgets[0].left) == ("budget_exceeded", D(1))  # 5 - 4 held by team a
    assert (await world.counter(budget))[1] == await world.held_by_hand(budget) == 4
    assert await world.owner.fetchval("SELECT count(*) FROM reservation_acts") == 2


async def test_a_correction_lowers_what_is_booked(world: World) -> None:
    from tests.corrector.written_book import correction

    budget = await world.budget("1")
    await world.settle()
    await world.book.book_events(event("e1", time=now()))
    await world.settle()
    await world.book.correct(correction("e1"))
    await world.settle()
    assert await world.counter(budget) == (D(0), D(0), D(0))


async def test_a_hard_budget_in_another_currency_than_the_terms_say_is_refused_and_not_ignored(
    world: World,
) -> None:
    """acme counts in euros since ever; the budget is in dollars."""
    await world.owner.execute(
        "INSERT INTO tenant_terms (tenant, effective_from, effective_to, currency, zone, first_weekday, "
        "fiscal_start_month, entry, version) VALUES ('acme', '-infinity', 'infinity', 'EUR', 'Europe/Berlin', 1, "
        "1, 'terms', 1)"
    )
    await world.budget("10", team="a")
    refused = await world.ask(reserve(1, "4", team="a"))
    assert (refused.reason, refused.reservation) == ("currency", None)
    assert "is in USD, and this book in EUR" in refused.detail
    assert (await world.ask(reserve(2, "4", team="b"))).done


async def test_without_hard_budgets_everything_is_let_through(world: World) -> None:
    decision = await world.ask(reserve(1, "4"))
    assert decision.done and decision.budgets == ()
    assert (await world.ask(extend(1, 60))).done


async def test_a_reservation_keeps_what_its_caller_said(world: World) -> None:
    await world.budget("10")
    await world.ask(replace(reserve(1, "4", team="a"), details={"cycles": {"subject": {"agent": "x"}}}))
    row = await world.owner.fetchrow("SELECT * FROM reservations WHERE id = $1", UUID(int=1))
    assert row["details"] == '{"cycles": {"subject": {"agent": "x"}}}'


async def test_what_postgres_cannot_hold_harms_nobody_else_in_its_turn(world: World) -> None:
    await world.budget("100")
    await world.ask(reserve(1, "1"))
    asked = [reserve(number, "1") for number in range(2, 30)]
    asked[10] = replace(asked[10], details={"text": "\0"})
    decided = await asyncio.gather(*map(world.ask, asked), return_exceptions=True)
    assert [isinstance(each, Undecided) for each in decided].count(True) == 1
    assert isinstance(decided[10], Undecided)


async def test_what_no_commit_names_in_time_is_added_up_as_unreserved_by_key_and_hour(world: World) -> None:
    """e1 was reserved before, e2 is named by a commit after it was booked, e3 and e4 by nobody: 2 x 0.0035 USD."""
    budget = await world.budget("1")
    await world.ask(replace(reserve(1, "0.01"), identity=identity("acme", "bot", "e1")))
    await world.ask(reserve(2, "0.01"))
    await world.book.book_events(*(event(f"e{number}", time=now()) for number in range(1, 5)))
    await world.settle()
    await world.ask(commit(2, None, identity=identity("acme", "bot", "e2")))
    assert await world.owner.fetchval("SELECT count(*) FROM unreserved_waiting") == 3
    assert await world.owner.fetchval("SELECT count(*) FROM unreserved") == 0
    await world.owner.execute("UPDATE unreserved_waiting SET counted_at = counted_at - interval '61 seconds'")
    await world.settle()
    await world.settle()
    [row] = await world.owner.fetch("SELECT * FROM unreserved")
    assert (row["subject"], row["budget_id"], row["events"], row["amount"]) == (
        "unreserved", budget, 2, D("0.0070"),
    )  # fmt: skip
    assert await world.owner.fetchval("SELECT count(*) FROM unreserved_waiting") == 0
    await world.book.book_events(event("e5", time=now()))
    await world.settle()
    await world.owner.execute("UPDATE unreserved_waiting SET counted_at = counted_at - interval '61 seconds'")
    await world.settle()
    assert await world.owner.fetchval("SELECT sum(amount) FROM unreserved") == D("0.0105")


async def test_of_many_that_are_decided_together_few_are_told_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def decided(_pool: Pool, _tenant: str, asked: Sequence[Operation]) -> DecidedTurn:
        decisions = tuple(HoldDecision() for _ in asked)
        return DecidedTurn(decisions=decisions, reservations=(), counters=(), answers={}, expired=0)

    monkeypatch.setattr("services.reservations.desk.take_turn", decided)
    desk = Desk(lambda: "a pool", Meters())
    waiting = [asyncio.create_task(desk.ask("acme", reserve(number, "1"))) for number in range(1, 101)]
    told = [0]
    while told[-1] < len(waiting):
        await asyncio.sleep(0)
        told.append(sum(each.done() for each in waiting))
    assert max(after - before for before, after in pairwise(told)) <= TOLD_AT_ONCE
