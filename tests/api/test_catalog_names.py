"""A name that was used and would mean another model from now on is shown to whoever decides, and confirmed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.api.catalog import seen_names
from services.api.database.transactions import Database
from tests.api.book import Book
from tests.api.catalog_admin import FILE, approve, propose
from tests.api.test_catalog_effect import booked

RULE = f"""{FILE}[[name_rule]]
name = "effort"
match = ["{{name}}-high"]
becomes = "{{name}}"
costs = "same"
says = "an effort does not change the price"
"""
NEW_MODEL = """[[model]]
provider = "openai"
sku = "m-high"
rates = [{ prices = { input_tokens = "9" } }]
"""


async def test_a_model_that_takes_a_name_from_another_is_confirmed(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await approve(operator, (await propose(operator, RULE))["id"])
    await booked(book, "acme", "1", sku="m-high", days_ago=60)
    await booked(book, "acme", "2", sku="m", days_ago=1)
    proposal = await propose(operator, FILE + NEW_MODEL)
    found = [each for each in proposal["review"]["findings"] if each["rule"] == "meaning"]
    assert [(each["severity"], each["message"]) for each in found] == [
        (
            "confirm",
            "openai/m-high meant openai/m and means openai/m-high from now on, used in the last 90 days",
        )
    ]
    refusal = await approve(operator, proposal["id"], 409)
    assert refusal["needs"] == "confirm"
    await approve(operator, proposal["id"], confirm=True)


async def test_a_name_that_leads_to_two_models_from_now_on_is_confirmed(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await approve(operator, (await propose(operator, RULE))["id"])
    await booked(book, "acme", "1", sku="m-high", days_ago=1)
    other = RULE.replace(FILE, "").replace("effort", "other").replace('"{name}"', '"{name}-x"')
    rival = NEW_MODEL.replace("m-high", "m-x")
    proposal = await propose(operator, FILE + rival + other)
    (found,) = [each["message"] for each in proposal["review"]["findings"] if each["rule"] == "meaning"]
    assert found == (
        "openai/m-high meant openai/m and it may be m or m-x from now on, used in the last 90 days"
    )


async def test_a_name_that_was_used_long_ago_asks_nobody(operator: httpx.AsyncClient, book: Book) -> None:
    await approve(operator, (await propose(operator, RULE))["id"])
    await booked(book, "acme", "1", sku="m-high", days_ago=100)
    proposal = await propose(operator, FILE + NEW_MODEL)
    assert [each for each in proposal["review"]["findings"] if each["rule"] == "meaning"] == []


async def test_names_are_compared_without_a_connection_and_what_was_not_compared_is_confirmed(
    operator: httpx.AsyncClient, book: Book, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    compare = seen_names.shifted

    def compare_and_look(*values: Any) -> Any:
        held.append(sum(share.held for share in database._shares._shares.values()))
        return compare(*values)

    monkeypatch.setattr(seen_names, "shifted", compare_and_look)
    monkeypatch.setattr(seen_names, "NAMES_MAX", 1)
    await approve(operator, (await propose(operator, RULE))["id"])
    await booked(book, "acme", "1", sku="m-high")
    await booked(book, "acme", "2", sku="m")
    proposal = await propose(operator, FILE + NEW_MODEL)
    assert set(held) == {0}
    said = [each["message"] for each in proposal["review"]["findings"] if each["rule"] == "meaning"]
    assert said[-1] == "of 2 names that were ever used, 1 were compared"
