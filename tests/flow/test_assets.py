"""What is no call, on a running system: from the register to the book, and to the last digit, whoever is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import asyncpg
import pytest

from deploy.local import home as homes
from deploy.local.home import Home
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

TODAY = datetime.now(UTC).date()


@pytest.fixture
def newcomer(system: System) -> Iterator[Newcomer]:
    made = Newcomer(system)
    yield made
    made.api.close()


def day(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


def spent(newcomer: Newcomer, by: str) -> dict[str, Decimal]:
    rows = newcomer.get("/v1/spend", group_by=by, **{"from": day(60), "to": day(-1)})["totals"]
    return {row[by]: Decimal(row["effective"]) for row in rows}


def booked(newcomer: Newcomer, id: str) -> tuple[Decimal, int]:
    found = newcomer.get(f"/v1/assets/{id}")["booked"]
    return (Decimal(found[0]["amount"]), found[0]["events"]) if found else (Decimal(0), 0)


async def test_a_spreadsheet_of_assets_is_booked_to_the_last_digit_though_api_and_ingest_fail_meanwhile(
    system: System, newcomer: Newcomer, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    # Four commitments of 200 USD over 20 days of 24 hours, two of each team; and one bad row.
    file = tmp_path / "assets.csv"
    rows = [
        f"c-{at},commitment,C {at},{day(20)},{day(0)},200,label,{'a' if at % 2 else 'b'}" for at in range(4)
    ]
    head = "id,kind,name,starts_on,ends_on,cost,reason,label.team"
    file.write_text("\n".join([head, *rows, f"bad,hardware,Bad,{day(20)},,-1,x,a"]) + "\n")
    ingest = system.process("ingest").pid
    system.kill("ingest", SIGSTOP)  # away, as far as anybody can tell
    try:
        done = system.cli("assets", "import", file, "--tenant", newcomer.name, check=False)
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == "4 registered, 0 there already, 1 refused"
        assert done.stdout.startswith("line 6: ")
    finally:
        system.kill("ingest", SIGCONT)
    assert system.process("ingest").pid == ingest
    await asyncio.sleep(1)
    system.restarted("api", system.kill("api"))
    again = system.cli("assets", "import", file, "--tenant", newcomer.name, check=False)
    assert again.stdout.splitlines()[-1] == "0 registered, 4 there already, 1 refused"

    await _three_schedulers(system)
    everything = {"a": Decimal(400), "b": Decimal(400)}
    eventually("all of it is booked", lambda: spent(newcomer, "team") == everything, 90, every_s=0.5)
    assert [booked(newcomer, f"c-{at}") for at in range(4)] == [(Decimal(200), 480)] * 4
    assert spent(newcomer, "cost_class") == {"model": Decimal(800)}
    shown = json.loads(system.cli("assets", "list", "--json", "--tenant", newcomer.name).stdout)
    assert [each["state"] for each in shown["assets"]] == ["over"] * 4

    # Half of its life was core's: said weeks later, through the corrector, and to the last digit.
    said = system.cli(
        "assets", "assign", "c-1", "--label", "team=core", "--from", day(10), "--reason", "was forgotten",
        "--tenant", newcomer.name,
    ).stdout  # fmt: skip
    assert "amended" in said
    moved = {"a": Decimal(300), "b": Decimal(400), "core": Decimal(100)}
    eventually("what was booked is amended", lambda: spent(newcomer, "team") == moved, 90, every_s=0.5)
    assert booked(newcomer, "c-1") == (Decimal(200), 480)
    kinds = await owner.fetchrow(
        "SELECT count(*) FILTER (WHERE outcome <> 'duplicate') AS lost, (SELECT count(*) FROM entries "
        "WHERE tenant = $1 AND seq = 0 AND (status <> 'reported' OR event::jsonb->'data'->>'cadence' <> 'accrual')) AS others "
        "FROM unbooked WHERE tenant = $1",
        newcomer.name,
    )
    assert (kinds["lost"], kinds["others"]) == (0, 0)
    verified: dict[str, Any] = json.loads(system.cli("verify", "--json", timeout=180, check=False).stdout)
    assert {name: each["named"] for name, each in verified["invariants"].items() if each["found"]} == {}


async def _three_schedulers(system: System) -> None:
    """Two more beside api's, until there is nothing left to do."""
    secret = homes.recall(Home(system.folder)).role_secret
    url = role_url(system.owner_url, "api", secret)
    pool = await create_pool(url, size_max=4, service="test", init=prepare)
    log = CorrectionLog(Settings(kafka=system.kafka, topic_prefix=""))
    door = AccrualDoor(system.ingest, service_key(secret, ACCRUALS))
    try:
        others = [Accruing(Database(pool), door, log) for _ in range(2)]

        async def work(accruing: Accruing) -> None:
            while await accruing.turn():
                pass

        await asyncio.gather(*map(work, others))
    finally:
        await log.aclose()
        await pool.close()
