"""Crashes one part of a running system under load, at a seeded random moment, and says what became of the money.

Nothing in services/ knows of this: the moments are found from outside. The ledger is frozen (SIGSTOP), looked
at through Postgres and Kafka, and killed where it stands, or let go on when it does not stand where it should.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from uuid import uuid4

from tests.faults.compared import recovered
from tests.faults.correcting import Correcting
from tests.faults.deliveries import receiving, told_of_a_budget
from tests.faults.loading import REQUEST_EVENTS, accepted, literal_prices, sent, under_load, worth
from tests.faults.trial import Stage
from tests.faults.watch import Watch, watching
from tests.flow.system import System, eventually

VICTIMS = (
    "rating",
    "ledger before COMMIT",
    "ledger after COMMIT",
    "corrector",
    "corrector before COMMIT",
    "ingest",
    "alerts",
    "kafka",
    "postgres",
)
UNBOOKED_MIN = REQUEST_EVENTS
CORRECTED_SEED = 1_000_000
"""On top of the round's: its events are others."""
MOMENT_S_MAX = 30.0
"""How long to look for the moment before the round counts as failed."""
FREEZE_S = 0.03
"""Long enough for statements under way to end and to show as `idle in transaction`."""


@dataclass(kw_only=True)
class Round:
    """One crash and what it did. Amounts in USD."""

    victim: str
    seed: int
    unbooked: int = 0
    pid_before: int = 0
    pid_after: int = 0
    seen: str = ""
    """What the killer saw at the moment of the kill."""
    accepted: int = 0
    retried: int = 0
    booked: int = 0
    recovery_s: float = 0.0
    """From the crash until all that had been accepted when it was over was booked."""
    money: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)
    began: float = field(default_factory=time.monotonic)
    took: list[str] = field(default_factory=list)
    """Each step with the seconds after which it was done."""

    def reached(self, step: str) -> None:
        self.took.append(f"{step} {time.monotonic() - self.began:.1f}")

    def __str__(self) -> str:
        same = "equal" if self.money == self.expected else f"WRONG, should be {self.expected}"
        return (
            f"seed {self.seed:<6} {self.victim:<20} unbooked {self.unbooked:>6,}  "
            f"pid {self.pid_before} -> {self.pid_after}  accepted {self.accepted:,}, retried requests {self.retried},"
            f" booked {self.booked:,}, {self.money} USD ({same})  {self.seen}  seconds: {', '.join(self.took)}"
        )


