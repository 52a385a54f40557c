"""How complete an answer is: every answer with amounts asks here, in its own transaction."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request

from services.api.accounting.progress import BookProgress, of_one_team
from services.api.database.transactions import EVERY_TEAM, Onlooker, TenantConnection
from services.api.http.models import Complete
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("accounting.sql"))


async def completeness(request: Request, connection: TenantConnection) -> Complete:
    """How complete what `connection`'s transaction sees is."""
    return progress_of(request).observe(await connection.fetch(SQL["by_partition"]), datetime.now(UTC))


async def unfolded(connection: TenantConnection, *projections: str) -> int:
    """Offsets of the book, of all tenants, that sums of the projections lack."""
    found: int = await connection.fetchval(SQL["unfolded"], projections)
    return found


async def completeness_for(request: Request, connection: TenantConnection, onlooker: Onlooker) -> Complete:
    """The same, as far as it says nothing of other teams to who sees one."""
    complete = await completeness(request, connection)
    return complete if onlooker.team == EVERY_TEAM else of_one_team(complete)


def progress_of(request: Request) -> BookProgress:
    """The process's."""
    progress: BookProgress = request.app.state.progress
    return progress
