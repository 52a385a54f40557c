"""What the book, outcomes and assets say of coding agents, as sums by tool and team."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.api.assets.store import SQL as ASSETS
from services.api.assets.store import with_revisions
from services.api.coding_agents.seats import ToolLicence
from services.api.coding_agents.sums import AgentSums
from services.api.database.transactions import TenantConnection
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.coding_agents import CODING_AGENTS, SEATS, tool_of_seat
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.accruals.asset import standings

LICENCES_MAX = 2_000
NAMES_MAX = 20
PROJECTIONS = ("cells", "runs", "run_days", "run_outcomes", "agent_people")
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_PART = {"model": "model", "licence": "seats", "labour": "labour"}

SQL = load_sql(Path(__file__).with_name("agents.sql"))


@dataclass(frozen=True, kw_only=True)
class AskedAgents:
    """Days [start, end) of UTC, tools, outcomes that are a merged change, and (pattern, tool) of seats."""

    tenant: str
    start: date
    end: date
    tools: Sequence[str]
    merged: Sequence[str]
    seats: Sequence[tuple[str, str]]

    def parameters(self) -> tuple[Any, ...]:
        return self.tenant, self.start, self.end, list(self.tools)

    def all_tools(self) -> list[str]:
        """Those that are known, and those that are asked for."""
        return list(dict.fromkeys((*CODING_AGENTS, *self.tools)))


@dataclass(frozen=True, kw_only=True)
class SumsRead:
    """`sums` by tool and team."""

    sums: Mapping[tuple[str, str], AgentSums]
    merged_by_none: Decimal
    """Changes that name neither a session of a tool nor a tool."""


async def read_licences(connection: TenantConnection, asked: AskedAgents) -> list[ToolLicence]:
    """Of these tools, with how many seats were used on which day. Raises HttpRefusal (422)."""
    rows = await connection.fetch(ASSETS["assets"], _BEGINNING, "", "licence", LICENCES_MAX + 1)
    if len(rows) > LICENCES_MAX:
        raise HttpRefusal(422, "Too much", f"there are more than {LICENCES_MAX:,} licences")
    assets = await with_revisions(connection, asked.tenant, rows)
    activity = defaultdict[str, dict[date, int]](dict)
    ids = [asset.id for asset in assets]
    for row in await connection.fetch(SQL["activity"], ids, asked.start, asked.end):
        activity[row["asset_id"]][row["day"]] = row["active"]
    found = []
    for asset in assets:
        terms = standings(asset.revisions)[-1].terms
        if tool := tool_of_seat(terms.provider, terms.sku, asked.seats):
            counts = tool_of_seat(terms.provider, terms.sku, SEATS) == tool
            found.append(ToolLicence(tool=tool, asset=asset, active=activity[asset.id], counts_people=counts))
    return [each for each in found if each.tool in asked.tools]


async def read_sums(
    connection: TenantConnection, asked: AskedAgents, licences: Sequence[ToolLicence], last: date
) -> SumsRead:
    """`last`: the last day of which anything is known."""
    found = defaultdict[tuple[str, str], AgentSums](AgentSums)
    for row in await connection.fetch(SQL["costs"], *asked.parameters()):
        tool = row["agent"] or tool_of_seat(row["provider"], row["sku"], asked.seats)
        if tool in asked.tools:
            _add_cost(found[tool, row["team"]], row)
    whose = (*asked.parameters(), asked.all_tools())
    for row in await connection.fetch(SQL["sessions"], *whose):
        found[row["agent"], row["team"]].sessions += row["sessions"]
    merged_by_none = ZERO
    for row in await connection.fetch(SQL["merged"], *whose, list(asked.merged)):
        if not row["agent"]:
            merged_by_none += row["merged"]
            continue
        sums = found[row["agent"], row["team"]]
        sums.merged += row["merged"]
        sums.taken_back += row["taken_back"]
        if row["merged"]:
            sums.merged_days.add(row["day"])
    for row in await connection.fetch(SQL["people"], *asked.parameters()):
        key = row["agent"], row["team"]
        if key in found:
            found[key].people[row["month"]] |= set(row["users"])
    for licence in (each for each in licences if each.counts_people):
        for team, seats in licence.seats_by_team(asked.start, last).items():
            if (licence.tool, team) in found:
                found[licence.tool, team].seated[licence.asset.id] += seats
    return SumsRead(sums=found, merged_by_none=merged_by_none)


async def read_names(connection: TenantConnection, asked: AskedAgents) -> list[str]:
    """What outcomes of these days are called: those that are a merged change, and the most frequent."""
    limits = asked.tenant, asked.start, asked.end, NAMES_MAX, list(asked.merged)
    rows = await connection.fetch(SQL["names"], *limits)
    return [row["name"] for row in rows]


def _add_cost(sums: AgentSums, row: Mapping[str, Any]) -> None:
    cost = sums.costs[row["currency"]]
    cost.events += row["events"]
    cost.unpriced_events += row["unpriced_events"]
    cost.of_which_provisional = EXACT.add(cost.of_which_provisional, row["of_which_provisional"])
    part = _PART.get(row["cost_class"], "other")
    cost.parts[part] = EXACT.add(cost.parts[part], row["cost"])
