"""Sums as rows, with what a merged change cost or why nobody can say. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from services.api.coding_agents.models import AgentRow
from services.api.coding_agents.sums import CodingCost, TeamShown
from services.api.spend.ratios import UNPRICED_PERCENT_MAX
from services.api.workflows.bootstrap import ACCEPTED_MIN, DAYS_MIN
from spendmeter.contracts.money import divided


def rows_of(shown: TeamShown, currency: str, untold: str) -> list[AgentRow]:
    """A row a currency, the one with most events first; without any cost one of the tenant's `currency`.
    `untold`: why of no row can be said what a merged change cost, '' = it may be."""
    sums = shown.sums
    costs = sums.costs or {currency: CodingCost()}
    missing = _missing(shown, untold)
    return [
        AgentRow(
            tool=shown.tool,
            team=shown.team,
            small_teams=0 if shown.team is not None or not shown.teams else len(shown.teams),
            people=sums.known_people or None,
            currency=of,
            cost=cost.total,
            **cost.parts,
            of_which_provisional=cost.of_which_provisional,
            unpriced_events=cost.unpriced_events,
            lower_bound=bool(cost.unpriced_events) or shown.partly,
            sessions=sums.sessions,
            merged=sums.merged,
            taken_back=sums.taken_back,
            merged_days=len(sums.merged_days),
            cost_per_merged=None if missing else divided(cost.total, sums.merged),
            missing=missing,
        )
        for of, cost in sorted(costs.items(), key=lambda item: (-item[1].events, item[0]))
    ]


def unnamed_reason(merged_names: Sequence[str], outcome_names: Sequence[str]) -> str:
    """Why there is no merged change; '' = one of these names is there."""
    if set(merged_names) & set(outcome_names):
        return ""
    there = f"there are: {', '.join(outcome_names)}" if outcome_names else "there are none at all"
    return f"no outcome of these days is called {' or '.join(merged_names)}: {there}"


def not_in_it(merged_by_none: Decimal) -> list[str]:
    """What the rows lack."""
    if not merged_by_none:
        return []
    named = "they name neither a session of a tool nor a tool"
    return [f"{_count(merged_by_none)} merged changes are in no row: {named}"]


def _missing(shown: TeamShown, untold: str) -> list[str]:
    if untold:
        return [untold]
    found, sums = [], shown.sums
    if len(sums.costs) > 1:
        currencies = " and ".join(sorted(sums.costs))
        found.append(f"cost is in {currencies}, which are never added: ask for days of one currency")
    if not sums.costs:
        found.append("nothing was booked of these days")
    if shown.partly:
        found.append("what the team did with another tool stands among small teams")
    events = sum(cost.events for cost in sums.costs.values())
    unpriced = sum(cost.unpriced_events for cost in sums.costs.values())
    if unpriced * 100 > events * UNPRICED_PERCENT_MAX:
        found.append(f"{unpriced:,} of {events:,} events have no price")
    if sums.merged < ACCEPTED_MIN:
        found.append(f"insufficient data: {_count(sums.merged)} merged changes, {ACCEPTED_MIN} are needed")
    if len(sums.merged_days) < DAYS_MIN:
        found.append(f"insufficient data: {len(sums.merged_days)} days with one, {DAYS_MIN} are needed")
    return found


def _count(number: Decimal) -> str:
    return f"{number:,f}"
