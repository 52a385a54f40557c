"""Crashes one part of a running system under load, at a seeded random moment, and says what became of the money.

Nothing in services/ knows of this: the moments are found from outside. The ledger is frozen (SIGSTOP), looked
at through Postgres and Kafka, and killed where it stands, or let go on when it does not stand where it should.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.home import CLONE
from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.faults.correcting import Correcting
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
PRICES = CLONE / "tests" / "flow" / "prices.toml"
UNBOOKED_MIN = 1_000
CORRECTED_S = 3.0
"""How long the load lasts whose events are corrected while the corrector is killed."""
CORRECTED_SEED = 1_000_000
"""On top of the round's: its events are others."""
MOMENT_S_MAX = 30.0
"""How long to look for the moment before the round counts as failed."""
SETTLE_S_MAX = 90.0
FREEZE_S = 0.03
"""Long enough for statements under way to end and to show as `idle in transaction`."""
SECRET = "whsec_" + b64encode(b"the fault harness signs with this").decode()


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
    money: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)

    def __str__(self) -> str:
        same = "equal" if self.money == self.expected else f"WRONG, should be {self.expected}"
        return (
            f"seed {self.seed:<6} {self.victim:<20} unbooked {self.unbooked:>6,}  "
            f"pid {self.pid_before} -> {self.pid_after}  accepted {self.accepted:,}, retried requests {self.retried},"
            f" booked {self.booked:,}, {self.money} USD ({same})  {self.seen}"
        )


@dataclass
class Harness:
    """Rounds against one system; `logs` are the sender's logs of all of them."""

    system: System
    folder: Path
    rate: str = "6000"
    load_s: float = 6.0
    logs: list[Path] = field(default_factory=list)

    async def round(self, victim: str, seed: int) -> Round:
        """Crash `victim` once under load, and wait until everything accepted is booked."""
        done = Round(victim=victim, seed=seed)
        log = self.folder / f"sent-{seed}.jsonl"
        self.logs.append(log)
        async with _watching(self.system) as watch:
            events_before, money_before = await watch.booked()
            name = victim.split()[0]
            corrected = await self._corrected(watch, seed) if name == "corrector" else None
            done.pid_before = self.system.process(name).pid
            # when the alert comes, or the job, is their service's affair: the load lasts until it has been struck
            seconds = 2 * MOMENT_S_MAX if name in ("alerts", "corrector") else self.load_s
            with _load(self.system, log, seed, self.rate, seconds) as load:
                if corrected:
                    await corrected.ask(self.system, watch.owner)
                await asyncio.sleep(Random(seed).uniform(0.5, self.load_s / 2))
                await _strike(victim, self.system, watch, done, load)
                if corrected:
                    load.terminate()
                done.pid_after = await asyncio.to_thread(self.system.restarted, name, done.pid_before)
                report = await asyncio.to_thread(_report, load)
        done.accepted, done.retried = report["accepted"], report["retried_requests"]
        assert report["unknown"] == report["refused"] == 0, f"the load was not accepted: {report}"
        async with _watching(self.system) as watch:
            await watch.settle()
            if corrected:
                await corrected.settle(watch.owner)
            events, money = await watch.booked()
        done.booked, done.money = events - events_before, money - money_before
        sent, done.expected = worth(log)
        if corrected:
            sent, done.expected = (
                sent + len(corrected.sent),
                done.expected + corrected.worth(literal_prices()),
            )
        assert done.booked == sent, f"{done.booked} booked of {sent} different events: {done}"
        assert done.money == done.expected, str(done)
        return done

    async def _corrected(self, watch: _Watch, seed: int) -> Correcting:
        """Events that are sent and booked, for the corrector to be asked about."""
        log = self.folder / f"corrected-{seed}.jsonl"
        self.logs.append(log)
        since = datetime.now(UTC)
        with _load(self.system, log, seed + CORRECTED_SEED, self.rate, CORRECTED_S) as load:
            report = await asyncio.to_thread(_report, load)
        assert report["unknown"] == report["refused"] == 0, f"the load was not accepted: {report}"
        await watch.settle()
        return Correcting.of(f"faults-{seed}", since, log)

    def verify(self) -> tuple[int, dict[str, Any]]:
        """verify's exit code and report over everything sent so far."""
        logs = [part for log in self.logs for part in ("--submissions", log)]
        done = self.system.cli("verify", "--json", *logs, "--prices", PRICES, check=False, timeout=900)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


def literal_prices() -> dict[str, dict[str, str]]:
    """By model, what one of each unit costs."""
    prices: dict[str, dict[str, str]] = tomllib.loads(PRICES.read_text())["prices"]
    return prices


def worth(log: Path) -> tuple[int, Decimal]:
    """(different events, USD) of a sender's log, by literal prices: the generator's own account."""
    prices = literal_prices()
    seen: dict[tuple[str, str], Decimal] = {}
    with log.open() as lines:
        for line in map(json.loads, lines):
            price = prices[f"{line['provider']}/{line['sku']}"]
            amount = sum((n * Decimal(price[unit]) for unit, n in line["usage"].items()), Decimal(0))
            assert seen.setdefault((line["tenant"], line["id"]), amount) == amount
    return len(seen), sum(seen.values(), Decimal(0))


# -- the load -------------------------------------------------------------------------------------------------


