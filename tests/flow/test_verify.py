"""verify on a running system: the book of a tenant whose currency has no rate is right, and said to be right."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import asyncpg

from tests.flow.book import folded, settled
from tests.flow.system import System, eventually, priced_by, usage_event
from tests.flow.test_catalog import change

TERMS = """
source = "agreed with {tenant}"
recorded_at = 2026-11-20T00:00:00Z
[[terms]]
tenant = "{tenant}"
currency = "GBP"
"""


async def test_an_honest_event_in_a_currency_without_a_rate_is_right(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """gpt-4o is priced in USD, and nobody has said what a USD is worth in GBP: unpriced, and nothing wrong. Nor is anything
    that the files before this one have booked: it is the last that the first system has, and the one that verifies all."""
    source = f"pounds-{uuid4().hex[:6]}"
    terms = tmp_path / "terms.toml"
    terms.write_text(TERMS.format(tenant="initech"))
    version = change(system, terms, "--replace")
    eventually("rating prices by them", lambda: priced_by(system) >= version)
    assert system.send(usage_event("e", source=source), tenant="initech").status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    booked = await owner.fetchrow(
        "SELECT status, currency, list FROM entries WHERE event::jsonb->>'source' = $1", source
    )
    assert tuple(booked) == ("unpriced", "GBP", 0)
    done = system.cli("verify", check=False)
    assert done.stdout.startswith("Nothing is wrong, but not everything could be checked."), done.stdout
    assert "give the sender's log: --submissions" in done.stdout
    assert "{" not in done.stdout, "no Python value is shown"
    assert done.returncode == 2


async def test_a_changed_amount_is_named_first(system: System, owner: asyncpg.Connection) -> None:
    source = f"spoiled-{uuid4().hex[:6]}"
    assert system.send(usage_event("e", source=source)).status_code == 204
    await settled(owner, source, 1)
    await folded(owner)  # else a projection takes the changed amount for what was booked
    change_it = "UPDATE entries SET effective = effective + $2 WHERE event::jsonb->>'source' = $1"
    await owner.execute(change_it, source, 1)
    try:
        done = system.cli("verify", check=False)
    finally:
        await owner.execute(change_it, source, -1)
    verdict, first, *_ = done.stdout.splitlines()
    assert verdict.startswith("The book is WRONG: 1 booked amount is not what it should be")
    assert f"acme {source}/e" in first
    assert "effective is 1.0035, its lines say 0.0035" in first
    assert done.returncode == 1
