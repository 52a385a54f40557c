"""How complete an answer is: every answer with amounts asks here, in its own transaction."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fastapi import Request

from services.api.accounting.progress import BookProgress, of_one_team
from services.api.database.transactions import EVERY_TEAM, Onlooker, TenantConnection
from services.api.http.models import Complete
from spendmeter.platform.sql import load_sql

UNFOLDED_MAX = 20_000
"""Offsets that wait where much comes; where more do, sums are made again from the book."""

SQL = load_sql(Path(__file__).with_name("accounting.sql"))


async def completeness(request: Request, connection: TenantConnection) -> Complete:
    """How complete what `connection`'s transaction sees is."""
    return progress_of(request).observe(await connection.fetch(SQL["by_partition"]), datetime.now(UTC))


class Folded(NamedTuple):
    """How complete sums of projections are, which follow the book."""

    complete: Complete
    unfolded: int
    """Offsets of the book, of all tenants, that they lack."""


async def folded(
    request: Request, connection: TenantConnection, onlooker: Onlooker, *projections: str
) -> Folded:
    """As `completeness_for`, of an answer that is read from these projections."""
    rows = await connection.fetch(SQL["by_partition"])
    behind = await connection.fetch(SQL["unfolded"], projections)
    complete = progress_of(request).folded(rows, behind, datetime.now(UTC))
    unfolded = sum(each["behind"] for each in behind)
    return Folded(complete if onlooker.team == EVERY_TEAM else of_one_team(complete), unfolded)


async def being_added_up(connection: TenantConnection, *projections: str) -> bool:
    """Whether these are made again from the book: for a while their sums are of a part of it."""
    behind = await connection.fetch(SQL["unfolded"], projections)
    unfolded: int = sum(each["behind"] for each in behind)
    return unfolded > UNFOLDED_MAX


async def completeness_for(request: Request, connection: TenantConnection, onlooker: Onlooker) -> Complete:
    """The same, as far as it says nothing of other teams to who sees one."""
    complete = await completeness(request, connection)
    return complete if onlooker.team == EVERY_TEAM else of_one_team(complete)


def proved_for(request: Request, onlooker: Onlooker) -> datetime | None:
    """Up to when all of the book is proved, as was seen within the last second. Who sees one team is told the
    minute: to the second it says when others' events were booked."""
    until = progress_of(request).proved_until
    return until if until is None or onlooker.team == EVERY_TEAM else until.replace(second=0, microsecond=0)


def progress_of(request: Request) -> BookProgress:
    """The process's."""
    progress: BookProgress = request.app.state.progress
    return progress


def not_added_up(onlooker: Onlooker, unfolded: int) -> list[str]:
    """What sums lack that do not have all of the book yet. Who sees one team is not told how much."""
    if not unfolded:
        return []
    many = (
        f"{unfolded:,} booked events of all tenants" if onlooker.team == EVERY_TEAM else "some booked events"
    )
    return [f"{many} are not added up yet"]
