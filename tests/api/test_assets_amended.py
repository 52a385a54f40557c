"""An hour of an asset that people amended as well as the register: whoever said something last holds."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from services.api.assets.accruing import Accruing
from services.api.database.transactions import Database
from spendmeter.contracts.event_identity import identity
from tests.api.book import Book
from tests.api.test_assets import FakeDoor, FakeLog, days_ago, registered, settle

SIX = f"{days_ago(10)}T06:00Z"
MOVED = {"labels": {"team": "core"}, "effective_from": f"{days_ago(10)}T06:00:00Z", "reason": "was forgotten"}


async def amended_by_hand(book: Book, revision: int, at: datetime) -> None:
    """As the corrector writes it down."""
    await book.connection.execute(
        "INSERT INTO corrections (correction_id, tenant, identity, source, event_id, kind, revision, patch, reason, "
        "author, requested_at, state) VALUES ($1, 'acme', $2, $3, $4, 'amend', $5, '{}', 'x', 'key k1', $6, 'applied')",
        f"by-hand-{revision}", identity("acme", "asset:laptop-1", SIX), "asset:laptop-1", SIX, revision, at,
    )  # fmt: skip


async def accrued(acme: httpx.AsyncClient, database: Database) -> tuple[Accruing, FakeLog]:
    """A commitment of search's whose hours are sent; what sends them, and what is asked for of them."""
    door = FakeDoor()
    corrections = FakeLog(door)
    accruing = Accruing(database, door, corrections)  # type: ignore[arg-type]
    await registered(acme, kind="commitment", months=None, ends_on=days_ago(9), labels={"team": "search"})
    await settle(accruing)
    return accruing, corrections


async def test_what_the_register_says_after_three_amends_by_hand_holds_against_them(
    acme: httpx.AsyncClient, database: Database, book: Book
) -> None:
    """Revisions by hand count from 0: the asset's own second revision would be below the third of them for good."""
    accruing, corrections = await accrued(acme, database)
    for revision in range(3):
        await amended_by_hand(book, revision, datetime.now(UTC))
    assert (await acme.patch("/v1/assets/laptop-1", json=MOVED)).status_code == 200
    await settle(accruing)
    said = {each.event_id: each.revision for each in corrections.amends.values()}
    assert (len(said), said.pop(SIX), set(said.values())) == (18, 3, {0})


async def test_what_is_said_by_hand_after_the_register_holds_whichever_is_sent_first(
    acme: httpx.AsyncClient, database: Database, book: Book
) -> None:
    accruing, corrections = await accrued(acme, database)
    assert (await acme.patch("/v1/assets/laptop-1", json=MOVED)).status_code == 200
    later = datetime.now(UTC)
    await amended_by_hand(book, 0, later)
    await settle(accruing)
    (amend,) = [each for each in corrections.amends.values() if each.event_id == SIX]
    assert (amend.revision, amend.at) < (0, later), "of equal revisions the later one holds"
