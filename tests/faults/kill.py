"""Kills every worker, the broker and the database under load, five times each, and asks verify.

    python -m tests.faults.kill [--rounds 5] [--seed 1] [--victims ingest kafka ...]

Prints a line a crash (seed, victim, events unbooked at the kill, process ids before and after, the money
against the generator's own log) and verify's answer after each victim's rounds. Exit code 0 when all is right.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.harness import VICTIMS, Harness
from tests.flow.system import System

PRIVATE_WEBHOOKS = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}


async def rounds(harness: Harness, victims: Sequence[str], count: int, seed: int) -> int:
    """The number of things that went wrong."""
    wrong = 0
    for kind, victim in enumerate(victims):
        for number in range(count):
            try:
                print(await harness.round(victim, seed * 1000 + kind * 100 + number), flush=True)
            except AssertionError as failure:
                wrong += 1
                print(f"FAILED {victim}: {failure}", flush=True)
        code, report = await asyncio.to_thread(harness.verify)
        found = {name: line["named"] for name, line in report["invariants"].items() if line["found"]}
        checked = sum(line["checked"] for line in report["invariants"].values())
        print(f"verify: {report['verdict']}, {checked:,} checks, exit code {code} {found or ''}", flush=True)
        wrong += code != 0
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is the point
    folder = Path(tempfile.mkdtemp(prefix="kill"))
    with System(folder / "home", environment=PRIVATE_WEBHOOKS) as system:
        wrong = asyncio.run(rounds(Harness(system, folder), options.victims, options.rounds, options.seed))
    print(f"{len(options.victims) * options.rounds} crashes, {wrong} things went wrong")
    if wrong:
        print(f"logs and data: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
