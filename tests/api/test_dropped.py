"""What senders are not told by a 204: dropped fields, and events that were not booked, by key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from tests.api.book import Book


async def note(book: Book, tenant: str, key_id: str, name: str, *, days_ago: int = 0) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    await book.connection.execute(
        "INSERT INTO dropped_names VALUES ($1, $2, $3, $4, $4, 7)", tenant, key_id, name, at
    )


async def named(client: httpx.AsyncClient, key: str) -> list[tuple[str, str, str]]:
    answer = await client.get("/v1/catalog/inbox/dropped", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return [(row["tenant"], row["key_name"], row["name"]) for row in answer.json()["dropped"]]


async def test_a_tenant_sees_the_dropped_fields_of_its_own_keys_and_an_operator_those_of_all(
    client: httpx.AsyncClient, book: Book
) -> None:
    await book.tenant("acme")
    await book.tenant("globex")
    acme, operator = await book.key("acme", "read"), await book.key("", "admin")
    await note(book, "globex", "kother", "data.cost")
    await note(book, "acme", acme.split("_")[2], "data.labels.costcenter")
    await note(book, "acme", acme.split("_")[2], "data.long_ago", days_ago=91)
    assert await named(client, acme) == [("acme", "test", "data.labels.costcenter")]
    assert await named(client, operator) == [
        ("acme", "test", "data.labels.costcenter"), ("globex", "", "data.cost"),
    ]  # fmt: skip


async def test_conflicts_are_counted_by_key_in_the_accounting_of_their_tenant(
    client: httpx.AsyncClient, book: Book
) -> None:
    await book.tenant("acme")
    for partition, tenant, key, conflicts in (
        (0, "acme", "ka", 2),
        (1, "acme", "ka", 3),
        (0, "globex", "kg", 1),
    ):
        await book.connection.execute(
            "INSERT INTO accounting_keys VALUES ($1, $2, $3, 4, $4, 0)", partition, tenant, key, conflicts
        )
    key = await book.key("acme", "read")
    answer = await client.get("/v1/accounting", headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["keys"] == [
        {"tenant": "acme", "key_id": "ka", "duplicate": 8, "conflict": 5, "rejected": 0}
    ]
    operator = await book.key("", "admin")
    answer = await client.get("/v1/accounting", headers={"Authorization": f"Bearer {operator}"})
    assert [row["key_id"] for row in answer.json()["keys"]] == ["ka", "kg"]
