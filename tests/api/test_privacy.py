"""What is kept of a tenant, and how a person is forgotten."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path

import asyncpg
import httpx
import pytest

from services.api.accounting.progress import BookProgress
from services.api.accounting.upkeep import Upkeep
from services.api.database import shares
from services.api.database.shares import TENANT_CONNECTIONS_MAX
from services.api.database.transactions import Database
from services.api.privacy.forgetting import first_month, forget_old
from services.api.privacy.routes import STORED
from services.ingest.pseudonyms import keyed
from spendmeter import contracts
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.keys import pin_tenant
from tests.api.book import Book

MONTHS = (date(2026, 10, 1), date(2026, 11, 1))
KEYS = {MONTHS[0]: b"o" * 32, MONTHS[1]: b"n" * 32}


@pytest.fixture
async def people(book: Book) -> asyncpg.Connection:
    """Maria and Paul in acme, two months each; a Maria in globex."""
    connection = book.connection
    await connection.execute("TRUNCATE pseudonyms, erasures, retention_acts")
    for tenant in ("acme", "globex"):
        for month, secret in KEYS.items():
            await connection.execute(
                "INSERT INTO pseudonym_keys VALUES ($1, $2, $3) ON CONFLICT (tenant, month) DO UPDATE SET secret = $3",
                tenant, month, secret,
            )  # fmt: skip
            for user in ("maria", "paul") if tenant == "acme" else ("maria",):
                await connection.execute(
                    "INSERT INTO pseudonyms VALUES ($1, $2, $3, $4)",
                    tenant, month, keyed(secret, user), f"user:{tenant}-{month:%m}-{user}",
                )  # fmt: skip
    return connection


async def pseudonyms(connection: asyncpg.Connection) -> set[str]:
    return {row["pseudonym"] for row in await connection.fetch("SELECT pseudonym FROM pseudonyms")}


async def test_a_person_is_forgotten_in_every_month_and_nobody_else_is(
    acme: httpx.AsyncClient, people: asyncpg.Connection
) -> None:
    body = {"user": "maria", "reason": "asked for"}
    answer = await acme.post("/v1/privacy/erasures", json=body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["pseudonyms"], answer.json()["reason"]) == (2, "asked for")
    assert await pseudonyms(people) == {
        "user:acme-10-paul", "user:acme-11-paul", "user:globex-10-maria", "user:globex-11-maria",
    }  # fmt: skip
    again = await acme.post("/v1/privacy/erasures", json=body)
    assert again.json()["pseudonyms"] == 0
    told = (await acme.get("/v1/privacy")).json()
    assert [each["pseudonyms"] for each in told["erasures"]] == [0, 2]
    assert told["people"] == [{"month": "2026-10-01", "people": 1}, {"month": "2026-11-01", "people": 1}]
    assert "maria" not in str(await people.fetch("SELECT * FROM erasures"))


async def test_a_person_is_found_however_their_name_is_composed(
    acme: httpx.AsyncClient, people: asyncpg.Connection
) -> None:
    """Ingest writes labels in normal form C; who types the name may not."""
    for month, secret in KEYS.items():
        await people.execute(
            "INSERT INTO pseudonyms VALUES ('acme', $1, $2, $3)",
            month, keyed(secret, "Jos\u00e9"), f"user:acme-{month:%m}-jose",
        )  # fmt: skip
    body = {"user": "Jose\u0301", "reason": "asked for"}
    assert (await acme.post("/v1/privacy/erasures", json=body)).json()["pseudonyms"] == 2


async def test_a_person_is_found_as_the_door_of_a_coding_agent_writes_them(
    acme: httpx.AsyncClient, people: asyncpg.Connection
) -> None:
    """In small letters; who asks to be forgotten writes it as on the card."""
    for name in ("jo@example.com", "Jo@Example.com"):
        await people.execute(
            "INSERT INTO pseudonyms VALUES ('acme', $1, $2, $3)",
            MONTHS[1], keyed(KEYS[MONTHS[1]], name), f"user:acme-11-{name}",
        )  # fmt: skip
    body = {"user": "Jo@Example.com", "reason": "asked for"}
    assert (await acme.post("/v1/privacy/erasures", json=body)).json()["pseudonyms"] == 2
    assert len(await pseudonyms(people)) == 6


async def test_a_tenant_that_has_used_up_its_share_keeps_nobody_from_forgetting(
    people: asyncpg.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused to it would end the api: nobody of the tenant asks for this."""
    monkeypatch.setattr(shares, "ALONE_CONNECTIONS_MAX", TENANT_CONNECTIONS_MAX)
    async with AsyncExitStack() as stack:
        for _ in range(TENANT_CONNECTIONS_MAX):
            await stack.enter_async_context(database.reading("acme"))
        await forget_old(database, date(2028, 1, 26))
        await Upkeep(database, BookProgress()).make_pseudonym_keys()
    assert await pseudonyms(people) == set()


