"""One fault at a seeded random moment under load, and what became of the events: the same for every fault."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
import msgspec
import psutil

from tests.faults.compared import AWAY, compared, recovered, rolled_up_otherwise, unproved
from tests.faults.loading import PRICES, accepted, under_load
from tests.faults.watch import Watch, watching
from tests.flow.system import System, eventually

FAILURES = (AssertionError, LookupError, psutil.Error, subprocess.SubprocessError, httpx.HTTPError, *AWAY)
"""What a fault that went wrong ends in: the others are still to be tried."""
LOAD_S_MAX = 900.0
"""Longer than any fault: the load is ended when the fault is over."""
BEGUN_S_MAX = 60.0
REQUEST_EVENTS = 50
SETTLED_S_MAX = 180.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault did. `wrong` = '' where all is right; `recovery_s` is from the fault's end until all that had been
    accepted by then was booked."""

    name: str
    seed: int
    at: str
    events: int = 0
    lost: int = 0
    doubled: int = 0
    recovery_s: float | None = None
    seen: str = ""
    wrong: str = ""
    verified: bool = False
    """Whether `spendmeter verify` has read log and book after it, and found nothing."""
    not_run: str = ""
    """Why this machine cannot show it."""


class NotHere(Exception):
    """This machine cannot show the fault; the text says why."""


def has_begun(log: Path) -> bool:
    """Whether a sender has had its first answer."""
    return log.exists() and log.stat().st_size > 0


def worded(failure: BaseException) -> str:
    """In one line of a table."""
    return " ".join(str(failure).split())[:300] or repr(failure)


@dataclass(kw_only=True)
class Scene:
    """What a fault is given: a system under load, and when to strike."""

    system: System
    watch: Watch
    random: Random
    folder: Path
    seed: int
    logs: list[Path]
    """Of the sender, for the `verify` at the end: a fault that sends more adds its own."""
    scale: float
    """Of how long things last: 1 = as the table says."""

    @property
    def owner(self) -> asyncpg.Connection:
        """Until the database is away."""
        return self.watch.owner

    def process(self, name: str) -> psutil.Process:
        process = self.system.process(name).identity.process()
        assert process is not None, f"{name} does not run"
        return process


Act = Callable[[Scene], Awaitable[str]]
"""Does it, ends it, and says what it saw. All runs again when it returns. AssertionError = something is wrong."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault by name; `quiet`: nothing is sent meanwhile, for the book is to stand still."""

    act: Act
    quiet: bool = False


@dataclass
class Stage:
    """Faults against one system, one after the other; `logs` are the sender's logs of all of them."""

    system: System
    folder: Path
    rate: int = 400
    scale: float = 1.0
    logs: list[Path] = field(default_factory=list)

    async def trial(self, name: str, fault: Fault, seed: int) -> Outcome:
        """The fault under load; whatever goes wrong is in the answer."""
        log, at = self.folder / f"sent-{seed}.jsonl", f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
        told = Outcome(name=name, seed=seed, at=at)
        try:
            seen, recovery_s = await self._strike(fault, log, seed)
            async with watching(self.system) as watch:
                await watch.settle(SETTLED_S_MAX)
                found = await compared(watch.owner, log, seed)
                elsewhere = await rolled_up_otherwise(watch.owner)
                unsure = await unproved(watch.owner)
        except NotHere as why:
            return msgspec.structs.replace(told, not_run=str(why))
        except FAILURES as failure:
            return msgspec.structs.replace(told, wrong=worded(failure))
        return msgspec.structs.replace(
            told,
            events=found.events,
            lost=found.lost + max(0, -elsewhere),
            doubled=found.doubled + max(0, elsewhere),
            recovery_s=round(recovery_s, 1),
            seen=seen,
            wrong=found.wrong or (f"the rollups have {elsewhere:+} events" if elsewhere else unsure),
        )

    async def _strike(self, fault: Fault, log: Path, seed: int) -> tuple[str, float]:
        random = Random(seed)
        async with watching(self.system) as watch:
            await watch.settle(SETTLED_S_MAX)  # what a fault before left is not this one's
            scene = Scene(
                system=self.system, watch=watch, random=random, folder=self.folder, seed=seed,
                logs=self.logs, scale=self.scale,
            )  # fmt: skip
            self.logs.append(log)
            said = ("--request-events", str(REQUEST_EVENTS))
            with under_load(self.system, log, seed, str(self.rate), LOAD_S_MAX, *said) as load:
                await asyncio.to_thread(eventually, "the load has begun", lambda: has_begun(log), BEGUN_S_MAX)
                await asyncio.sleep(random.uniform(1, 4))
                if fault.quiet:
                    load.terminate()
                    await asyncio.to_thread(accepted, load)
                    await watch.settle(SETTLED_S_MAX)
                seen = await fault.act(scene)
                recovery_s = await recovered(self.system, time.monotonic())
                if not fault.quiet:
                    load.terminate()
                    await asyncio.to_thread(accepted, load)
        return seen, recovery_s

    def verify(self) -> tuple[int, dict[str, Any]]:
        """verify's exit code and report over everything sent so far: I1 to I9 by a second reader and pricer."""
        logs = [part for log in self.logs for part in ("--submissions", log)]
        done = self.system.cli("verify", "--json", *logs, "--prices", PRICES, check=False, timeout=900)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)
