"""How complete an answer is: every answer with amounts asks here, in its own transaction."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request

from services.api.accounting.progress import BookProgress
from services.api.database.transactions import TenantConnection
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


def progress_of(request: Request) -> BookProgress:
    """The process's."""
    progress: BookProgress = request.app.state.progress
    return progress
