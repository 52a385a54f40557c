"""Workflows, and versions of one side by side."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import UNFOLDED_MAX, folded
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated
from services.api.http.spans import UntilDay, day_range
from services.api.workflows.acts import in_force, versions_of, workflow_of
from services.api.workflows.comparison import AskedVersions, compared
from services.api.workflows.figure_models import WorkflowComparison, WorkflowList
from services.api.workflows.listing import ListedSums, listed, named_workflows, parameters_of
from services.api.workflows.models import VersionName, WorkflowName
from services.api.workflows.sums import sums_of, top_sums
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX
from spendmeter.contracts.gate import as_booked
from spendmeter.platform.sql import load_sql

DAYS_MAX = 400
DAYS = 90
LISTED_MAX = 1_000
VERSIONS_MAX = 6
TEAMS_MAX = 20
TOP_RUNS_MAX = 10_000
DEAREST_MAX = 10
"""Less than are kept of a day."""
PROJECTIONS = ("run_days", "runs", "run_outcomes")

SQL = load_sql(Path(__file__).with_name("figures.sql"))
router = APIRouter(tags=["workflows"], route_class=Negotiated)


@router.get("/v1/workflows", responses=answers("workflows"))
@answered_once
async def list_workflows(request: Request, caller: Reader) -> WorkflowList:
    """Workflows that did something in the last 90 days, or of which something is said, and their versions,
    with what an accepted outcome of each costs: as the comparison says it, of the same days."""
    today = datetime.now(UTC).date()
    start, end = day_range(None, None, today, days=DAYS, days_max=DAYS_MAX)
    async with database_of(request).reading(caller.tenant) as connection:
        _, unfolded = await folded(request, connection, caller.onlooker, *PROJECTIONS)
        rows = await connection.fetch(SQL["list"], start, end, LISTED_MAX)
        acts, names = await in_force(connection), await connection.fetch(SQL["listed_names"], start, end)
        named = named_workflows(rows, acts, names, start, today)
        of = parameters_of(named, start)
        costs = await connection.fetch(SQL["listed_costs"], *of)
        sums = ListedSums(costs, await connection.fetch(SQL["listed_outcomes"], *of))
        mature = max((each.asked.mature for each in named.values()), default=start)
        due = await connection.fetchval(SQL["due"], start, mature)
    workflows = await asyncio.to_thread(listed, named, sums)
    return WorkflowList(pending=unfolded > UNFOLDED_MAX or due, workflows=workflows)


@router.get("/v1/workflows/comparison", responses=answers("workflow_comparison", missing="no such workflow"))
@answered_once
async def compare_versions(
    request: Request,
    caller: Reader,
    workflow: Annotated[WorkflowName, Query()],
    start: Annotated[
        date | None, Query(alias="from", description="a day of UTC; default: 90 days ago")
    ] = None,
    end: UntilDay = None,
    version: Annotated[
        list[VersionName] | None,
        Query(max_length=VERSIONS_MAX, description="default: those with most runs, and the baseline"),
    ] = None,
    against: Annotated[
        VersionName | None, Query(description="what the others are held against; default: the baseline")
    ] = None,
    team: Annotated[
        Text | None, Query(max_length=LABEL_CHARACTERS_MAX, description="of one team alone")
    ] = None,
) -> WorkflowComparison:
    """Versions of a workflow side by side: what a run, an outcome and an accepted outcome cost, with failed
    and reversed work above the line, attempts per success, people's minutes, cycle time, success, value,
    return and payback; each with its interval, or what is missing to say it."""
    today = datetime.now(UTC).date()
    start, end = day_range(start, end, today, days=DAYS, days_max=DAYS_MAX)
    workflow = as_booked("workflow", workflow)
    team = None if team is None else as_booked("team", team)
    async with database_of(request).reading(caller.tenant) as connection:
        complete, unfolded = await folded(request, connection, caller.onlooker, *PROJECTIONS)
        asked = await _asked(connection, workflow, start, end, version, against, team, today)
        read = await _read(connection, asked, unfolded)
    # Tens of milliseconds of draws, the first time: others first.
    return await asyncio.to_thread(compared, asked, complete=vars(complete), **read)


async def _asked(
    connection: TenantConnection,
    workflow: str,
    start: date,
    end: date,
    chosen: Sequence[str] | None,
    against: str | None,
    team: str | None,
    today: date,
) -> AskedVersions:
    """What is asked for, with what the tenant says of it. Raises HttpRefusal (404, 422)."""
    acts = await in_force(connection, workflow)
    settings, declared = workflow_of(workflow, acts), versions_of(acts)
    found = await connection.fetch(SQL["versions"], workflow, start, end, VERSIONS_MAX)
    names = [as_booked("workflow_version", one) for one in chosen or ()]
    if not names:
        baselines = [one for one, said in declared.items() if said.kind == "baseline"]
        names = list(dict.fromkeys([*baselines[:1], *(row["version"] for row in found)]))[:VERSIONS_MAX]
    if against is not None:
        names = list(dict.fromkeys([as_booked("workflow_version", against), *names]))
    if not acts and not found:
        raise not_found("nothing was done in such a workflow in these days, and nothing is said of it")
    outcomes = [row["name"] for row in await connection.fetch(SQL["names"], workflow, start, end)]
    mature = min(end, today - timedelta(days=settings.survival_days))
    return AskedVersions(
        workflow=workflow, settings=settings, declared=declared, start=start, end=end,
        mature=max(start, mature), versions=names, against=against, team=team, outcome_names=outcomes,
    )  # fmt: skip


async def _read(connection: TenantConnection, asked: AskedVersions, unfolded: int) -> dict[str, Any]:
    """The sums of all versions, the young runs of each, the dearest runs, and what is being made again."""
    place = (asked.workflow, asked.start, asked.mature, asked.versions, asked.team)
    window, silence = asked.settings.survival_days, asked.settings.silence_accepts
    costs = await connection.fetch(SQL["costs"], *place)
    outcomes, by_team = [], []
    if asked.outcome is not None:
        outcomes = await connection.fetch(SQL["outcomes"], *place, asked.outcome, window, silence)
        if len(asked.versions) > 1:
            by_team = await connection.fetch(
                SQL["by_team"], *place, asked.outcome, window, silence, TEAMS_MAX
            )
    sums = sums_of(costs, outcomes, by_team)
    whole = (asked.workflow, asked.start, asked.end, asked.versions, asked.team)
    dearest = await connection.fetch(SQL["dear_runs"], *whole, DEAREST_MAX)
    first = await connection.fetch(SQL["first_days"], asked.workflow, asked.versions)
    too_young = (asked.workflow, asked.mature, asked.end, asked.versions, asked.team)
    young = sums_of(await connection.fetch(SQL["costs"], *too_young), ())
    top = {}
    for name, each in sums.items():
        if each.currency and (runs := int(each.all()["runs"])):
            most = min(TOP_RUNS_MAX, -(-runs // 100))
            said = (asked.team, asked.outcome, window, silence, most, each.currency)
            these = dict(await connection.fetchrow(SQL["dearest"], *place[:3], name, *said))
            if these.pop("are_these"):
                top[name] = top_sums(these)
    due = await connection.fetchval(SQL["due"], asked.start, asked.mature)  # today's runs always are
    return {
        "sums": sums,
        "young": {name: int(each.all()["runs"]) for name, each in young.items()},
        "top": top,
        "seen": {row["version"]: row["first_day"] for row in first},
        "dearest": dearest,
        "pending": unfolded > UNFOLDED_MAX or due,
    }
