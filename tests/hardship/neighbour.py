"""One tenant's labels make SERIES series, touched over and over; meanwhile another tenant breaks a small budget.
How long until its webhook is called?

Method: everything goes through the front door. The loud tenant (initech) sends batches of BATCH events, each of
another agent, and waits while more than BACKLOG_MAX events are on their way, so that what is measured is who is
told first and not how long a queue is. When every series has been touched once, and while it goes on, the quiet
tenant (acme) breaks ROUNDS budgets, one after the other, each by one event, and then the loud one breaks one of its
own. The time is from the 204 of that event to the webhook's arrival on this machine; the system must run with
ENVIRONMENT, or no webhook may come here.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import psutil

from tests.flow.system import System, usage_event

ENVIRONMENT = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}
LOUD, QUIET = "initech", "acme"
SERIES = 100_000
BATCH = 1_000
BACKLOG_MAX = 4_000
RATE_MAX = 5_000
"""Events a second: every series about each 20 s, as fast as two processors carry them beside everything else."""
ROUNDS = 5
KNOWN_AFTER_S = 3.0
"""Alerts obeys a new budget within 2 s."""
ALERT_S_MAX = 60.0
WARM_UP_S_MAX = 900.0
SECRET = "whsec_" + "bmVpZ2hib3VyIGhhcmRzaGlwIHNlY3JldCE="


def measure(system: System, *, series: int = SERIES, rounds: int = ROUNDS) -> dict[str, float]:
    """`other_tenant_alert_s`: the slowest of `rounds`, and their median; the loud tenant's own; what alerts holds in
    memory then, and how many events the loud tenant sent in a second. AssertionError when no webhook comes within
    ALERT_S_MAX."""
    with _listening() as (url, arrived), _noise(system, series) as noise:
        for tenant in (QUIET, LOUD):
            _run(_add_channel, system, tenant, url)
        noise.all_touched.wait(WARM_UP_S_MAX)
        noise.check()
        sent, began = noise.sent, time.monotonic()
        took = [_breach(system, QUIET, arrived) for _ in range(rounds)]
        own = _breach(system, LOUD, arrived)
        rate = (noise.sent - sent) / (time.monotonic() - began)
        noise.check()
        alerts = psutil.Process(system.process("alerts").pid)
        return {
            "other_tenant_alert_s": round(max(took), 2),
            "other_tenant_alert_median_s": round(median(took), 2),
            "own_alert_s": round(own, 2),
            "alerts_memory_mb": round(alerts.memory_info().rss / 2**20, 1),
            "alerts_learning_memory_mb": round(
                sum(child.memory_info().rss for child in alerts.children()) / 2**20, 1
            ),
            "loud_events_per_s": round(rate, 1),
        }


def _breach(system: System, tenant: str, arrived: dict[str, float]) -> float:
    """Seconds from the 204 of the event that breaks a new budget to the webhook that says so."""
    workflow = f"breach-{uuid4().hex[:8]}"
    _run(_add_budget, system, tenant, workflow)
    time.sleep(KNOWN_AFTER_S)
    answer = system.send(usage_event(uuid4().hex, labels={"workflow": workflow}), tenant=tenant)
    assert answer.status_code == 204, answer.text
    accepted = time.monotonic()
    while not (told := [at for text, at in list(arrived.items()) if workflow in text]):
        assert time.monotonic() - accepted < ALERT_S_MAX, f"no webhook within {ALERT_S_MAX} s"
        time.sleep(0.01)
    return min(told) - accepted


class _Noise(threading.Thread):
    """Sends the loud tenant's events until `end` is set."""

    def __init__(self, system: System, series: int) -> None:
        super().__init__(name="noise")
        self._system = system
        self._series = series
        self.end = threading.Event()
        self.all_touched = threading.Event()
        self.sent = 0
        self._error: Exception | None = None

    def check(self) -> None:
        """Raise what ended the noise, if anything has."""
        if self._error is not None:
            raise self._error
        assert self.all_touched.is_set(), f"only {self.sent} of {self._series} series in {WARM_UP_S_MAX} s"

    def run(self) -> None:
        try:
            self._send()
        except (httpx.HTTPError, OSError) as error:
            self._error = error
            self.all_touched.set()

    def _send(self) -> None:
        headers = {
            "Authorization": f"Bearer {self._system.keys[LOUD]}",
            "Content-Type": "application/cloudevents-batch+json",
        }
        due = time.monotonic()
        with httpx.Client(base_url=self._system.ingest, headers=headers, timeout=60) as client:
            while not self.end.is_set():
                size = min(BATCH, self._series)
                answer = client.post("/api/v1/events", content=self._batch(size))
                if answer.status_code == 503:
                    time.sleep(float(answer.headers.get("Retry-After", 1)))
                    continue
                answer.raise_for_status()
                self.sent += size
                if self.sent % (10 * size) == 0:
                    while not self.end.is_set() and _run(_on_their_way, self._system) > BACKLOG_MAX:
                        time.sleep(0.2)
                if self.sent >= self._series:
                    self.all_touched.set()
                due = max(due + size / RATE_MAX, time.monotonic())
                time.sleep(max(0.0, due - time.monotonic()))

    def _batch(self, size: int) -> bytes:
        events = []
        for place in range(self.sent, self.sent + size):
            number = place % self._series
            labels = {"agent": f"a{number}", "team": f"t{number % 20}"}
            events.append(usage_event(f"noise-{place}", source=self.name, labels=labels))
        return json.dumps(events).encode()


@contextmanager
def _noise(system: System, series: int) -> Iterator[_Noise]:
    noise = _Noise(system, series)
    noise.start()
    try:
        yield noise
    finally:
        noise.end.set()
        noise.join(90)


@contextmanager
def _listening() -> Iterator[tuple[str, dict[str, float]]]:
    """A webhook's address, and when each message came: a budget may be told with the burst that broke it."""
    arrived: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.monotonic()
            arrived.setdefault(self.rfile.read(int(self.headers["content-length"])).decode(), at)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts", arrived
    finally:
        server.shutdown()
        server.server_close()


def _run(ask: Any, system: System, *arguments: Any) -> Any:
    """What `ask` says, over a connection of its own."""

    async def asked() -> Any:
        owner = await system.database()
        try:
            return await ask(owner, *arguments)
        finally:
            await owner.close()

    return asyncio.run(asked())


async def _add_channel(owner: asyncpg.Connection, tenant: str, url: str) -> None:
    await owner.execute(
        "INSERT INTO channels (tenant, name, settings) VALUES "
        "($1, 'neighbour', jsonb_build_object('kind', 'webhook', 'url', $2::text, 'secret', $3::text))",
        tenant,
        url,
        SECRET,
    )


async def _add_budget(owner: asyncpg.Connection, tenant: str, workflow: str) -> None:
    await owner.execute(
        "INSERT INTO budgets (tenant, name, filter, amount, currency, period) "
        "VALUES ($1, $2, $3::jsonb, 0.003, 'USD', 'month')",
        tenant, f"Neighbour {workflow}", json.dumps({"workflow": workflow}),
    )  # fmt: skip


async def _on_their_way(owner: asyncpg.Connection) -> int:
    return await owner.fetchval(
        "SELECT coalesce(sum(greatest(log_end - next_origin, 0)), 0)::bigint "
        "FROM log_ends JOIN positions USING (partition)"
    )
