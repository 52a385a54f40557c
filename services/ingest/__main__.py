"""`python -m services.ingest`: the HTTP door, until SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
from datetime import timedelta

import uvloop

from services.ingest.app import Door, create_app
from services.ingest.dropped import DroppedNamesWriter
from services.ingest.keys import IngestKeys
from services.ingest.publish import Publisher
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform import kafka
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log, start_telemetry


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way. A bug in a task ends the process."""
    meters = Meters()
    keys = IngestKeys(settings.database_url.get_secret_value(), meters)
    dropped = DroppedNamesWriter(settings.database_url.get_secret_value(), meters)
    publisher = Publisher(
        settings.topic_prefix + USAGE_EVENTS.name, lambda: kafka.producer(settings, service="ingest")
    )
    door = Door(
        keys=keys,
        publisher=publisher,
        meters=meters,
        dropped=dropped,
        age_max=timedelta(days=settings.event_age_max_days),
    )
    server = Server(create_app(door), settings, proxy_headers=False)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    background = [
        asyncio.create_task(keys.keep_fresh()),
        asyncio.create_task(publisher.keep_publishing()),
        asyncio.create_task(dropped.keep_writing()),
    ]
    serving = asyncio.create_task(server.serve())
    log().info("serving", port=settings.port)
    done, _ = await asyncio.wait({serving, *background}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in background:
        task.cancel()
    await asyncio.gather(*(set(background) - done), return_exceptions=True)
    for task in done:
        task.result()


def main() -> None:
    """Read the settings once and serve."""
    settings = Settings()
    start_telemetry("ingest", settings)
    gc.freeze()  # what was imported stays: no collection need look at it again
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
