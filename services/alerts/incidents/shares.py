"""Reads how much of a budget's money is that of what spends, and says with what an incident is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.joining import Pair, pairs, whole_of
from services.alerts.scopes import MINUTE
from spendmeter.book.reading import minutes_of
from spendmeter.contracts.money import ZERO
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("shares.sql"))
READ_S_MAX = 2.0
"""Of all that one incident is held against: what takes longer is told apart, rather than later."""


async def told_with(
    connection: Any, incident: Incident, current: Sequence[Incident], now: datetime
) -> Incident:
    """The incident, a part of what has the same cause; as it is where nothing has, or nobody could say."""
    found = pairs(incident, current)
    if not found:
        return incident
    try:
        async with (
            asyncio.timeout(READ_S_MAX),
            connection.transaction(),
        ):  # a savepoint
            same = [pair for pair in found if await _is_one_cause(connection, pair, now)]
    except (TimeoutError, asyncpg.QueryCanceledError):
        log().warning("told apart: what it has in common is not known in time", incident=str(incident.id))
        return incident
    whole = whole_of(incident, same, current, now)
    return incident if whole is None else replace(incident, parent=whole.id)


async def _is_one_cause(connection: Any, pair: Pair, now: datetime) -> bool:
    read = minutes_of(pair.budget.tenant, pair.since(now), now + MINUTE)
    scopes = [dict(scope) for scope in pair.scopes()]
    rows = await connection.fetch(SQL["spent_in_scopes"], *read, pair.budget.currency, scopes)
    sums = {row["place"]: row["effective"] for row in rows}
    return pair.is_one_cause(*(sums.get(place, ZERO) for place in (1, 2)))
