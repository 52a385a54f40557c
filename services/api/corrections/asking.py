"""What is alike in all that is asked of the corrector: who asks, the broker before the answer, and a wait for
what comes of it."""

import contextlib
from pathlib import Path

from fastapi import Request

from services.api.access.auth import Caller
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import TenantConnection
from services.api.events.waiting import Waiters
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.corrections import CorrectionRequest
from spendmeter.platform.sql import load_sql

SETTLED_S_MAX = 5.0
"""So long an answer waits for what comes of it: mostly some tenths of a second."""
SQL = load_sql(Path(__file__).with_name("corrections.sql"))


async def author_of(connection: TenantConnection, caller: Caller) -> str:
    """Who asks, as receipts will say for ever: the key, and what people call it."""
    if caller.operator:
        return f"operator key {caller.key_id}"
    name = await connection.fetchval(SQL["key_name"], caller.key_id)
    return f"key {caller.key_id}" + (f" ({name})" if name else "")


async def ask(request: Request, wanted: CorrectionRequest, waiters: Waiters) -> None:
    """Return when the broker holds what is wanted and it is settled, or has not been within SETTLED_S_MAX.
    Raises HttpRefusal (503) where the broker does not take it."""
    log: CorrectionLog = request.app.state.correction_log
    await log.publish(wanted)
    with contextlib.suppress(HttpRefusal):  # many wait already, and it is accepted: the answer says as much
        await waiters.until_known(wanted.tenant, wanted.id, SETTLED_S_MAX)
