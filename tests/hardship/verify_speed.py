"""How many events a second does `spendmeter verify` check?

Method: the load generator sends at least EVENTS_MIN events of three tenants, 1 in 100 a copy, and everything is
booked before the clock starts. Then `spendmeter verify --json` runs once as a process of its own, with all of its
start-up. The process works on one core; Postgres sorts and adds up on another. `verify_events_per_s` is by the
clock on the wall, which on a busy machine says more about the machine; `verify_events_per_cpu_s` is by the
processor time of the process alone, so it is what one free core checks in a second. Then it runs once more with
the generator's log and the table of prices: `verify_with_options_events_per_cpu_s`.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.home import CLONE
from tests.flow.system import System

PRICES = CLONE / "tests" / "flow" / "prices.toml"
EVENTS_MIN = 100_000
BOOKED_SECONDS_MAX = 600
VERIFY_SECONDS_MAX = 900
ROUND_S = 10


def measure(system: System, *, events_min: int = EVENTS_MIN) -> dict[str, float]:
    """Records checked a second, by the wall and by processor time. AssertionError when verify finds anything
    wrong."""
    options: list[str | Path] = ["--prices", PRICES]
    with tempfile.TemporaryDirectory() as folder:
        sent, before = 0, asyncio.run(_handled(system))
        for seed in range(1, 1_000):
            if sent >= events_min:
                break
            log = Path(folder, f"sent{seed}.jsonl")
            sent += _send(system, seed, ROUND_S if events_min >= EVENTS_MIN else 1, log)
            options += ["--submissions", log]
        asyncio.run(_until_handled(system, before + sent))
        records, wall_s, cpu_s = _check(system)
        _, _, with_options_cpu_s = _check(system, *options)
    return {
        "verify_events_per_s": round(records / wall_s),
        "verify_events_per_cpu_s": round(records / cpu_s),
        "verify_with_options_events_per_cpu_s": round(records / with_options_cpu_s),
        "verify_events": records,
    }


def _check(system: System, *options: str | Path) -> tuple[int, float, float]:
    """(records, seconds by the wall, seconds of processor time) of one run."""
    cpu, began = _children_cpu_s(), time.monotonic()
    done = system.cli("verify", "--json", *options, check=False, timeout=VERIFY_SECONDS_MAX)
    wall_s, cpu_s = time.monotonic() - began, _children_cpu_s() - cpu
    report = json.loads(done.stdout)
    found = {name: line["named"] for name, line in report["invariants"].items() if line["found"]}
    assert not found, f"verify found something wrong: {found}"
    return report["facts"]["records"], wall_s, cpu_s


def _send(system: System, seed: int, seconds: float, log: Path) -> int:
    """Load as fast as it is accepted, told in `log`; how many events were."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.json")
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(system.keys))
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.load",
            "--ingest",
            system.ingest,
            "--keys",
            str(keys),
        ]
        command += [
            "--rate",
            "max",
            "--seconds",
            str(seconds),
            "--seed",
            str(90_000 + seed),
            "--out",
            str(log),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return int(json.loads(done.stdout.splitlines()[-1])["accepted"])


async def _handled(system: System) -> int:
    """How many records of usage.rated the ledger has booked or set aside."""
    owner = await system.database()
    try:
        return int(await owner.fetchval("SELECT sum(next_origin) FROM positions") or 0)
    finally:
        await owner.close()


async def _until_handled(system: System, records: int) -> None:
    async with asyncio.timeout(BOOKED_SECONDS_MAX):
        while await _handled(system) < records:
            await asyncio.sleep(0.5)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
