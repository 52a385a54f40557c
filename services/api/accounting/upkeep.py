"""What somebody must do now and then: next month's pseudonym keys, and looking at how far the book is."""

from datetime import UTC, datetime

from services.api.accounting.completeness import SQL as ACCOUNTING_SQL
from services.api.accounting.progress import BookProgress
from services.api.accounting.same_book import SameBook
from services.api.database.tenant import all_tenants
from services.api.database.transactions import ITSELF, Database
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.keys import OPERATOR, create_pseudonym_keys
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing

PSEUDONYM_KEYS_INTERVAL_S = 6 * 3600.0
LOOK_INTERVAL_S = 1.0
LOOK_AGE_S_MAX = 5.0
"""A look takes milliseconds and is begun once a second; questions may keep the connections busy."""


class Upkeep:
    """`looked` says whether the database answers now: api serves what it reads there."""

    def __init__(self, database: Database, progress: BookProgress) -> None:
        self.looked = Heartbeat("the database answered", LOOK_AGE_S_MAX)
        self._database = database
        self._progress = progress
        self._book = SameBook()

    async def keep_looking(self) -> None:
        """Remember each log end as it was, so that a later backlog does not hide up to when all is booked.
        Raises BookReplaced."""
        await keep_doing(
            self.look,
            "the accounting cannot be read",
            every_s=LOOK_INTERVAL_S,
            away=CONNECTION_ERRORS,
            beat=self.looked,
        )

    async def look(self) -> None:
        """Once. Raises BookReplaced."""
        async with self._database.reading(OPERATOR) as connection:
            database = tuple(await connection.fetchrow(ACCOUNTING_SQL["database"]))
            rows = await connection.fetch(ACCOUNTING_SQL["by_partition"])
            proved_until = await connection.fetchval(ACCOUNTING_SQL["proved_until"])
        self._book.observe(database, rows)
        self._progress.observe(rows, datetime.now(UTC))
        self._progress.proved_until = proved_until

    async def keep_pseudonym_keys(self) -> None:
        """Every tenant has keys for this month and the next two: a month may begin while api is down."""
        await keep_doing(
            self.make_pseudonym_keys,
            "pseudonym keys could not be made yet",
            every_s=PSEUDONYM_KEYS_INTERVAL_S,
            away=CONNECTION_ERRORS,
        )

    async def make_pseudonym_keys(self) -> None:
        """Once; what is there already stays."""
        for tenant in await all_tenants(self._database):
            async with self._database.writing(tenant, by=ITSELF, unasked=True) as connection:
                await create_pseudonym_keys(connection, [tenant], datetime.now(UTC).date())