@dataclass
class Harness(Stage):
    """Rounds against one system, one after the other."""

    rate: int = 6_000
    load_s: float = 6.0
    """Half as long lasts the load whose events are corrected while the corrector is killed."""

    async def round(self, victim: str, seed: int) -> Round:
        """Crash `victim` once under load, and wait until everything accepted is booked."""
        done = Round(victim=victim, seed=seed)
        log = self.folder / f"sent-{seed}.jsonl"
        self.logs.append(log)
        async with watching(self.system) as watch:
            await watch.settle()  # a round that failed may have left some, which are not this one's
            events_before, money_before = await watch.booked()
            name = victim.split()[0]
            corrected = await self._corrected(watch, seed) if name == "corrector" else None
            done.reached("prepared")
            done.pid_before = self.system.process(name).pid
            # when the alert comes, or the job, is their service's affair: the load lasts until it has been struck
            awaited = name in ("alerts", "corrector")
            rate, seconds = (self.rate // 2, 2 * MOMENT_S_MAX) if awaited else (self.rate, self.load_s)
            with under_load(self.system, log, seed, str(rate), seconds) as load:
                if corrected:
                    await corrected.ask(self.system, watch.owner)
                await asyncio.sleep(Random(seed).uniform(0.5, self.load_s / 2))
                await _strike(victim, self.system, watch, done, load)
                struck = time.monotonic()
                done.reached("struck")
                if corrected:
                    load.terminate()
                done.pid_after = await asyncio.to_thread(self.system.restarted, name, done.pid_before)
                done.reached("back")
                done.recovery_s = await recovered(self.system, struck)
                report = await asyncio.to_thread(accepted, load)
                done.reached("all accepted")
        done.accepted, done.retried = report["accepted"], report["retried_requests"]
        async with watching(self.system) as watch:
            await watch.settle()
            done.reached("all booked")
            if corrected:
                await corrected.settle(watch.owner)
                done.reached("all corrected")
            events, money = await watch.booked()
        done.booked, done.money = events - events_before, money - money_before
        prices, lines = literal_prices(), sent(log)
        done.expected = sum((worth(line, prices) for line in lines), Decimal(0))
        if corrected:
            lines += corrected.sent
            done.expected += corrected.worth(prices)
        assert done.booked == len(lines), f"{done.booked} booked of {len(lines)} different events: {done}"
        assert done.money == done.expected, str(done)
        return done

    async def _corrected(self, watch: Watch, seed: int) -> Correcting:
        """Events that are sent and booked, for the corrector to be asked about."""
        log = self.folder / f"corrected-{seed}.jsonl"
        self.logs.append(log)
        since = datetime.now(UTC)
        with under_load(self.system, log, seed + CORRECTED_SEED, str(self.rate), self.load_s / 2) as load:
            await asyncio.to_thread(accepted, load)
        await watch.settle()
        return Correcting.of(f"faults-{seed}", since, log)


# -- the moment -----------------------------------------------------------------------------------------------


async def _strike(
    victim: str, system: System, watch: Watch, done: Round, load: subprocess.Popen[str]
) -> None:
    """Kill the victim where it should stand, with UNBOOKED_MIN events unbooked."""
    if victim == "alerts":
        await _strike_alerts(system, watch, done, load)
        return
    name, _, where = victim.partition(" ")
    process = system.process(name).identity.process()
    assert process is not None, f"{name} does not run"
    deadline = time.monotonic() + MOMENT_S_MAX
    while True:
        assert time.monotonic() < deadline, (
            f"{victim}: the moment did not come within {MOMENT_S_MAX} s: {done.unbooked} unbooked, {done.seen}"
        )
        if where:
            process.suspend()
            await asyncio.sleep(FREEZE_S)
        done.unbooked = await watch.unbooked()
        standing = await _stands(name, where, watch, done) if done.unbooked >= UNBOOKED_MIN else False
        if standing:
            # what "immediate" means to Postgres; SIGKILL would leave its children in possession of its memory
            process.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
            return
        if where:
            process.resume()
        await asyncio.sleep(0.005)


async def _stands(name: str, where: str, watch: Watch, done: Round) -> bool:
    if where == "before COMMIT":
        opened = await watch.open_transactions(name)
        done.seen = f"{opened} transactions written and not committed"
        return opened > 0
    if where == "after COMMIT":
        ahead = await watch.ahead_of_kafka()
        done.seen = f"{ahead:,} records committed in Postgres, unknown to Kafka"
        return ahead > 0
    if name == "corrector":
        done.seen = f"{await watch.corrected():,} entries of corrections and jobs, and a job at work"
        return await watch.is_rerating()
    return True


# -- alerts, in the middle of a delivery ----------------------------------------------------------------------


async def _strike_alerts(system: System, watch: Watch, done: Round, load: subprocess.Popen[str]) -> None:
    """Break a budget, kill alerts while the receiver of the alert has not answered, and see it told again for
    the one incident."""
    budget = uuid4()
    with receiving() as receiver:
        async with told_of_a_budget(watch.owner, receiver, budget, f"faults {done.seed}"):
            assert await asyncio.to_thread(receiver.arrived.wait, MOMENT_S_MAX), "no alert was delivered"
            deadline = time.monotonic() + 5
            while (unbooked := await watch.unbooked()) < UNBOOKED_MIN and time.monotonic() < deadline:
                await asyncio.sleep(0.002)
            done.unbooked = unbooked
            system.kill("alerts")
            load.terminate()
            assert unbooked >= UNBOOKED_MIN, f"only {unbooked} events unbooked at the kill"
            receiver.may_answer.set()
            delivery, body = receiver.received[0]

            def told_again() -> int:
                """By the same delivery, or by a newer message of the incident, which says what it replaces."""
                later = list(receiver.received)[1:]
                return sum(each == delivery or "replaces" in said["data"]["details"] for each, said in later)

            await asyncio.to_thread(eventually, "what was not answered is told again", told_again, 90)
            assert all(again == body for received, again in receiver.received if received == delivery)
            incidents = await watch.owner.fetchval(
                "SELECT count(*) FROM incidents WHERE rule_id = $1", str(budget)
            )
            assert incidents == 1, f"{incidents} incidents of one budget and threshold"
            done.seen = f"delivery {delivery} was told again {told_again()} times for one incident"
