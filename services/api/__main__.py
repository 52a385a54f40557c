"""`python -m services.api`: the API and the portal, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import uvloop

from services.api.accounting.log_ends import LogEnds
from services.api.accounting.progress import BookProgress
from services.api.accounting.upkeep import Upkeep
from services.api.app import create_app
from services.api.catalog.publisher import CatalogPublisher
from services.api.database.transactions import POOL_CONNECTIONS_MAX, Database, prepare
from spendmeter.platform.postgres import CONNECTION_ERRORS, create_pool
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log, start_telemetry

CONNECT_RETRY_S = 1.0


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way. A bug in a task ends the process."""
    pool = await _connected(settings)
    database = Database(pool)
    progress = BookProgress()
    upkeep = Upkeep(database, progress)
    app = create_app(settings, database, progress, upkeep.looked.trouble)
    server = Server(app, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    background = [
        asyncio.create_task(upkeep.keep_looking()),
        asyncio.create_task(LogEnds(settings, progress).run()),
        asyncio.create_task(upkeep.keep_pseudonym_keys()),
        asyncio.create_task(CatalogPublisher(settings, database, app.state.price_books.recorded).run()),
    ]
    serving = asyncio.create_task(server.serve())
    log().info("serving", port=settings.port)
    done, _ = await asyncio.wait({serving, *background}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in background:
        task.cancel()
    await asyncio.gather(*(set(background) - done), return_exceptions=True)
    pool.terminate()
    for task in done:
        task.result()


async def _connected(settings: Settings) -> Any:
    while True:
        try:
            return await create_pool(
                settings.database_url.get_secret_value(),
                size_max=POOL_CONNECTIONS_MAX,
                service="api",
                init=prepare,
            )
        except CONNECTION_ERRORS as error:
            log().warning("waiting for the database", error=type(error).__name__)
            await asyncio.sleep(CONNECT_RETRY_S)


def main() -> None:
    """Read the settings once and serve."""
    settings = Settings()
    start_telemetry("api", settings)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