async def test_only_an_admin_forgets_or_says_how_long(
    client: httpx.AsyncClient, book: Book, people: asyncpg.Connection
) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    for method, path, body in (
        ("POST", "/v1/privacy/erasures", {"user": "maria", "reason": "mischief"}),
        ("PUT", "/v1/privacy", {"pseudonyms_months": 1, "reason": "mischief"}),
    ):
        assert (await client.request(method, path, json=body)).status_code == 403
    assert (await client.get("/v1/privacy")).status_code == 200
    assert len(await pseudonyms(people)) == 6


async def test_pseudonyms_and_keys_of_months_that_are_kept_no_longer_are_deleted(
    acme: httpx.AsyncClient, people: asyncpg.Connection, database: Database
) -> None:
    answer = await acme.put("/v1/privacy", json={"pseudonyms_months": 1, "reason": "works council"})
    assert answer.json()["retention"]["pseudonyms_months"] == 1
    await forget_old(database, date(2026, 11, 26))
    assert await pseudonyms(people) == {
        "user:acme-11-maria", "user:acme-11-paul", "user:globex-10-maria", "user:globex-11-maria",
    }  # fmt: skip
    months = await people.fetch(
        "SELECT month FROM pseudonym_keys WHERE tenant = 'acme' AND month < '2026-11-01'"
    )
    assert months == []


@pytest.mark.parametrize(
    ("today", "months", "first"),
    [
        (date(2026, 11, 26), 1, date(2026, 11, 1)),
        (date(2026, 11, 26), 13, date(2025, 11, 1)),
        (date(2026, 1, 1), 2, date(2025, 12, 1)),
        (date(2026, 12, 31), 12, date(2026, 1, 1)),
    ],
)
def test_months_are_counted_with_the_current_one(today: date, months: int, first: date) -> None:
    assert first_month(today, months) == first


async def test_the_answer_says_where_usage_may_go(
    acme: httpx.AsyncClient, people: asyncpg.Connection
) -> None:
    assert (await acme.get("/v1/privacy")).json()["region"] == ""
    await pin_tenant(people, "acme", "eu")
    assert (await acme.get("/v1/privacy")).json()["region"] == "eu"


def test_how_long_a_topic_keeps_is_as_it_is_declared() -> None:
    for kind in STORED["kept"]:
        for name in kind.get("topics", ()):
            days = TOPICS[name].retention_days
            assert (f"{days} days" if days else "for good") in kind["how_long"], name


def test_every_topic_and_every_table_of_tenants_rows_is_on_the_list() -> None:
    """What is kept somewhere else, or newly, fails here until it is said."""
    listed_topics = {name for kind in STORED["kept"] for name in kind.get("topics", ())}
    listed_tables = {name for kind in STORED["kept"] for name in kind.get("tables", ())}
    page = (Path(contracts.__path__[0]) / "tables.md").read_text("utf-8")
    tables = dict(re.findall(r"^\| (\w+) \| \w+ \| ([\w+]+) \|", page, re.MULTILINE))
    assert listed_topics == TOPICS.keys()
    assert {name for name, rows in tables.items() if rows.startswith("yes")} <= listed_tables
    assert listed_tables <= tables.keys()
