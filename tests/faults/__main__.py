"""`make faults`: the fault matrix with real processes; the table is docs/faults.md, the last line is JSON.

    python -m tests.faults [--only 'kill ingest' ...] [--seed 1] [--rate 400] [--scale 1]

Each fault comes at a seeded random moment under load, on a running system. What the sender's own log says was accepted is
held against the book after each; `spendmeter verify` reads everything again, with code and prices of its own, after all
faults of a system. A fault that went wrong does not stop the others. Results are kept in .spendmeter/faults.json: a run of
some faults leaves what the others' last runs said, each with its date. Exit code 0 when nothing was wrong in this run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.faults.kinds.crashes import CRASHES, crash
from tests.faults.kinds.disks import DATA_BYTES, disk
from tests.faults.matrix import FAULTS, SMALL, STAGES
from tests.faults.page import KEPT, PAGE, kept, page
from tests.faults.trial import FAILURES, NotHere, Outcome, Stage, worded
from tests.flow.system import System

ENVIRONMENT = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}


@contextmanager
def stage_of(name: str, folder: Path, rate: int, scale: float) -> Iterator[Stage]:
    """A running system. NotHere where it needs what this machine does not allow."""
    with ExitStack() as open_things:
        if name == SMALL:
            open_things.enter_context(disk(folder / "home" / "data", DATA_BYTES))
        system = open_things.enter_context(System(folder / "home", environment=ENVIRONMENT))
        yield Stage(system, folder, rate=rate, scale=scale)


async def tried(stage: Stage, name: str, seed: int) -> Outcome:
    if name in CRASHES:
        return await crash(stage, name, seed)
    return await stage.trial(name, FAULTS[name], seed)


def verified(stage: Stage) -> str:
    """'' or what `verify` found."""
    code, report = stage.verify()
    found = {name: line["named"] for name, line in report["invariants"].items() if line["found"]}
    unchecked = {name: line["unchecked"] for name, line in report["invariants"].items() if line["unchecked"]}
    checked = sum(line["checked"] for line in report["invariants"].values())
    wrong = found | unchecked
    print(f"  verify: {report['verdict']}, {checked:,} checks {wrong or ''}", flush=True)
    return "" if code == 0 else f"verify says {report['verdict']}: {json.dumps(wrong)[:500]}"


def run_stage(name: str, faults: Sequence[str], options: argparse.Namespace) -> list[Outcome]:
    """The faults of one system, and what a second reader says after all of them."""
    folder, outcomes = Path(tempfile.mkdtemp(prefix="faults")), dict[str, Outcome]()
    at, why = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", ""
    try:
        with stage_of(name, folder, options.rate, options.scale) as stage:
            for fault in faults:
                began = time.monotonic()
                seed = options.seed * 1000 + [*FAULTS].index(fault)
                outcomes[fault] = asyncio.run(tried(stage, fault, seed))
                print(f"{fault}: {said(outcomes[fault])} ({time.monotonic() - began:.0f} s)", flush=True)
                keep([outcomes[fault]], options.scale)
            why = verified(stage)
    except NotHere as missing:
        return [Outcome(name=fault, seed=0, at=at, not_run=str(missing)) for fault in faults]
    except FAILURES as failure:
        traceback.print_exc()
        why = worded(failure)
    if not why:
        outcomes = {name: msgspec.structs.replace(each, verified=True) for name, each in outcomes.items()}
    unknown = {fault: Outcome(name=fault, seed=0, at=at) for fault in faults}
    if why:
        outcomes = {
            each.name: msgspec.structs.replace(each, wrong=each.wrong or why)
            for each in (unknown | outcomes).values()
        }
    if any(each.wrong for each in outcomes.values()):
        print(f"logs and data stay in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return list(outcomes.values())


def keep(outcomes: Sequence[Outcome], scale: float) -> None:
    """With what the other faults' last runs said, and as the table; nothing of faults that were shortened."""
    if scale == 1:
        everything = kept() | {each.name: each for each in outcomes}
        KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(list(everything.values()))))
        PAGE.write_text(page(everything))


def said(outcome: Outcome) -> str:
    if outcome.not_run:
        return f"not run here: {outcome.not_run}"
    recovered = f"{outcome.recovery_s} s" if outcome.recovery_s is not None else "not"
    return (
        f"{outcome.events:,} events, {outcome.lost} lost, {outcome.doubled} twice, recovered after {recovered}; "
        f"seed {outcome.seed}; {outcome.seen}" + (f"; WRONG: {outcome.wrong}" if outcome.wrong else "")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=400, help="events a second")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of how long things last and how often they come"
    )
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is the point
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for stage, names in STAGES.items():
        if chosen := [name for name in names if name in options.only]:
            print(f"on a system with {stage}:", flush=True)
            outcomes += run_stage(stage, chosen, options)
            keep(outcomes, options.scale)
    wrong = [each.name for each in outcomes if each.wrong]
    print(
        f"{len(outcomes)} faults in {time.monotonic() - began:.0f} s; wrong: {', '.join(wrong) or 'nothing'}"
    )
    faults = [
        {name: getattr(each, name) for name in ("name", "events", "lost", "doubled", "recovery_s", "seed")}
        for each in outcomes if not each.not_run
    ]  # fmt: skip
    total = {name: sum(getattr(each, name) for each in outcomes) for name in ("lost", "doubled")}
    print(json.dumps({"faults": faults, **total, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
