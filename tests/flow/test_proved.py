"""The reconciler on a running system: proved within seconds, what is edited is named and told, a hung ledger is noticed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.flow.book import folded, settled
from tests.flow.system import System, eventually, usage_event
from tests.flow.test_frozen import TOLD_WITHIN_S, frozen

WITHIN_S = 30
"""A small book is proved again within seconds; a test machine may be busy."""


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A system of its own: what is wrong with its book is everybody's."""
    with System(Path(tmp_path_factory.mktemp("proved")) / "home") as running:
        yield running


@pytest.fixture
async def book(proved: System) -> Any:
    connection = await proved.database()
    yield connection
    await connection.close()


def proof(system: System) -> dict[str, Any]:
    """As an operator sees it."""
    key = system.state.environment["SPENDMETER_ADMIN_KEY"]
    answer = httpx.get(f"{system.api}/v1/proof", headers={"Authorization": f"Bearer {key}"}, timeout=30)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def said(system: System) -> str:
    """What was found and is there."""
    return "\n".join(
        f"{row['named']}: {row['what']}" for row in proof(system)["findings"] if not row["gone_at"]
    )


async def test_what_is_booked_is_proved_and_what_is_edited_is_named_and_told_until_it_is_put_right(
    proved: System, book: asyncpg.Connection
) -> None:
    source = f"proved-{uuid4().hex[:6]}"
    assert proved.send(*(usage_event(f"e{n}", source=source) for n in range(40))).status_code == 204
    await settled(book, source, 40)
    booked = await book.fetchval("SELECT max(recorded_at) FROM entries")

    def reached() -> bool:
        until = proof(proved)["proved_until"]
        return until is not None and until >= booked.isoformat().replace("+00:00", "Z")

    eventually("the book is proved to its end", reached, WITHIN_S)
    eventually("spend says so", lambda: proved.get("/v1/spend")["proved_until"], WITHIN_S)
    await folded(book)  # else a projection takes the changed amount for what was booked
    edit = "UPDATE entries SET effective = effective + $2 WHERE event::jsonb->>'source' = $1 AND event::jsonb->>'id' = 'e7'"
    await book.execute(edit, source, 1)
    try:
        eventually(
            "it is named", lambda: "effective is 1.0035, its lines say 0.0035" in said(proved), WITHIN_S
        )

        def told() -> bool:
            shown = proved.get("/v1/incidents")["incidents"]
            return any(each["title"].startswith("The book is wrong") for each in shown)

        eventually("people are told", told, WITHIN_S)
    finally:
        await book.execute(edit, source, -1)
    eventually("it is gone", lambda: not said(proved), TOLD_WITHIN_S)
    eventually("the proof goes on", lambda: proof(proved)["unseen"] == 0 and reached(), WITHIN_S)
    assert "proved up to" in proved.cli("proof").stdout


def test_a_ledger_that_hangs_is_noticed(proved: System) -> None:
    assert proof(proved)["line"] == ""
    with frozen(proved, "ledger"):
        began = time.monotonic()
        eventually(
            "the line stands still", lambda: "no ledger has looked" in proof(proved)["line"], TOLD_WITHIN_S
        )
        print(f"noticed after {time.monotonic() - began:.1f} s")
        in_flight = proved.get("/v1/spend")
        assert in_flight["in_flight"] is None or in_flight["in_flight_age_s"] <= 3
    eventually("it moves again", lambda: proof(proved)["line"] == "", TOLD_WITHIN_S)
