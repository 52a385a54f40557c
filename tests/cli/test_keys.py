"""`keys create | list | revoke` on a real database."""

from __future__ import annotations

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from spendmeter.platform.keys import parse_key
from tests.databases import migrated_database


@pytest.fixture(scope="module")
async def database(owner_url: str) -> str:
    """The owner's URL of an empty, migrated database."""
    return await migrated_database(owner_url, "cli")


@pytest.fixture(autouse=True)
def chosen(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database)


async def run(*arguments: str) -> Result:
    """In a thread: the command has an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(CliRunner().invoke, build(["keys"]), ["keys", *arguments])


async def test_a_key_is_printed_once_and_stored_as_a_hash(database: str) -> None:
    result = await run(
        "create", "acme", "--create-tenant", "--scope", "ingest", "--name", "bot", "--expires-days", "9"
    )
    assert result.exit_code == 0, result.output
    parsed = parse_key(result.output.strip())
    assert parsed is not None
    connection = await asyncpg.connect(database)
    row = await connection.fetchrow("SELECT * FROM api_keys WHERE key_id = $1", parsed.key_id)
    await connection.close()
    assert row is not None
    assert (row["tenant"], row["scopes"], row["name"]) == ("acme", ["ingest"], "bot")
    assert row["secret_sha256"] == parsed.secret_sha256
    assert (row["expires_at"] - row["created_at"]).days in {8, 9}
    listed = (await run("list", "--tenant", "acme")).output
    assert f"{parsed.key_id}  acme" in listed
    assert "live until" in listed
    assert result.output.strip().split("_", 3)[3] not in listed


async def test_a_revoked_key_is_listed_as_such_and_cannot_be_revoked_again() -> None:
    created = await run("create", "globex", "--create-tenant")
    key_id = created.output.split("_")[2]
    assert (await run("revoke", key_id)).exit_code == 0
    assert "revoked" in (await run("list", "--tenant", "globex")).output
    again = await run("revoke", key_id)
    assert (again.exit_code, key_id in again.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "--create-tenant"),
        ((), "--operator"),
        (("acme", "--operator"), "--operator"),
        (("Not A Tenant", "--create-tenant"), "lower-case"),
        (("acme", "--create-tenant", "--scope", "everything"), "everything"),
    ],
)
async def test_a_key_that_cannot_be_made_is_explained(arguments: tuple[str, ...], said: str) -> None:
    result = await run("create", *arguments)
    assert result.exit_code in {1, 2}
    assert said in result.output


async def test_an_operators_key_belongs_to_no_tenant() -> None:
    assert (await run("create", "--operator", "--scope", "admin")).exit_code == 0
    assert "(operator)" in (await run("list")).output


async def test_a_database_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:9/x")
    result = await run("list")
    assert (result.exit_code, "database" in result.output) == (1, True)


async def test_a_rotated_key_has_a_new_secret_under_its_old_id(database: str) -> None:
    created = (await run("create", "initech", "--create-tenant", "--events-per-minute", "600")).output.strip()
    former = parse_key(created)
    assert former is not None
    new = parse_key((await run("rotate", former.key_id, "--grace-hours", "2")).output.strip())
    assert new is not None
    assert (new.key_id, new.secret_sha256 == former.secret_sha256) == (former.key_id, False)
    listed = (await run("list", "--tenant", "initech")).output
    assert "its former secret until" in listed
    assert "never used" in listed
    connection = await asyncpg.connect(database)
    row = await connection.fetchrow("SELECT * FROM api_keys WHERE key_id = $1", former.key_id)
    await connection.close()
    assert (row["secret_sha256"], row["former_sha256"]) == (new.secret_sha256, former.secret_sha256)
    assert row["events_per_minute"] == 600
    assert (row["former_until"] - row["rotated_at"]).total_seconds() == 7_200
    assert (await run("rotate", "k000000000000")).exit_code == 1


async def test_rotated_twice_a_key_keeps_the_secret_that_is_in_use(database: str) -> None:
    """Typed again, as when the first one's output was lost, it would end the secret that everybody has."""
    created = (await run("create", "hooli", "--create-tenant")).output.strip()
    former = parse_key(created)
    assert former is not None
    assert parse_key((await run("rotate", former.key_id)).output.strip()) is not None
    again = await run("rotate", former.key_id)
    assert (again.exit_code, "its former secret opens until" in again.output) == (1, True)
    connection = await asyncpg.connect(database)
    kept = "SELECT former_sha256 FROM api_keys WHERE key_id = $1"
    assert await connection.fetchval(kept, former.key_id) == former.secret_sha256
    assert parse_key((await run("rotate", former.key_id, "--grace-hours", "0")).output.strip()) is not None
    assert await connection.fetchval(kept, former.key_id) != former.secret_sha256
    await connection.close()