@contextmanager
def _load(system: System, log: Path, seed: int, rate: str, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """The load generator as a process of its own; ended here when nobody waited for it."""
    keys = log.with_name("keys.json")
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(system.keys))
    command = [sys.executable, "-m", "tests.benchmarks.load", "--ingest", system.ingest, "--keys", str(keys)]
    command += ["--rate", rate, "--seconds", str(seconds), "--seed", str(seed), "--out", str(log)]
    # as many events at once as a request may hold: an idle machine would else book them as they come
    command += ["--request-events", str(UNBOOKED_MIN)]
    process = subprocess.Popen(
        command, cwd=CLONE, env=os.environ | {"PYTHONPATH": str(CLONE)}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _report(load: subprocess.Popen[str]) -> dict[str, Any]:
    """What the load generator says at its end."""
    output, _ = load.communicate(timeout=240)
    assert load.returncode == 0, f"the load generator ended with {load.returncode}"
    report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return report


# -- the moment -----------------------------------------------------------------------------------------------


@dataclass
class _Watch:
    """Looks at both ends of the pipe from outside."""

    owner: asyncpg.Connection
    consumer: AIOKafkaConsumer
    admin: KafkaAdmin
    events: list[TopicPartition]
    rated: list[TopicPartition]

    async def unbooked(self) -> int:
        """Events that the broker holds and the book has not passed."""
        ends = await self.consumer.end_offsets(self.events)
        passed = await self.owner.fetchval("SELECT coalesce(sum(next_origin), 0) FROM positions")
        return sum(ends.values()) - int(passed)

    async def open_transactions(self, service: str) -> int:
        """Of a service, those that have written and wait for their client to go on: before COMMIT."""
        return int(
            await self.owner.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spendmeter-' || $1 "
                "AND state = 'idle in transaction' AND backend_xid IS NOT NULL",
                service,
            )
        )

    async def ahead_of_kafka(self) -> int:
        """Records applied by a committed transaction that Kafka was not told of."""
        committed = await self.admin.committed("ledger")
        rows = await self.owner.fetch("SELECT partition, position FROM positions")
        positions = {TopicPartition("usage.rated", p): position for p, position in rows}
        return sum(max(0, position - committed.get(p, 0)) for p, position in positions.items())

    async def corrected(self) -> int:
        """Entries that the corrector has written."""
        return int(await self.owner.fetchval("SELECT coalesce(max(next_entry), 0) FROM corrector"))

    async def is_rerating(self) -> bool:
        """Whether a job is at work on the book."""
        jobs = "SELECT EXISTS (SELECT FROM rerate_jobs WHERE state IN ('previewing', 'applying'))"
        return bool(await self.owner.fetchval(jobs))

    async def booked(self) -> tuple[int, Decimal]:
        row = await self.owner.fetchrow(
            "SELECT count(*) FILTER (WHERE seq = 0), coalesce(sum(effective), 0) FROM entries"
        )
        assert row is not None
        return int(row[0]), Decimal(row[1])

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        deadline = time.monotonic() + SETTLE_S_MAX
        while unbooked := await self.unbooked():
            assert time.monotonic() < deadline, f"{unbooked} events unbooked after {SETTLE_S_MAX} s"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _watching(system: System) -> AsyncIterator[_Watch]:
    owner = await system.database()
    consumer = AIOKafkaConsumer(**system.kafka.options())
    await consumer.start()
    try:
        async with KafkaAdmin(system.kafka) as admin:
            count = (await admin.topics(["usage.events"]))["usage.events"].partitions
            topics = [[TopicPartition(t, p) for p in range(count)] for t in ("usage.events", "usage.rated")]
            yield _Watch(owner, consumer, admin, *topics)
    finally:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await owner.close(timeout=2)
        await consumer.stop()


async def _strike(
    victim: str, system: System, watch: _Watch, done: Round, load: subprocess.Popen[str]
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


async def _stands(name: str, where: str, watch: _Watch, done: Round) -> bool:
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


class _Receiver(ThreadingHTTPServer):
    """A webhook that does not answer until it may."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.received: list[tuple[str, dict[str, Any]]] = []
        """(webhook-id, body) of every attempt."""
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, _Receiver)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        receiver.received.append((self.headers["webhook-id"], body))
        receiver.arrived.set()
        receiver.may_answer.wait(60)
        with suppress(OSError):  # the sender was killed
            self.send_response(204)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@contextmanager
def _receiving() -> Iterator[_Receiver]:
    with _Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            receiver.shutdown()


async def _strike_alerts(system: System, watch: _Watch, done: Round, load: subprocess.Popen[str]) -> None:
    """Break a budget, kill alerts while the receiver of the alert has not answered, and see the same delivery
    come again for the one incident."""
    budget, channel = uuid4(), uuid4()
    with _receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        await watch.owner.execute(
            "INSERT INTO channels (tenant, id, name, url, secret) VALUES ('acme', $1, $2, $3, $4)",
            channel, f"faults {done.seed}", url, SECRET,
        )  # fmt: skip
        await watch.owner.execute(
            "INSERT INTO budgets (tenant, id, name, filter, amount, currency, period) "
            "VALUES ('acme', $1, $2, '{\"team\": \"team-01\"}', 0.01, 'USD', 'day')",
            budget, f"faults {done.seed}",
        )  # fmt: skip
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

        def attempts() -> int:
            return sum(received == delivery for received, _ in receiver.received)

        await asyncio.to_thread(eventually, "the same delivery again", lambda: attempts() > 1, 90)
        assert all(again == body for received, again in receiver.received if received == delivery)
        incidents = await watch.owner.fetchval(
            "SELECT count(*) FROM incidents WHERE rule_id = $1", str(budget)
        )
        assert incidents == 1, f"{incidents} incidents of one budget and threshold"
        done.seen = f"delivery {delivery} came {attempts()} times for one incident"
        await watch.owner.execute("UPDATE channels SET deleted_at = now() WHERE id = $1", channel)
        await watch.owner.execute("UPDATE budgets SET deleted_at = now() WHERE id = $1", budget)
