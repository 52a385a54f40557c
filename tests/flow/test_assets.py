"""What is no call, on a running system: from the register to the book, and to the last digit, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

import asyncpg
import httpx
import pytest

from deploy.local import home as homes
from deploy.local.home import Home
from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.assets.accruing import Accruing
from services.api.assets.door import AccrualDoor
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import Database, prepare
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from spendmeter.platform.service_keys import ACCRUALS, service_key
from spendmeter.platform.settings import Settings
from tests.flow.system import System, eventually
from tests.flow.test_terms import Newcomer


@pytest.fixture
def newcomer(second: System) -> Iterator[Newcomer]:
    made = Newcomer(second)
    yield made
    made.api.close()


@pytest.fixture
async def proprietor(second: System) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to the second system's book."""
    connection = await second.database()
    yield connection
    await connection.close()


def day(days_ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


def spent(newcomer: Newcomer, by: str) -> dict[str, Decimal]:
    rows = newcomer.get("/v1/spend", group_by=by, **{"from": day(60), "to": day(-1)})["totals"]
    return {row[by]: Decimal(row["effective"]) for row in rows}


def booked(newcomer: Newcomer, id: str) -> tuple[Decimal, int]:
    found = newcomer.get(f"/v1/assets/{id}")["booked"]
    return (Decimal(found[0]["amount"]), found[0]["events"]) if found else (Decimal(0), 0)


async def test_a_spreadsheet_of_assets_is_booked_to_the_last_digit_though_api_and_ingest_fail_meanwhile(
    second: System, newcomer: Newcomer, proprietor: asyncpg.Connection, tmp_path: Path
) -> None:
    # Four commitments of 200 USD over 20 days of 24 hours, two of each team; and one bad row.
    file = tmp_path / "assets.csv"
    rows = [
        f"c-{at},commitment,C {at},{day(20)},{day(0)},200,label,{'a' if at % 2 else 'b'}" for at in range(4)
    ]
    head = "id,kind,name,starts_on,ends_on,cost,reason,label.team"
    file.write_text("\n".join([head, *rows, f"bad,hardware,Bad,{day(20)},,-1,x,a"]) + "\n")
    ingest = second.process("ingest").pid
    second.kill("ingest", SIGSTOP)  # away, as far as anybody can tell
    try:
        done = second.cli("assets", "import", file, "--tenant", newcomer.name, check=False)
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == "4 registered, 0 there already, 1 refused"
        assert done.stdout.startswith("line 6: ")
    finally:
        second.kill("ingest", SIGCONT)
    assert second.process("ingest").pid == ingest
    await asyncio.sleep(1)
    second.restarted("api", second.kill("api"))
    again = second.cli("assets", "import", file, "--tenant", newcomer.name, check=False)
    assert again.stdout.splitlines()[-1] == "0 registered, 4 there already, 1 refused"

    await leases_are_over(proprietor, newcomer)
    await three_schedulers(second)
    everything = {"a": Decimal(400), "b": Decimal(400)}
    eventually("all of it is booked", lambda: spent(newcomer, "team") == everything, 90, every_s=0.5)
    assert [booked(newcomer, f"c-{at}") for at in range(4)] == [(Decimal(200), 480)] * 4
    assert spent(newcomer, "cost_class") == {"model": Decimal(800)}
    shown = json.loads(second.cli("assets", "list", "--json", "--tenant", newcomer.name).stdout)
    assert [each["state"] for each in shown["assets"]] == ["over"] * 4

    # Half of its life was core's: said weeks later, through the corrector, and to the last digit.
    said = second.cli(
        "assets", "assign", "c-1", "--label", "team=core", "--from", day(10), "--reason", "was forgotten",
        "--tenant", newcomer.name,
    ).stdout  # fmt: skip
    assert "amended" in said
    moved = {"a": Decimal(300), "b": Decimal(400), "core": Decimal(100)}
    eventually("what was booked is amended", lambda: spent(newcomer, "team") == moved, 90, every_s=0.5)
    assert booked(newcomer, "c-1") == (Decimal(200), 480)
    kinds = await proprietor.fetchrow(
        "SELECT count(*) FILTER (WHERE outcome <> 'duplicate') AS lost, (SELECT count(*) FROM entries "
        "WHERE tenant = $1 AND seq = 0 AND (status <> 'reported' OR event::jsonb->'data'->>'cadence' <> 'accrual')) AS others "
        "FROM unbooked WHERE tenant = $1",
        newcomer.name,
    )
    assert (kinds["lost"], kinds["others"]) == (0, 0)


def environment(system: System) -> dict[str, str]:
    """What api sends accruals with."""
    secret = homes.recall(Home(system.folder)).role_secret
    return {
        **system.kafka.environment(),
        "DATABASE_URL": role_url(system.owner_url, "api", secret),
        "SPENDMETER_INGEST_URL": system.ingest,
        "SPENDMETER_ACCRUAL_KEY": service_key(secret, ACCRUALS),
    }


async def pool_of(system: System) -> asyncpg.Pool:
    return await create_pool(environment(system)["DATABASE_URL"], size_max=4, service="test", init=prepare)


async def three_schedulers(system: System) -> None:
    """Two more beside api's, until there is nothing left to do."""
    pool, said = await pool_of(system), environment(system)
    log = CorrectionLog(Settings(kafka=system.kafka))
    door = AccrualDoor(system.ingest, said["SPENDMETER_ACCRUAL_KEY"])
    try:
        await asyncio.gather(*(until_idle(Accruing(Database(pool), door, log)) for _ in range(2)))
    finally:
        await log.aclose()
        await pool.close()


async def until_idle(accruing: Accruing) -> None:
    while await accruing.turn():
        pass


async def leases_are_over(proprietor: asyncpg.Connection, newcomer: Newcomer) -> None:
    """What a killed scheduler has put off may be taken up: forty seconds later, or now."""
    await proprietor.execute(
        "UPDATE assets SET due_at = now() WHERE tenant = $1 AND due_at IS NOT NULL", newcomer.name
    )


def killed(system: System, where: str, after: int) -> bool:
    """Run a scheduler that kills itself there; whether it did."""
    command = [sys.executable, "-m", "tests.flow.accruing_child", where, str(after)]
    done = subprocess.run(
        command, env={**os.environ, **environment(system)}, capture_output=True, timeout=120
    )
    assert done.returncode in (0, -SIGKILL), done.stderr.decode()
    return done.returncode == -SIGKILL


async def test_schedulers_that_are_killed_at_the_worst_moments_accrue_nothing_twice_and_lose_nothing(
    second: System, newcomer: Newcomer, proprietor: asyncpg.Connection
) -> None:
    # Six commitments of 100 USD over 20 days of 24 hours; afterwards half of one is said to be core's: 50.
    second.kill("api", SIGSTOP)  # so that the killed ones alone work at them
    pool = await pool_of(second)
    try:
        app = create_app(Settings(kafka=second.kafka), Database(pool), BookProgress(), lambda: "")
        transport = httpx.ASGITransport(app=app)
        asked = {"base_url": "http://api.test", "headers": dict(newcomer.api.headers)}
        async with httpx.AsyncClient(transport=transport, **asked) as api:  # type: ignore[arg-type]
            for at in range(6):
                body = {
                    "id": f"k-{at}",
                    "kind": "commitment",
                    "name": "x",
                    "cost": "100",
                    "labels": {"team": "a"},
                }
                body |= {"starts_on": day(20), "ends_on": day(0)}
                (await api.post("/v1/assets", json=body)).raise_for_status()

            for where, after in (("claimed", 0), ("sent", 0), ("sent", 1), ("claimed", 2), ("sent", 2)):
                assert await asyncio.to_thread(killed, second, where, after), (where, after)
                await leases_are_over(proprietor, newcomer)
            assert not await asyncio.to_thread(killed, second, "nowhere", 0)

            moved = {"labels": {"team": "core"}, "effective_from": day(10), "reason": "was forgotten"}
            (await api.patch("/v1/assets/k-0", json=moved)).raise_for_status()
            for where, after in (("amended", 30), ("amended", 130)):
                assert await asyncio.to_thread(killed, second, where, after)
                await leases_are_over(proprietor, newcomer)
    finally:
        await pool.close()
        second.kill("api", SIGCONT)
    right = {"a": Decimal(550), "core": Decimal(50)}
    eventually("all of it is booked and amended", lambda: spent(newcomer, "team") == right, 120, every_s=0.5)
    assert [booked(newcomer, f"k-{at}") for at in range(6)] == [(Decimal(100), 480)] * 6
    counted = await proprietor.fetch(
        "SELECT outcome, count(*) FROM unbooked WHERE tenant = $1 GROUP BY 1", newcomer.name
    )
    assert [row["outcome"] for row in counted] == ["duplicate"]  # what was sent, and sent again
    assert found_by_verify(second) == {}


def found_by_verify(system: System) -> dict[str, Any]:
    answer = json.loads(system.cli("verify", "--json", check=False).stdout)
    return {name: each["named"] for name, each in answer["invariants"].items() if each["found"]}
