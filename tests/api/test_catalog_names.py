"""A name that was used and would mean another model from now on is shown to whoever decides, and confirmed."""

from __future__ import annotations

import httpx

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


async def test_a_name_that_was_used_long_ago_asks_nobody(operator: httpx.AsyncClient, book: Book) -> None:
    await approve(operator, (await propose(operator, RULE))["id"])
    await booked(book, "acme", "1", sku="m-high", days_ago=100)
    proposal = await propose(operator, FILE + NEW_MODEL)
    assert [each for each in proposal["review"]["findings"] if each["rule"] == "meaning"] == []
