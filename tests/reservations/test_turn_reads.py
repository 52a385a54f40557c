"""A turn's question costs what it asks for, whatever lies in the tables: also by a plan from when they were small."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.reservations.read import SQL
from spendmeter.contracts.event_identity import identity
from tests.corrector.written_book import event
from tests.reservations.world import World

ASKED, FEW, MANY = 20, 40, 20_000
"""Reservations that the turn names, and those that the tenant has had when the plan is made, and later."""
BLOCKS_EACH = 60
"""Of 8 KiB, at most, for each that is named: its row, its answer, its event in the book, each by an index of two
or three levels; of the book also that of each month ahead, which has nothing."""


async def test_a_turn_reads_as_little_when_much_was_reserved_before(world: World) -> None:
    await world.budget("100")
    await world.settle()
    async with world.pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(
            f"PREPARE asked (text, uuid[], int, bytea[], text[], text[], text[], bytea[], text[]) AS {SQL['state']}"
        )
        await _reserved_before(world, 1, FEW)
        few = await _blocks(connection)
        await _reserved_before(world, FEW + 1, MANY)
        many = await _blocks(connection)
        await connection.execute("DEALLOCATE asked; RESET plan_cache_mode")
    assert many <= BLOCKS_EACH * ASKED, (few, many)


async def _reserved_before(world: World, first: int, last: int) -> None:
    booked = [event(f"e{number}", time=datetime.now(UTC)) for number in range(first, min(last, 300))]
    await world.book.book_events(*booked)
    await world.settle()
    await world.owner.execute(
        "INSERT INTO reservations (tenant, id, key_id, identity, stated, dimensions, budget_ids, period_starts, bound, "
        "held, state, created_at, expires_at, extensions, provisional, details, event) "
        "SELECT 'acme', lpad(to_hex(n), 32, '0')::uuid, 'k1', sha256(n::text::bytea), true, '{}', '{}', '{}', 1, 0, "
        "'settled', now(), now() + interval '1 hour', 0, false, '{}', '' FROM generate_series($1::int, $2::int) AS n",
        first,
        last,
    )
    await world.owner.execute(
        "INSERT INTO reservation_answers (tenant, endpoint, idempotency_key, payload, decision) "
        "SELECT 'acme', 'reserve', n::text, '', '{}' FROM generate_series($1::int, $2::int) AS n",
        first, last,
    )  # fmt: skip


async def _blocks(connection: Any) -> int:
    """That one question reads."""
    ids = ",".join(f"'{UUID(int=number)}'" for number in range(1, ASKED + 1))
    keys = ",".join(f"'{number}'" for number in range(1, ASKED + 1))
    events = ",".join(rf"'\x{identity('acme', 'bot', f'e{number}').hex()}'" for number in range(ASKED))
    answers = ",".join(["'reserve'"] * ASKED)
    asked = (
        f"'acme', ARRAY[{ids}]::uuid[], 1000, ARRAY[{events}]::bytea[], '{{}}', ARRAY[{answers}], ARRAY[{keys}], "
        f"ARRAY[{events}]::bytea[], '{{k1}}'"
    )
    said = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked ({asked})")
    plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
