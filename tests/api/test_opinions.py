"""What other lists say of a price, over HTTP: whose word holds, and what is open."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import httpx
import pytest

from services.api.catalog import opinions as route
from spendmeter.platform.catalog_store import record
from spendmeter.pricing.catalog import load_snapshot
from tests.api.book import Book


async def test_a_models_page_has_other_lists_prices_with_the_rule_that_decides(
    operator: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_KNOWN", WeakKeyDictionary())  # no other test's book
    async with book.connection.transaction():
        await record(book.connection, load_snapshot("openai"), by="shipped", note="")
    answer = await operator.get("/v1/catalog/model", params={"provider": "openai", "sku": "gpt-4o-mini-tts"})
    (found,) = [each for each in answer.json()["opinions"] if each["difference"]["unit"] == "output_tokens"]
    assert (found["difference"]["charged"], found["difference"]["theirs"]) == ("12", "10")
    assert (found["state"], found["right"], found["apart_percent"]) == ("reviewed", "ours", "-16.67")
    assert found["rule"] == "Audio tokens out cost 12 a million."
    assert "(read 2026-11-26, second-hand)" in found["source"]
    report = (await operator.get("/v1/catalog/opinions")).json()
    assert sum(report["states"].values()) == report["total"] > report["states"]["reviewed"] > 0
    one = (await operator.get("/v1/catalog/opinions", params={"state": "reviewed"})).json()
    assert one["total"] == report["states"]["reviewed"]
    assert len(route._KNOWN) == 1, "worked out once for a book"
