"""Pulls price lists every so many hours, in one process of several; off unless it is asked for."""

from datetime import timedelta

import asyncpg

from services.api.catalog.access import CatalogAccess
from services.api.catalog.price_books import PriceBooks
from services.api.catalog.pull import SCHEDULE, begin, run
from services.api.catalog.pull_files import PullFiles
from services.api.catalog.rerate_offer import starts
from services.api.corrections.asking import CorrectorAccess
from services.api.database.transactions import Database
from services.api.http.problems import HttpRefusal
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log

LOOK_INTERVAL_S = 60.0
"""How often each process looks whether a pull is due; the first begins it, and the others find it begun."""


class PullSchedule:
    """`run` until cancelled; at once where the setting says never."""

    def __init__(
        self, settings: Settings, database: Database, books: PriceBooks, corrector: CorrectorAccess
    ) -> None:
        self._every = timedelta(hours=settings.catalog_pull_hours)
        self._files = PullFiles(settings)
        self._rerates = starts(settings, corrector)
        self._access = CatalogAccess(caller=SCHEDULE, books=books, database=database)

    async def run(self) -> None:
        """Look, again and again."""
        if self._every:
            await keep_doing(
                self.pull_if_due,
                "the price lists could not be pulled yet",
                every_s=LOOK_INTERVAL_S,
                away=CONNECTION_ERRORS,
            )

    async def pull_if_due(self) -> bool:
        """Once; whether this process pulled. A refusal (the operators' share is used up, say) is for the log:
        the next look comes."""
        try:
            begun = await begin(self._access, "schedule", self._every)
            if begun is not None:
                await run(self._access, self._files, begun, self._rerates)
        except (HttpRefusal, asyncpg.QueryCanceledError) as error:
            log().warning("the price lists could not be pulled", reason=str(error))
            return False
        return begun is not None
