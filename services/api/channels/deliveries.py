"""What a channel was told, and a test of whether it can be. Nothing is sent from here: alerts does that."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Governing, Reader
from services.api.channels.models import ChannelDeliveries, ChannelDelivery, ChannelTest, DeliveryState
from services.api.channels.routes import MISSING, SQL, read_one
from services.api.database.transactions import database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from spendmeter.contracts.events import Instant

DELIVERIES_MAX = 200
OUTCOME_S_MAX = 15.0
LOOK_S = 0.4
NOT_YET = "alerts has not sent it within 15 s; the channel's deliveries say what comes of it"
_LAST_ID = UUID(int=2**128 - 1)

router = APIRouter(tags=["channels"], route_class=Negotiated)


@router.get("/v1/channels/{id}/deliveries", responses=answers("channel_deliveries", missing=MISSING))
async def list_deliveries(
    request: Request,
    caller: Reader,
    id: UUID,
    state: Annotated[list[DeliveryState] | None, Query(description="default: all")] = None,
    limit: Annotated[int, Query(ge=1, le=DELIVERIES_MAX)] = 50,
    cursor: str = "",
) -> ChannelDeliveries:
    """What the channel was told, is to be told, and could not be told; newest first."""
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    after = decode_cursor(cursor, tuple[Instant, UUID]) if cursor else (in_a_minute, _LAST_ID)
    async with database_of(request).reading(caller.tenant) as connection:
        await read_one(connection, id)
        rows = await connection.fetch(SQL["deliveries"], caller.tenant, id, state, *after, limit + 1)
    found, more = page(ChannelDelivery, rows, limit, lambda row: (row["created_at"], str(row["id"])))
    return ChannelDeliveries(deliveries=found, next_cursor=more)


@router.post("/v1/channels/{id}/test", responses=answers("channel_test", missing=MISSING))
async def test_channel(request: Request, caller: Governing, id: UUID) -> ChannelTest:
    """Send a test message, and wait up to 15 s for what comes of it."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await read_one(connection, id)
        await connection.execute(SQL["ask_for_test"], caller.tenant, id)
        test = await connection.fetchval(SQL["last_test"], caller.tenant, id)
    deadline = asyncio.get_running_loop().time() + OUTCOME_S_MAX
    while True:
        async with database_of(request).reading(caller.tenant) as connection:
            found = ChannelTest(**await connection.fetchrow(SQL["test"], caller.tenant, test))
        if found.state != "pending":
            return found
        if asyncio.get_running_loop().time() >= deadline:
            return found.model_copy(update={"error": NOT_YET})
        await asyncio.sleep(LOOK_S)
