"""`python -m deploy.demo`: what it needs comes from the supervisor, in the environment."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time

from starlette.applications import Starlette

from deploy.demo.sender import stream
from deploy.demo.sink import Sink
from deploy.demo.workload import Workload
from spendmeter.platform.serve import Server, probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import start_telemetry


async def main() -> None:
    """Stream and receive until SIGTERM."""
    settings = Settings()
    start_telemetry("demo", settings)
    sink = Sink(os.environ["SPENDMETER_DEMO_WEBHOOK_SECRET"])
    workload = Workload(
        run=f"{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}",
        seed=int(os.environ.get("SPENDMETER_DEMO_SEED", "1")),
        rate=float(os.environ.get("SPENDMETER_DEMO_RATE", "75")),
    )
    keys: dict[str, str] = json.loads(os.environ["SPENDMETER_DEMO_KEYS"])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(Starlette(routes=[*probe_routes(lambda: ""), *sink.routes()]), settings)
    serving = asyncio.create_task(server.serve())
    try:
        await stream(workload, os.environ["SPENDMETER_INGEST_URL"], keys, stop)
    finally:
        server.should_exit = True
        await serving


asyncio.run(main())
