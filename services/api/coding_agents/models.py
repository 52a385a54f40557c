"""What is answered about coding agents."""

from datetime import date
from typing import ClassVar

from pydantic import BaseModel, Field

from services.api.http.models import Complete, DecimalString


class AgentRow(BaseModel):
    """One tool, of one team, in one currency; null = of all of them. Sessions and merged changes are those of
    the row whatever its currency: never add them over currencies.

    small_teams: how many teams stand together here, for fewer than five people are known of each, or because
    another one would be told by difference; 0 = the row is of the team that it names. people: at least so
    many; null = nobody knows. lower_bound: it costs at least so much, for events without a price are in it,
    or what the team did with another tool stands among small teams."""

    tool: str | None
    team: str | None
    small_teams: int
    people: int | None
    currency: str
    cost: DecimalString
    model: DecimalString
    seats: DecimalString
    labour: DecimalString
    other: DecimalString
    of_which_provisional: DecimalString
    unpriced_events: int
    lower_bound: bool
    sessions: int
    merged: DecimalString
    taken_back: DecimalString = Field(description="merged, and then refused or reversed: not among `merged`")
    merged_days: int
    cost_per_merged: DecimalString | None = Field(
        description="all of cost, also of sessions that came to nothing, over `merged`; of a `lower_bound` "
        "at least so much"
    )
    missing: list[str] = Field(description="why `cost_per_merged` cannot be said")


class IdleSeats(BaseModel):
    """Seats of a licence, in its own currency. nobody_has: not assigned. idle: not used on `day`, the last
    one of which somebody has said how many were; null = nobody has. idle_cost: of the `known_days` alone."""

    tool: str
    licence: str
    name: str
    currency: str
    seats: int
    nobody_has: int
    price_per_seat_month: DecimalString
    day: date | None
    active: int | None
    idle: int | None
    idle_cost_per_month: DecimalString | None
    known_days: int
    idle_cost: DecimalString | None
    missing: list[str]


class CodingAgentSeats(BaseModel):
    """Seats of the licences of coding agents on these days."""

    TABLES: ClassVar = ("seats",)

    first_day: date
    until: date
    seats: list[IdleSeats]


class CodingAgentCosts(Complete):
    """`rows` by tool and team; `tools` and `teams` are sums of them. merged_names: outcomes that count as a
    merged change; outcome_names: those that there are, these first. all_teams: small teams are shown apart.
    not_in_it: what the rows lack, in words."""

    TABLES: ClassVar = ("rows",)

    first_day: date
    until: date
    merged_names: list[str]
    outcome_names: list[str]
    people_min: int
    all_teams: bool
    not_in_it: list[str]
    tools: list[AgentRow]
    teams: list[AgentRow]
    rows: list[AgentRow]
    seats: list[IdleSeats]
