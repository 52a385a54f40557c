"""`GET /v1/coding-agents`: what tools of developers cost, by tool and team, and what was merged with them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import UNFOLDED_MAX, folded, not_added_up
from services.api.coding_agents.figures import not_in_it, rows_of, unnamed_reason
from services.api.coding_agents.models import AgentRow, CodingAgentCosts, CodingAgentSeats, IdleSeats
from services.api.coding_agents.reading import PROJECTIONS, AskedAgents, read_licences, read_names, read_sums
from services.api.coding_agents.seats import ToolLicence
from services.api.coding_agents.sums import PEOPLE_MIN, TeamShown, by_team, by_tool, by_tool_and_team
from services.api.database.tenant import read_tenant
from services.api.database.transactions import database_of
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import FirstDay, UntilDay, day_range
from spendmeter.contracts.coding_agents import CODING_AGENTS, SEATS
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX
from spendmeter.contracts.gate import as_booked

DAYS, DAYS_MAX = 30, 100
NAMES_MAX = 20
MERGED = "pull_request_merged"
BEING_ADDED_UP = (
    "what was booked is being added up anew: cost and merged changes are not of the same events yet"
)
Named = Annotated[Text, Query(min_length=1, max_length=LABEL_CHARACTERS_MAX)]

AskedTools = Annotated[
    list[Named] | None,
    Query(max_length=NAMES_MAX, description="values of the label `agent`; default: those that are known"),
]
StatedSeats = Annotated[
    list[Named] | None,
    Query(
        max_length=NAMES_MAX,
        description="which licences are whose seats, before those that are known: tool=provider/sku, * = "
        "anything",
        examples=[["cursor=anysphere/teams-*"]],
    ),
]

router = APIRouter(tags=["coding agents"], route_class=Negotiated)


@router.get("/v1/coding-agents", responses=answers("coding_agents"))
@answered_once
async def get_coding_agents(
    request: Request,
    caller: Reader,
    start: FirstDay = None,
    end: UntilDay = None,
    tool: AskedTools = None,
    merged: Annotated[
        list[Named] | None,
        Query(
            max_length=NAMES_MAX, description=f"names of outcomes that are a merged change; default: {MERGED}"
        ),
    ] = None,
    seats: StatedSeats = None,
) -> CodingAgentCosts:
    """What coding agents cost by tool and team, over how many merged changes, and seats that nobody used.
    Cost is all that was booked in these days, over changes that were merged in them. A team of which fewer
    than five people are known has no row of its own, but for who has the scope admin; nobody is named."""
    asked, last = _asked(caller.tenant, start, end, tool, merged, seats)
    async with database_of(request).reading(caller.tenant) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        complete, unfolded = await folded(request, connection, caller.onlooker, *PROJECTIONS)
        licences = await read_licences(connection, asked)
        read = await read_sums(connection, asked, licences, last)
        names = await read_names(connection, asked)
    all_teams = caller.may("admin")
    rows = by_tool_and_team(read.sums, all_teams=all_teams)
    untold = BEING_ADDED_UP if unfolded > UNFOLDED_MAX else unnamed_reason(asked.merged, names)

    def table(shown: Sequence[TeamShown]) -> list[AgentRow]:
        return [row for each in shown for row in rows_of(each, tenant.currency, untold)]

    return CodingAgentCosts(
        first_day=asked.start,
        until=asked.end,
        merged_names=list(asked.merged),
        outcome_names=names,
        people_min=PEOPLE_MIN,
        all_teams=all_teams,
        not_in_it=[*not_in_it(read.merged_by_none), *not_added_up(caller.onlooker, unfolded)],
        tools=table(by_tool(read.sums)),
        teams=table(by_team(rows)),
        rows=table(rows),
        seats=_idle(licences, asked, last),
        **vars(complete),
    )


@router.get("/v1/coding-agents/seats", responses=answers("coding_agent_seats"))
@answered_once
async def get_seats(
    request: Request,
    caller: Reader,
    start: FirstDay = None,
    end: UntilDay = None,
    tool: AskedTools = None,
    seats: StatedSeats = None,
) -> CodingAgentSeats:
    """Seats of coding agents that nobody has, and those that nobody used: the same `seats`, by themselves."""
    asked, last = _asked(caller.tenant, start, end, tool, None, seats)
    async with database_of(request).reading(caller.tenant) as connection:
        licences = await read_licences(connection, asked)
    return CodingAgentSeats(first_day=asked.start, until=asked.end, seats=_idle(licences, asked, last))


def _asked(
    tenant: str,
    start: date | None,
    end: date | None,
    tools: list[str] | None,
    merged: list[str] | None,
    seats: list[str] | None,
) -> tuple[AskedAgents, date]:
    """What is asked for, and the last day of it that has begun. Raises HttpRefusal (422)."""
    today = datetime.now(UTC).date()
    start, end = day_range(start, end, today, days=DAYS, days_max=DAYS_MAX)
    asked = AskedAgents(
        tenant=tenant,
        start=start,
        end=end,
        tools=[as_booked("agent", each) for each in tools or CODING_AGENTS],
        merged=merged or [MERGED],
        seats=_seats(seats or ()),
    )
    return asked, min(end - timedelta(days=1), today)


def _idle(licences: Sequence[ToolLicence], asked: AskedAgents, last: date) -> list[IdleSeats]:
    return [idle for each in licences if (idle := each.idle(asked.start, last))]


def _seats(stated: Sequence[str]) -> list[tuple[str, str]]:
    """(pattern, tool), the stated ones first. Raises HttpRefusal (422)."""
    found = []
    for each in stated:
        tool, equals, pattern = each.partition("=")
        if not (tool and equals and "/" in pattern):
            raise invalid("seats", "is tool=provider/sku, such as cursor=anysphere/teams-*")
        found.append((pattern, tool))
    return [*found, *SEATS]
