"""The process: the API and the portal, and what is done beside them."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from services.api.access.keys import keep_ending_unpinned
from services.api.accounting.log_ends import LogEnds
from services.api.accounting.progress import BookProgress
from services.api.accounting.upkeep import Upkeep
from services.api.app import create_app
from services.api.assets.accruing import Accruing
from services.api.catalog.publisher import CatalogPublisher
from services.api.catalog.pull_schedule import PullSchedule
from services.api.database.shares import CONNECTIONS_MAX
from services.api.database.transactions import POOL_CONNECTIONS_MAX, ConnectionPool, Database, prepare
from services.api.privacy.forgetting import keep_forgetting
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.postgres import CONNECTION_ERRORS, create_pool
from spendmeter.platform.retry import until_done
from spendmeter.platform.service import HttpService
from spendmeter.platform.settings import Settings

SWITCH_S = 0.0005
"""How long a thread that reckons keeps the loop waiting: Python's own 5 ms, ten times an answer, are 50 ms
while models are compared."""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[HttpService]:
    """The service, when the database is there."""
    sys.setswitchinterval(SWITCH_S)
    url = settings.database_url.get_secret_value()
    pool = await _pool(url, POOL_CONNECTIONS_MAX)
    of_teams = settings.team_database_url.get_secret_value()
    team_pool = await _pool(of_teams, CONNECTIONS_MAX) if of_teams else None

    def let_go() -> None:
        for each in (pool, team_pool):
            if each:
                each.terminate()

    try:
        database, progress = Database(pool, team_pool), BookProgress()
        upkeep = Upkeep(database, progress)
        app = create_app(settings, database, progress, upkeep.looked.trouble)
        uses = app.state.keys.uses = KeyUses(url, "api")
        publisher = CatalogPublisher(settings, database, app.state.price_books.recorded)
        app.state.price_books.topic = publisher
        schedule = PullSchedule(settings, database, app.state.price_books, app.state.corrector)
        accruing = Accruing(database, app.state.accrual_door, app.state.corrector.log)
        async with aclosing(app.state.corrector), aclosing(app.state.imports):
            yield HttpService(
                app=app,
                background=(
                    asyncio.to_thread(_describe, app),  # else the first who asks, and all beside, wait 1.5 s
                    upkeep.keep_looking(),
                    upkeep.keep_pseudonym_keys(),
                    keep_forgetting(database),
                    keep_ending_unpinned(app.state.keys, app.state.issuers.trusted),
                    LogEnds(settings, progress).run(),
                    publisher.run(),
                    schedule.run(),
                    uses.keep_writing(),
                    accruing.run(),
                    accruing.keep_watching(),
                ),
                let_go=let_go,
            )
    finally:
        let_go()


def _describe(app: FastAPI) -> None:
    """Once, and it stays: no collection looks at it, while all questions wait, again."""
    app.openapi()
    gc.freeze()


async def _pool(url: str, connections: int) -> ConnectionPool:
    return await until_done(
        lambda: create_pool(url, size_max=connections, service="api", init=prepare),
        "waiting for the database",
        away=CONNECTION_ERRORS,
    )
