"""What changed between two versions of the catalog is worked out once, for who sees the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.api.catalog import past_changes
from services.api.catalog.past_changes import PastChanges
from spendmeter.contracts.catalog import CatalogEntry, Price
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.changes import changes
from tests.pricing.entries import RECORDED


def price(amount: str, version: int, tenant: str = "") -> CatalogEntry:
    written: dict[str, Any] = {"source": "@list", "recorded_at": RECORDED, "provider": "openai", "sku": "m"}
    layer: dict[str, Any] = {"layer": "tenant", "tenant": tenant} if tenant else {}
    return published(
        identified(Price(unit="input_tokens", price=amount, per=1_000_000, **written, **layer)), version
    )


def snapshot(version: int, *entries: CatalogEntry) -> CatalogSnapshot:
    known = {entry.id: entry for entry in entries}
    return CatalogSnapshot(version=version, entries=known, book=PriceBook([]))


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each comparison had."""
    found: list[int] = []

    def counted(before: Any, after: Any) -> Any:
        found.append(len(after))
        return changes(before, after)

    monkeypatch.setattr(past_changes, "changes", counted)
    return found


async def test_whoever_asks_again_or_meanwhile_is_given_what_was_worked_out(worked_out: list[int]) -> None:
    past, at = PastChanges(), snapshot(2, price("1", 1), price("2", 2, "acme"))
    first, beside = await asyncio.gather(past.between(at, "acme", 0, 2), past.between(at, "acme", 0, 2))
    assert (first is beside, first is await past.between(at, "acme", 0, 2)) == (True, True)
    assert worked_out == [2]


async def test_each_sees_their_own_and_no_price_of_another(worked_out: list[int]) -> None:
    past, at = PastChanges(), snapshot(2, price("1", 1), price("2", 2, "acme"))
    assert len(await past.between(at, "acme", 1, 2)) == 1
    assert len(await past.between(at, "globex", 1, 2)) == 0
    assert worked_out == [2, 1]


async def test_a_new_publication_is_seen_at_once() -> None:
    past, old = PastChanges(), price("1", 1)
    assert len(await past.between(snapshot(1, old), "acme", 0, 9)) == 1
    new = price("3", 2, "acme")
    assert len(await past.between(snapshot(2, old, new), "acme", 0, 9)) == 2


async def test_what_cannot_be_compared_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    past, at = PastChanges(), snapshot(1, price("1", 1))

    def broken(before: Any, after: Any) -> Any:
        raise ValueError("no such entry")

    monkeypatch.setattr(past_changes, "changes", broken)
    with pytest.raises(ValueError, match="no such entry"):
        await past.between(at, "acme", 0, 1)
    monkeypatch.setattr(past_changes, "changes", changes)
    assert len(await past.between(at, "acme", 0, 1)) == 1


async def test_what_was_asked_for_longest_ago_makes_room(
    monkeypatch: pytest.MonkeyPatch, worked_out: list[int]
) -> None:
    monkeypatch.setattr(past_changes, "CHANGES_MAX", 5)
    past, at = PastChanges(), snapshot(1, price("1", 1))
    for tenant in ("acme", "globex", "initech", "acme"):  # each counts two: itself, and its change
        await past.between(at, tenant, 0, 1)
    assert len(worked_out) == 4
    await past.between(at, "initech", 0, 1)
    assert len(worked_out) == 4
