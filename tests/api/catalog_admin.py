"""What tests of the catalog's administration share: one model for everybody, price files, and the ways to state
them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.book import Book
from tests.pricing.entries import model, price

IN, OUT = price("m", "input_tokens", "1"), price("m", "output_tokens", "2")
NAMED = model("m", "m-latest")
FILE = """
source = "https://vendor.example/prices"
recorded_at = 2026-11-20T00:00:00Z
"""


def prices(
    sku: str = "m", amount: str = "3", unit: str = "input_tokens", header: str = FILE, **said: Any
) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in said.items())
    return f'{header}\n[[price]]\nprovider = "openai"\nsku = "{sku}"\nper = 1_000_000\n{lines}prices = {{{unit} = "{amount}"}}\n'


RIVALS = """
[[model]]
provider = "openai"
sku = "n"
aliases = ["m-latest"]
"""
OWN = f'{FILE}tenant = "acme"\nlayer = "organisation"\n'


async def headers(book: Book, tenant: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await book.key(tenant, *scopes)}"}


async def propose(client: httpx.AsyncClient, text: str, status: int = 201, **said: Any) -> Any:
    who = said.pop("headers", None)
    answer = await client.post(
        "/v1/catalog/proposals", params={"name": "prices.toml"} | said, content=text.encode(), headers=who
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def approve(client: httpx.AsyncClient, id: int, status: int = 200, **said: Any) -> Any:
    who = said.pop("headers", None)
    answer = await client.post(f"/v1/catalog/proposals/{id}/approve", json=said, headers=who)
    assert answer.status_code == status, answer.text
    return answer.json()


async def in_force(client: httpx.AsyncClient, **who: Any) -> dict[str, dict[str, str]]:
    """Sku to unit to price."""
    answer = await client.get("/v1/catalog/models", **who)
    assert answer.status_code == 200, answer.text
    return {
        each["sku"]: {row["entry"]["unit"]: row["entry"]["price"] for row in each["prices"]}
        for each in answer.json()["models"]
    }


async def version(client: httpx.AsyncClient) -> int:
    return int((await client.get("/v1/catalog/publication")).json()["version"])
