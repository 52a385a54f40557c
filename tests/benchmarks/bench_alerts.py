"""How soon people are told, at 1,000 events a second: from an event that was accepted to a local receiver.

    python -m tests.benchmarks.bench_alerts [--rate 1000] [--breaches 100] [--bursts 12] [--loops 8] [--minutes 8]

1. `spendmeter up` in a fresh folder: real Kafka and Postgres, all services; a signed webhook to a receiver in this
   process, as a channel of tenant acme. tests.benchmarks.load sends all the time, from three tenants.
2. Six minutes of it are history. Then, spread over --minutes minutes and at times drawn with a fixed seed:
   - breaches: a budget each, made before; one event passes it. The clock starts with the 204 of that event and stops
     when the receiver has the message of that budget.
   - bursts: an agent each that never spent before: 20 events within a second that cost three times what the tenant
     spends in a minute (read when the history is over; printed). From the first 204 to the message of an anomaly that
     names the agent, in its scope or as its top contributor.
   - loops: a run each, which calls once a second for 0.03 USD and more. From the first 204 to the message of a loop.
3. A probe that nobody was told of within 120 s is missed: it counts as 120 s, and `missed` says how many.

The 99th percentile of few probes is the slowest. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
from aiohttp import web

from tests.benchmarks.bench_flow import load
from tests.flow.system import System

HISTORY_S = 360.0
TOLD_S_MAX = 120.0
TENANT = "acme"
USD_A_TOKEN = Decimal("0.0000025")
"""Of gpt-4o's input: a call of a loop costs 0.03 USD."""
CALL_TOKENS = 12_000
BURST_EVENTS, BURST_MINUTES = 20, 3


class Receiver:
    """What came, and when: `told(what)` waits for the first message for which `what` is true."""

    def __init__(self) -> None:
        self.came: list[tuple[float, dict[str, Any]]] = []
        self._news = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        """One webhook."""
        body = await request.json()
        async with self._news:
            self.came.append((time.monotonic(), body["data"]))
            self._news.notify_all()
        return web.Response(status=204)

    async def told(self, what: Callable[[dict[str, Any]], bool]) -> float | None:
        """When it came; None = not within TOLD_S_MAX."""
        looked = 0
        try:
            async with asyncio.timeout(TOLD_S_MAX), self._news:
                while True:
                    for at, data in self.came[looked:]:
                        if what(data):
                            return at
                    looked = len(self.came)
                    await self._news.wait()
        except TimeoutError:
            return None


