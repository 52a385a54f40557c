"""`python -m deploy.demo`: what it needs comes from the supervisor, in the environment."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from deploy.demo.acts import Acts
from deploy.demo.chatter import RATE, Chatter
from deploy.demo.mark import MarkFile
from deploy.demo.news import DemoNews
from deploy.demo.sender import TIMEOUT_S, FallsDue, stream
from deploy.demo.sink import Sink
from deploy.demo.teller import Teller, begun
from deploy.demo.workload import Workload
from spendmeter.platform.serve import Server, probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import start_telemetry

RUNAWAY_EVERY_S = 6 * 3600.0
"""Beside the story, which spends less in a day than the agent that runs away."""


async def main() -> None:
    """Tell, stream and receive until SIGTERM."""
    settings = Settings()
    start_telemetry("demo", settings)
    sink, news = Sink(os.environ["SPENDMETER_DEMO_WEBHOOK_SECRET"]), DemoNews()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    routes = [*probe_routes(lambda: ""), *sink.routes(), *news.routes()]
    server = Server(Starlette(routes=routes), settings)
    serving = asyncio.create_task(server.serve())
    keys: dict[str, str] = json.loads(os.environ["SPENDMETER_DEMO_KEYS"])
    days = int(os.environ.get("SPENDMETER_DEMO_HISTORY_DAYS", "0"))
    work = _story(days, keys, news, stop) if days else stream(_loud(), _ingest(), keys, stop)
    try:
        await _until(stop, work)
    finally:
        server.should_exit = True
        await serving


async def _story(days: int, keys: Mapping[str, str], news: DemoNews, stop: asyncio.Event) -> None:
    """What was, and then what is: the story goes on, with small calls and a runaway beside it."""
    file = MarkFile(Path(os.environ["SPENDMETER_DEMO_MARK"]))
    admin_key = os.environ["SPENDMETER_ADMIN_KEY"]
    installation = admin_key.split("_")[2]
    mark = file.read(installation) or begun(days, datetime.now(UTC), installation)
    api = os.environ["SPENDMETER_API_URL"]
    async with (
        httpx.AsyncClient(base_url=_ingest(), timeout=TIMEOUT_S) as ingest,
        httpx.AsyncClient(base_url=api, timeout=TIMEOUT_S) as asked,
    ):
        teller = Teller(file, mark, ingest, keys, stop)
        acts = Acts(asked, admin_key, mark.first_day)

        async def people() -> None:
            await acts.say(teller.mark.acts, teller.said, news.say, booked=False)
            await told.wait()
            await acts.until_booked(datetime.now(UTC))
            await acts.set_budgets(teller.mark.acts, teller.said, news.say)
            await acts.until_folded(days)
            await acts.say(teller.mark.acts, teller.said, news.say, booked=True)
            await acts.import_bill(teller.mark.acts, teller.said, news.say, days)
            await acts.import_provider_bill(teller.mark.acts, teller.said, news.say, days)

        async def events() -> None:
            await acts.until_ready()  # people wait for the portal, not for history
            await teller.catch_up(news.say)
            told.set()
            async with asyncio.TaskGroup() as live:
                live.create_task(teller.go_on())
                live.create_task(stream(_quiet(), _ingest(), keys, stop))

        told = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(people())
                group.create_task(events())
        finally:
            teller.save()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Returns once `stop` is set; raises what ends the work before."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        working.cancel()
    stopping.cancel()
    try:
        await working
    except asyncio.CancelledError:
        return


def _loud() -> FallsDue:
    """Without a story: as much as three companies may send."""
    return Workload(run=_run(), seed=_seed(), rate=_rate(75.0)).take


def _quiet() -> FallsDue:
    chatter = Chatter(run=_run(), seed=_seed(), rate=_rate(RATE))
    runaway = Workload(run=_run(), seed=_seed(), rate=0.0, runaway_every_s=RUNAWAY_EVERY_S)
    return lambda now, elapsed_s, step_s: [
        *chatter.take(now, step_s),
        *runaway.take(now, elapsed_s, step_s),
    ]


def _run() -> str:
    return f"{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"


def _seed() -> int:
    return int(os.environ.get("SPENDMETER_DEMO_SEED", "1"))


def _rate(usual: float) -> float:
    return float(os.environ.get("SPENDMETER_DEMO_RATE", usual))


def _ingest() -> str:
    return os.environ["SPENDMETER_INGEST_URL"]


asyncio.run(main())
