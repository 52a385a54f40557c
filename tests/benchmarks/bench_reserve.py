"""200 agents on one hard budget, and whoever serves them is killed: overshoot, leaks, false refusals, latency.

    python -m tests.benchmarks.bench_reserve [--agents 200] [--calls 40] [--kills 3]

1. `spendmeter up` in a fresh folder: real Kafka and Postgres, all services; a second process of reservations
   beside the supervisor's. Four hard budgets, one within the other: the tenant's, a project's, a team's and
   an agent's; the money for all calls is not there.
2. Each agent calls again and again: reserve (the catalog bounds it), "work" of 20 to 200 ms, then 45 % commit
   what was used, so that we book it; 45 % name an event as they reserve, send it to ingest, and commit; 5 %
   cancel; 5 % never answer again, and their leases run out. One call in twenty is of an unknown model. An
   answer that does not come is asked for again at the other process, with the same idempotency key.
3. Meanwhile the two processes are killed (SIGKILL) in turn, and started again.
4. Once all leases are over and the broker has been read to its end, counted from the book's entries, by
   identity: overshoot = what calls with a live hold cost beyond a budget, the worst of the four; leaked = what
   counters still hold. booked_wrong = counters against entries, summed in Python.
5. false_refusals: a refusal whose own answer had room, or for which there was room whatever the order was in
   which the answers of others were decided: all holds and costs that can have existed while it was asked,
   each at its most, and what was asked still fit. Times are this process's own; nothing of the service is
   imported.

held_max = the most that a sample (every 50 ms) of Postgres saw booked and held, in shares of the budget.
check_then_act_overshoot = the same calls, were each to look at what is spent and then to go, in the same budget.
decision_p50_ms, decision_p99_ms: of all reserves, from first sent to answered, whatever came between: a kill, a
503, the wait before it is asked again. decision_calm_p99_ms: of the `decision_calm`, of which no instant lies between
a kill and the moment from which that process is ready again. check_p50_ms, check_p99_ms: of GET
/v1/budgets/check meanwhile, --check-rate a second over one connection, asked by a process of its own;
check_calm_p99_ms of the same without those seconds. check_alone_p50_ms, check_alone_p99_ms: the same questions
before any agent begins, for --alone-s seconds; health_alone_p50_ms, health_alone_p99_ms: of GET /health at the
same time, which does nothing: so much of it is the machine's. client_cpu: of one core, what the agents' own
process takes: near 1 the times are its own. cpu_ms_per_call: milliseconds of processor time by process, over
all calls (a process that was killed counts from its last start on); what Postgres does for any of them is its
own. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil

from deploy.local.home import CLONE
from spendmeter.platform.keys import create_key
from spendmeter.verify.usage import identity
from tests.benchmarks.bench_flow import settled
from tests.benchmarks.check_asker import QUESTION
from tests.flow.system import System
from tests.ports import free_port

TENANT, SOURCE = "acme", "bench"
PLAIN = {"service_tier": "standard", "region": "", "batch": False}
INPUT, OUTPUT_MAX = 8_000, 1_000
UNKNOWN_SHARE = 20
"""So much smaller are calls of an unknown model: else one of them would hold the whole budget."""
TTL_S = 12
PATIENCE_S = 60.0
LEVELS: tuple[dict[str, str], ...] = (
    {},
    {"project": "p"},
    {"project": "p", "team": "t"},
    {"project": "p", "team": "t", "agent": "swarm"},
)
LABELS = LEVELS[-1]


@dataclass(kw_only=True)
class Asked:
    """One reservation as its agent saw it; times are monotonic seconds."""

    bound: Decimal
    sent: float
    answered: float
    refused: bool = False
    room: Decimal | None = None
    """Of a refusal: what its own answer says was left."""
    ends: float = float("inf")
    """From when on it may hold nothing: a release that was sent, or its lease."""
    over: float = float("inf")
    """From when on it surely holds nothing."""
    cost: Decimal | None = None
    paid: float = float("inf")
    """When its commit was answered: from then on it counts with what it cost."""


@dataclass(kw_only=True)
class Run:
    """What all agents share."""

    targets: list[str]
    ingest: str
    http: aiohttp.ClientSession
    random: random.Random
    asked: list[Asked] = field(default_factory=list)
    identities: set[bytes] = field(default_factory=set)
    took: list[tuple[float, float]] = field(default_factory=list)
    """Of each reserve: when it was sent, and when it was answered."""
    down: list[tuple[float, float]] = field(default_factory=list)
    """From a kill until that process was ready again."""
    met_a_kill: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], bool]:
        """Status, answer, and whether it came at once; the other process is asked while one is away."""
        deadline, at = time.monotonic() + PATIENCE_S, self.random.randrange(len(self.targets))
        first = True
        while time.monotonic() < deadline:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self.http.post(self.targets[at] + path, json=body) as answer:
                    said = await answer.json(content_type=None)
                    if answer.status < 500:
                        return answer.status, said, first
            first, at = False, (at + 1) % len(self.targets)
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{path} was not answered for {PATIENCE_S} s")


async def call(run: Run, number: str) -> None:
    """One call of one agent."""
    unknown, fate = run.random.random() < 0.05, run.random.random()
    size = UNKNOWN_SHARE if unknown else 1
    body: dict[str, Any] = {
        "provider": "openai",
        "sku": "gpt-next-preview" if unknown else "gpt-4o",
        "quantities": {"input_tokens": INPUT // size},
        "max_output_tokens": OUTPUT_MAX // size,
        "context": PLAIN,
        "dimensions": LABELS,
        "ttl_s": TTL_S,
        "idempotency_key": number,
    }
    own = fate < 0.45
    if 0.45 <= fate < 0.9:
        body["event"] = {"source": SOURCE, "id": number}
    sent = time.monotonic()
    status, said, at_once = await run.post("/v1/reservations", body)
    now = time.monotonic()
    run.took.append((sent, now))
    run.met_a_kill += not at_once
    if status == 409:
        tight = said["budgets"][0]
        bound, room = Decimal(said["asked"]), Decimal(tight["left"])
        run.asked.append(Asked(bound=bound, sent=sent, answered=now, refused=True, room=room))
        run.count("refused")
        return
    assert status == 201, said
    made = said["reservation"]
    seen = Asked(bound=Decimal(made["bound"]), sent=sent, answered=now)
    run.asked.append(seen)
    path = f"/v1/reservations/{made['id']}"
    await asyncio.sleep(run.random.uniform(0.02, 0.2))
    if fate >= 0.95:
        run.count("never answered")
        seen.ends, seen.over = sent + TTL_S, now + TTL_S + PATIENCE_S
    elif fate >= 0.9:
        run.count("cancelled")
        seen.ends = time.monotonic()
        status, said, _ = await run.post(f"{path}/release", {"idempotency_key": number})
        assert status in (200, 410), said
        seen.over = time.monotonic()
    else:
        await finish(run, seen, path, number, body, own=own)


async def finish(run: Run, seen: Asked, path: str, number: str, asked: dict[str, Any], *, own: bool) -> None:
    """Commit: with what was used, or with the name of an event that the agent sends itself."""
    most = asked["max_output_tokens"]
    usage = asked["quantities"] | {"output_tokens": run.random.randint(1, most)}
    body: dict[str, Any] = {"idempotency_key": number}
    if own:
        body["usage"] = usage
    else:
        run.identities.add(identity(TENANT, SOURCE, number))
        await send(run, number, asked, usage)
    status, said, _ = await run.post(f"{path}/commit", body)
    if status == 410:
        run.count("committed too late")
        seen.over = time.monotonic()
        return
    assert status == 200, said
    run.count("committed")
    seen.paid = time.monotonic()
    actual = said["reservation"]["actual"]
    seen.cost = None if actual is None else Decimal(actual)  # None: it holds its bound until it is booked
    if own:
        run.identities.add(identity(TENANT, "spendmeter/reservations", path.rpartition("/")[2]))


async def send(run: Run, number: str, asked: dict[str, Any], usage: dict[str, int]) -> None:
    event = {
        "specversion": "1.0", "type": "spendmeter.usage.v1", "id": number, "source": SOURCE, "subject": SOURCE,
        "time": datetime.now(UTC).isoformat(),
        "data": {"provider": asked["provider"], "sku": asked["sku"], "usage": usage, "context": PLAIN,
                 "labels": LABELS},
    }  # fmt: skip
    for _ in range(50):
        headers = {"Content-Type": "application/cloudevents+json"}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with run.http.post(f"{run.ingest}/api/v1/events", json=event, headers=headers) as answer:
                if answer.status < 300:
                    return
        await asyncio.sleep(0.1)
    raise TimeoutError("ingest does not take it")


def false_refusals(asked: list[Asked], amount: Decimal) -> int:
    """Of a refusal, sent and answered: what others can have held or cost at that time at most."""
    found = 0
    granted = [each for each in asked if not each.refused]
    for refusal in (each for each in asked if each.refused):
        most = Decimal(0)
        for each in granted:
            if each.sent < refusal.answered and each.over > refusal.sent:
                settled_before = each.cost is not None and each.paid < refusal.sent
                most += (
                    each.cost if settled_before and each.cost is not None else max(each.bound, each.cost or 0)
                )
        own_word = refusal.room is not None and refusal.room >= refusal.bound
        found += own_word or most + refusal.bound <= amount
    return found


def check_then_act(asked: list[Asked], amount: Decimal, agents: int, seed: int) -> Decimal:
    """How far as many calls come beyond the budget where each looks at what is spent, goes if that is less,
    and adds its cost when it is over: as many at once as there are agents. What a call would have cost that
    was refused, or that committed without saying, is drawn from the others."""
    chosen, spent, waiting = random.Random(seed), Decimal(0), list[Decimal]()
    known = [each.cost for each in asked if each.cost is not None] or [Decimal(0)]
    for each in asked:
        if spent < amount:
            waiting.append(chosen.choice(known) if each.cost is None else each.cost)
        while len(waiting) >= agents or (waiting and spent >= amount):
            spent += waiting.pop(chosen.randrange(len(waiting)))
    return max(Decimal(0), spent + sum(waiting) - amount)


async def sample(owner: asyncpg.Connection, amount: Decimal, worst: list[Decimal]) -> None:
    """The most that is booked and held, until cancelled."""
    while True:
        taken = await owner.fetchval("SELECT coalesce(max(booked + held), 0) FROM budget_counters")
        worst[0] = max(worst[0], taken / amount)
        await asyncio.sleep(0.05)


class Second:
    """Another process of reservations, with the environment of the supervisor's."""

    def __init__(self, system: System, folder: Path) -> None:
        entry = system.process("reservations")
        environment = psutil.Process(entry.pid).environ()
        self.port = free_port()
        self._environment = {
            name: str(self.port) if value == str(entry.port) else value for name, value in environment.items()
        }
        self._log = (folder / "second.log").open("ab")
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "services.reservations"]
        self.process = subprocess.Popen(
            command, cwd=CLONE, env=self._environment, stdout=self._log, stderr=self._log
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


async def kill_in_turn(run: Run, system: System, second: Second, kills: int, every_s: float) -> None:
    """Until all kills are done, and who was killed is ready again."""
    for number in range(kills):
        await asyncio.sleep(every_s)
        began = time.monotonic()
        if number % 2:
            second.kill()
            second.start()
        else:
            await asyncio.to_thread(system.kill, "reservations", signal.SIGKILL)
        await asyncio.sleep(0.2)
        await ready(run, run.targets[number % 2])
        run.down.append((began, time.monotonic()))


async def ready(run: Run, target: str) -> None:
    """Once the process there is."""
    for _ in range(600):
        with suppress(aiohttp.ClientError, TimeoutError):
            async with run.http.get(f"{target}/ready") as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{target} is not ready")


def latencies(
    prefix: str, took: list[tuple[float, float]], down: list[tuple[float, float]]
) -> dict[str, Any]:
    """p50 and p99 of all in milliseconds, p99 of those that no restart met, and how many those are."""
    whole = sorted((end - start) * 1e3 for start, end in took)
    said: dict[str, Any] = {
        f"{prefix}_p50_ms": round(whole[len(whole) // 2], 1),
        f"{prefix}_p99_ms": round(whole[len(whole) * 99 // 100], 1),
    }
    if not down:
        return said
    calm = sorted(
        (end - start) * 1e3
        for start, end in took
        if not any(start < until and since < end for since, until in down)
    )
    return said | {
        f"{prefix}_calm_p99_ms": round(calm[len(calm) * 99 // 100], 1) if calm else None,
        f"{prefix}_calm": len(calm),
    }


async def counters(owner: asyncpg.Connection) -> dict[str, Any]:
    rows = await owner.fetch(
        "SELECT filter::text, amount, booked, held, debt FROM budget_counters c JOIN budgets b ON b.id = c.budget_id "
        "WHERE c.period_start <= now() AND now() < c.period_end"
    )
    return {row["filter"]: row for row in rows}


async def counted(owner: asyncpg.Connection, run: Run, amount: Decimal) -> dict[str, Any]:
    """Phase 4: from the entries, in Python."""
    rows = await owner.fetch(
        "SELECT e.identity, sum(e.effective) AS effective, min(r.state) AS state FROM entries e "
        "LEFT JOIN reservations r ON r.identity = e.identity WHERE e.tenant = $1 GROUP BY 1", TENANT,
    )  # fmt: skip
    book = {row["identity"]: Decimal(row["effective"]) for row in rows}
    live = sum(
        (Decimal(row["effective"]) for row in rows if row["state"] in ("settled", "committed")), Decimal(0)
    )
    now = await counters(owner)
    everything = sum(book.values(), Decimal(0))
    return {
        "overshoot": str(max(Decimal(0), live - amount).normalize()),
        "leaked": str(sum((row["held"] for row in now.values()), Decimal(0)).normalize()),
        "booked_wrong": sum(row["booked"] != everything for row in now.values()),
        "unbooked_commits": len(run.identities - book.keys()),
        "booked": str(everything.normalize()),
        "debt": str(max((row["debt"] for row in now.values()), default=Decimal(0)).normalize()),
    }


async def quiet(owner: asyncpg.Connection, within_s: float) -> None:
    """Until nothing is held, or for so long."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not await owner.fetchval("SELECT coalesce(sum(held), 0) FROM budget_counters"):
            return
        await asyncio.sleep(0.2)


async def run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    amount = Decimal(options.amount)
    with System(folder / "home", partitions=2) as system:
        owner, watcher = await system.database(), await system.database()
        for at, scope in enumerate(LEVELS):
            await owner.execute(
                "INSERT INTO budgets (tenant, name, filter, amount, currency, period, hard, key_share) "
                "VALUES ($1, $2, $3::jsonb, $4, 'USD', 'month', true, 1)",
                TENANT, f"level {at}", json.dumps(scope), amount,
            )  # fmt: skip
        key = await create_key(owner, TENANT, ["reserve", "ingest"], name="bench")
        second = Second(system, folder)
        targets = [f"http://127.0.0.1:{port}" for port in (system.process("reservations").port, second.port)]
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=10),
            headers={"Authorization": f"Bearer {key}"},
        )
        run = Run(targets=targets, ingest=system.ingest, http=http, random=random.Random(options.seed))
        try:
            for target in targets:
                await ready(run, target)
            await asyncio.sleep(6)  # both have read the new key
            checking = await asker(options.check_rate, key, targets)
            nothing = await asker(options.check_rate, key, targets, "/health")
            await asyncio.sleep(options.alone_s)
            alone, health = await told(checking), await told(nothing)
            worst = [Decimal(0)]
            sampling = asyncio.create_task(sample(watcher, amount, worst))
            killing = asyncio.create_task(
                kill_in_turn(run, system, second, options.kills, options.kill_every)
            )
            checking = await asker(options.check_rate, key, targets)
            began, cpu, used = time.monotonic(), time.process_time(), cpu_seconds(system, second)

            async def agent(of: int) -> None:
                for number in range(options.calls):
                    await call(run, f"{of}-{number}")
                    await asyncio.sleep(run.random.uniform(0, 0.2))

            await asyncio.gather(*(agent(of) for of in range(options.agents)))
            took = time.monotonic() - began
            client_cpu = (time.process_time() - cpu) / took
            used = {
                name: max(0.0, seconds - used.get(name, 0.0))
                for name, seconds in cpu_seconds(system, second).items()
            }
            checks = await told(checking)
            print(json.dumps({"seconds": round(took, 1)} | run.counts), flush=True)
            await killing
            await quiet(owner, TTL_S + 30)
            await settled(system, owner)
            await quiet(owner, 30)
            sampling.cancel()
            figures = await counted(owner, run, amount)
        finally:
            second.kill()
            await http.close()
            await owner.close()
            await watcher.close()
    naive = check_then_act(run.asked, amount, options.agents, options.seed)
    return figures | {
        "false_refusals": false_refusals(run.asked, amount),
        "held_max": str(round(worst[0], 4)),
        "check_then_act_overshoot": str(naive.normalize()),
        "amount": str(amount),
        "decisions": len(run.asked),
        "per_s": round(len(run.asked) / took, 1),
        "client_cpu": round(client_cpu, 2),
        "cpu_ms_per_call": {
            name: round(seconds * 1e3 / len(run.asked), 2)
            for name, seconds in sorted(used.items(), key=lambda each: -each[1])
            if seconds
        },
        "met_a_kill": run.met_a_kill,
        **latencies("decision", run.took, run.down),
        **latencies("check", checks, run.down),
        **latencies("check_alone", alone, []),
        **latencies("health_alone", health, []),
    } | run.counts  # fmt: skip


async def asker(
    rate: float, key: str, targets: list[str], path: str = QUESTION
) -> asyncio.subprocess.Process:
    """What asks `check` meanwhile, or something else."""
    command = [sys.executable, "-m", "tests.benchmarks.check_asker", str(rate), *targets]
    return await asyncio.create_subprocess_exec(
        *command, cwd=CLONE, env=os.environ | {"KEY": key, "PATH_ASKED": path}, stdout=subprocess.PIPE
    )


async def told(checking: asyncio.subprocess.Process) -> list[tuple[float, float]]:
    """What it has measured; it ends."""
    checking.terminate()
    said: list[tuple[float, float]] = json.loads((await checking.communicate())[0])
    return said


def cpu_seconds(system: System, second: Second) -> dict[str, float]:
    """Processor time so far by process."""
    used = system.cpu_seconds()
    with suppress(psutil.Error):
        used["second reservations"] = sum(psutil.Process(second.process.pid).cpu_times()[:2])
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--kill-every", type=float, default=5.0)
    parser.add_argument("--amount", default="130")
    parser.add_argument("--check-rate", type=float, default=20.0)
    parser.add_argument("--alone-s", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(__doc__)
    memory = psutil.virtual_memory().total / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        print(json.dumps(asyncio.run(run_all(options, Path(folder)))))


if __name__ == "__main__":
    main()