class Probes:
    """What is sent as acme, and how long it took until somebody was told."""

    def __init__(self, system: System, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self._system, self._client, self._receiver = system, client, receiver
        self.missed = 0

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """As an administrator of acme."""
        key = self._system.state.environment["SPENDMETER_ADMIN_KEY"]
        headers = {"Authorization": f"Bearer {key}", "X-Spendmeter-Tenant": TENANT}
        answer = await self._client.post(self._system.api + path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def call(self, id: str, tokens: int, **labels: str) -> float:
        """One event, and when it was accepted."""
        event = {
            "specversion": "1.0", "type": "spendmeter.usage.v1", "id": id, "source": "probe", "subject": "acme/probe",
            "time": datetime.now(UTC).isoformat(),
            "data": {
                "provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": tokens, "output_tokens": 10},
                "labels": labels,
            },
        }  # fmt: skip
        headers = {
            "Authorization": f"Bearer {self._system.keys[TENANT]}",
            "Content-Type": "application/cloudevents+json",
        }
        answer = await self._client.post(f"{self._system.ingest}/api/v1/events", json=event, headers=headers)
        assert answer.is_success, answer.text
        return time.monotonic()

    async def budget(self, number: int) -> str:
        """A budget that one call passes."""
        budget = {
            "name": f"probe {number}",
            "amount": "0.001",
            "period": "month",
            "thresholds_percent": ["100"],
        }
        return str((await self.post("/v1/budgets", budget | {"filter": {"team": f"breach-{number}"}}))["id"])

    async def breach(self, number: int, budget: str) -> float:
        """Seconds."""
        accepted = await self.call(f"breach-{number}", 1_000, team=f"breach-{number}")
        return self._took(accepted, await self._receiver.told(lambda data: data["rule"] == budget))

    async def a_minute(self) -> Decimal:
        """What acme spends in one, in USD: the mean of three that are over."""
        until = datetime.now(UTC).replace(second=0, microsecond=0)
        query = {
            "from": (until - timedelta(minutes=3)).isoformat(),
            "to": until.isoformat(),
            "bucket": "minute",
        }
        headers = {"Authorization": f"Bearer {self._system.keys[TENANT]}"}
        answer = await self._client.get(f"{self._system.api}/v1/spend", params=query, headers=headers)
        return Decimal(answer.raise_for_status().json()["totals"][0]["effective"]) / 3

    async def burst(self, number: int, usd: Decimal) -> float:
        """Seconds."""
        agent, tokens = f"burst-{number}", int(usd / BURST_EVENTS / USD_A_TOKEN)
        first = await self.call(f"{agent}-0", tokens, agent=agent, team="bursts")
        others = range(1, BURST_EVENTS)
        calls = [self.call(f"{agent}-{n}", tokens, agent=agent, team="bursts") for n in others]
        await asyncio.gather(*calls)

        def names(data: dict[str, Any]) -> bool:
            named = [data["scope"], data["top_contributor"]["dimensions"]]
            return data["kind"] == "anomaly" and any(each.get("agent") == agent for each in named)

        return self._took(first, await self._receiver.told(names))

    async def loop(self, number: int) -> float:
        """Seconds."""
        run = f"loop-{number}"
        told = asyncio.create_task(
            self._receiver.told(lambda data: data["kind"] == "loop" and data["scope"].get("run") == run)
        )
        first = time.monotonic()
        turn = 0
        while not told.done():
            accepted = await self.call(f"{run}-{turn}", CALL_TOKENS + 200 * turn, run=run, workflow="looping")
            first = accepted if turn == 0 else first
            turn += 1
            await asyncio.sleep(1)
        return self._took(first, await told)

    def _took(self, accepted: float, told: float | None) -> float:
        self.missed += told is None
        return TOLD_S_MAX if told is None else told - accepted


async def spread(probes: list[Callable[[], Awaitable[float]]], seconds: float, seed: str) -> list[float]:
    """Run each at a time of its own within so many seconds; what they took, in order."""
    draw = random.Random(seed)

    async def later(probe: Callable[[], Awaitable[float]]) -> float:
        await asyncio.sleep(draw.uniform(0, seconds))
        return await probe()

    return sorted(await asyncio.gather(*(later(probe) for probe in probes)))


async def measured(system: System, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures."""
    receiver, application = Receiver(), web.Application()
    application.router.add_post("/", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    seconds = options.minutes * 60
    sending = asyncio.create_task(
        load(
            system, folder, seed=3, rate=str(options.rate), seconds=options.history + seconds + 150, batch=20
        )
    )
    try:
        async with httpx.AsyncClient(timeout=30) as client:
            probes = Probes(system, client, receiver)
            await probes.post("/v1/channels", {"name": "bench", "url": f"http://127.0.0.1:{port}/"})
            budgets = [await probes.budget(number) for number in range(options.breaches)]
            await asyncio.sleep(options.history)
            usd = BURST_MINUTES * await probes.a_minute()
            print(f"a burst costs {usd:.2f} USD", flush=True)
            breaches, bursts, loops = await asyncio.gather(
                spread(
                    [lambda n=n, b=b: probes.breach(n, b) for n, b in enumerate(budgets)], seconds, "breach"
                ),
                spread([lambda n=n: probes.burst(n, usd) for n in range(options.bursts)], seconds, "burst"),
                spread([lambda n=n: probes.loop(n) for n in range(options.loops)], seconds, "loop"),
            )
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(1)  # the load generator that was killed is waited for
        await runner.cleanup()
    figures: dict[str, Any] = {}
    for name, taken in (("breach", breaches), ("burst", bursts), ("loop", loops)):
        figures[f"{name}_p50_s"] = round(taken[len(taken) // 2], 2)
        figures[f"{name}_p99_s"] = round(taken[min(len(taken) - 1, len(taken) * 99 // 100)], 2)
        figures[f"of_{name}"] = len(taken)
    messages: dict[str, int] = {}
    for _, data in receiver.came:
        messages[data["kind"]] = messages.get(data["kind"], 0) + 1
    return figures | {"missed": probes.missed, "rate": options.rate, "messages": messages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--breaches", type=int, default=100)
    parser.add_argument("--bursts", type=int, default=12)
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--history", type=float, default=HISTORY_S)
    options = parser.parse_args()
    print(__doc__)
    memory = psutil.virtual_memory().total / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        private = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}
        with System(Path(folder) / "home", environment=private) as system:
            print(json.dumps(asyncio.run(measured(system, options, Path(folder)))))


if __name__ == "__main__":
    main()
