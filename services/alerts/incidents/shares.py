"""Reads how much of a budget's money is that of what spends, and says with what an incident is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.joining import Pair, pairs, told_first, whole_of
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
    """The incident, a part of what has the same cause, or else of what was told of its budget; as it is where
    there is nothing such, or nobody could say."""
    if not incident.told:
        return incident
    same = await _of_one_cause_in_time(connection, incident, current, now)
    whole = whole_of(incident, same, current, now) or told_first(incident, current, now)
    return incident if whole is None else replace(incident, parent=whole.id)


async def _of_one_cause_in_time(
    connection: Any, incident: Incident, current: Sequence[Incident], now: datetime
) -> list[Pair]:
    found = pairs(incident, current)
    if not found:
        return []
    try:
        async with asyncio.timeout(READ_S_MAX), connection.transaction():
            return await _of_one_cause(connection, found, now)
    except (TimeoutError, asyncpg.QueryCanceledError):
        log().warning("told apart: what it has in common is not known in time", incident=str(incident.id))
        return []


async def _of_one_cause(connection: Any, found: Sequence[Pair], now: datetime) -> list[Pair]:
    """One statement for all whose money is compared from the same minute on."""
    together: defaultdict[datetime, list[Pair]] = defaultdict(list)
    for pair in found:
        together[pair.since(now)].append(pair)
    same: set[UUID] = set()
    for since, compared in together.items():
        read = minutes_of(compared[0].budget.tenant, since, now + MINUTE)
        scopes = [dict(scope) for pair in compared for scope in pair.scopes()]
        rows = await connection.fetch(SQL["spent_in_scopes"], *read, compared[0].budget.currency, scopes)
        sums = {row["place"]: row["effective"] for row in rows}
        for place, pair in enumerate(compared):
            if pair.is_one_cause(*(sums.get(2 * place + which, ZERO) for which in (1, 2))):
                same.add(pair.other.id)
    return [pair for pair in found if pair.other.id in same]
