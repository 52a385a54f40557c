"""What is alike in all that is asked of the corrector: who asks, the broker before the answer, and a wait for
what comes of it."""

import contextlib
from pathlib import Path

from fastapi import Request

from services.api.access.auth import Caller
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import Database, TenantConnection
from services.api.events.waiting import Waiters
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.corrections import CorrectionRequest
from spendmeter.platform.settings import Settings
from spendmeter.platform.sql import load_sql

SETTLED_S_MAX = 5.0
"""So long an answer waits for what comes of it: mostly some tenths of a second."""
SQL = load_sql(Path(__file__).with_name("corrections.sql"))
RERATE_SQL = load_sql(Path(__file__).with_name("rerates.sql"))


class CorrectorAccess:
    """The process's way to the corrector, and who waits there: for a correction to be settled, a dry run to
    be done, a job to end."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.log = CorrectionLog(settings)
        self.settled = Waiters(database, SQL["settled"])
        self.previewed = Waiters(database, RERATE_SQL["previewed"])
        self.ended = Waiters(database, RERATE_SQL["ended"])

    async def ask(self, wanted: CorrectionRequest, waiters: Waiters) -> None:
        """Return when the broker holds what is wanted, and it is settled or SETTLED_S_MAX are over. Raises
        HttpRefusal (503) where the broker does not take it."""
        await self.log.publish(wanted)
        with contextlib.suppress(HttpRefusal):  # so many wait already; what is wanted is accepted
            await waiters.until_known(wanted.tenant, wanted.id, SETTLED_S_MAX)

    async def aclose(self) -> None:
        """Let go of the broker."""
        await self.log.aclose()


def corrector_of(request: Request) -> CorrectorAccess:
    """The process's."""
    corrector: CorrectorAccess = request.app.state.corrector
    return corrector


async def author_of(connection: TenantConnection, caller: Caller) -> str:
    """Who asks, as receipts will say for ever: the key or the person, and what people call it."""
    if caller.operator:
        return f"operator key {caller.key_id}"
    name = await connection.fetchval(SQL["key_name"], caller.key_id)
    return caller.by + (f" ({name})" if name else "")
