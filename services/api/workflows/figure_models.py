"""What is answered about workflows: their versions side by side, each figure with how sure it is."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import Complete, DecimalString
from services.api.workflows.models import VersionAnswer, VersionKind, WorkflowAnswer

FigureName = Literal[
    "cost_per_run",
    "cost_per_outcome",
    "cost_per_accepted",
    "ai_per_accepted",
    "human_per_accepted",
    "adjacent_per_accepted",
    "attempts_per_success",
    "human_minutes_per_accepted",
    "cycle_hours",
    "success_share",
    "value_per_accepted",
    "roi_multiple",
]


class ListedVersion(BaseModel):
    """A version that did something, or of which something is said. first_day: the first one ever on which a
    run of it ended, or something cost; last_day, runs: of the last 90 days. cost_per_accepted: of runs that
    are old enough to be judged, or as it was entered; null = it cannot be said, and `missing` says why."""

    version: str
    kind: VersionKind | None
    runs: int
    first_day: date | None
    last_day: date | None
    cost_per_accepted: DecimalString | None
    currency: str = Field(description="of that; empty: of several, or it cost nothing")
    lower_bound: bool = Field(description="amounts lack in it, so it is at least so much")
    missing: list[str]


class ListedLine(ListedVersion):
    """The same as a line of CSV."""

    workflow: str


class ListedWorkflow(WorkflowAnswer):
    """A workflow with its versions."""

    LINE: ClassVar = ListedLine

    mature_until: date = Field(description="runs of this day and later are too young for a cost")
    versions: list[ListedVersion]

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A line a version."""
        return [{"workflow": row["workflow"], **version} for version in row["versions"]]


class WorkflowList(BaseModel):
    """Workflows that did something in the last 90 days, or of which something is said."""

    TABLES: ClassVar = ("workflows",)

    pending: bool = Field(description="sums of days that count are being made again")
    workflows: list[ListedWorkflow]


class VersionFigure(BaseModel):
    """One figure of a version. value null = it cannot be said, and `missing` says why: insufficient data,
    two currencies, no value. low, high: its 95 % interval, from days drawn again; null = there is no such
    bound, as of what was entered. lower_bound: amounts lack in it, so it is at least so much; upper_bound:
    they lack in what it is divided by, so it is at most so much."""

    name: FigureName
    value: DecimalString | None
    low: DecimalString | None
    high: DecimalString | None
    without_top: DecimalString | None = Field(
        description="the same without the dearest 1 % of runs; null: it is not known which these are"
    )
    lower_bound: bool
    upper_bound: bool
    missing: list[str]


class FigureLine(VersionFigure):
    """A figure as a line of CSV, with what it is of. currency: of its amounts; empty where there are several,
    or none."""

    version: str
    kind: VersionKind | None
    runs: int
    accepted: DecimalString
    currency: str


class VersionCost(BaseModel):
    """What a version cost in one currency. without_run: the part that names the workflow and no run."""

    currency: str
    ai: DecimalString
    human: DecimalString
    adjacent: DecimalString
    total: DecimalString
    without_run: DecimalString
    of_which_provisional: DecimalString
    unpriced_events: int


class DearestRun(BaseModel):
    """A run that cost more than others of its version; `GET /v1/runs/{run}` is its receipt. day: its last
    one."""

    run: str
    team: str
    day: date
    calls: int
    currency: str
    cost: DecimalString
    ai: DecimalString
    human: DecimalString
    adjacent: DecimalString


class VersionFigures(BaseModel):
    """A version. entered: its figures are as somebody entered them. Counts and costs are of runs that
    name it and are old enough; `young_runs` are left out of both sides. reversed_later, accepted_later: said
    after the survival window, so that it changes nothing here."""

    LINE: ClassVar = FigureLine

    version: str
    kind: VersionKind | None
    entered: bool
    first_seen: date | None = Field(
        description="when it came: its first day ever, of this range or not; null: no run names it"
    )
    days: int
    runs: int
    young_runs: int
    calls: int
    failed_calls: int
    outcomes: DecimalString
    accepted: DecimalString
    refused: DecimalString
    reversed: DecimalString
    open: DecimalString
    reversed_later: DecimalString
    accepted_later: DecimalString
    top_runs: int = Field(description="how many runs the dearest 1 % are")
    costs: list[VersionCost]
    dearest: list[DearestRun] = Field(
        description="the ten dearest runs of all days asked for, young ones too, in each currency; fewer "
        "where it is not known which come next, as of a team whose runs are cheaper than others'"
    )
    figures: list[VersionFigure]

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A line a figure."""
        said = {name: row[name] for name in ("version", "kind", "runs", "accepted")}
        currencies = [cost["currency"] for cost in row["costs"]]
        said["currency"] = currencies[0] if len(currencies) == 1 else ""
        return [said | figure for figure in row["figures"]]


class TeamDifference(BaseModel):
    """The difference with every team weighing the same on both sides: by its share of all accepted outcomes.
    covered: of these, the share of teams that both versions have enough of."""

    value: DecimalString | None
    low: DecimalString | None
    high: DecimalString | None
    covered: DecimalString
    missing: list[str]


class FigureDifference(BaseModel):
    """version - against, of one figure; percent of against's. `missing` beside a value: what is not in it."""

    name: FigureName
    value: DecimalString | None
    low: DecimalString | None
    high: DecimalString | None
    percent: DecimalString | None
    missing: list[str]


class VersionDifference(BaseModel):
    """One version against another one. claim: what may be said of it. monthly_saving: at the volume that the
    version has, in a month of 30.4375 days; payback_months: its change cost over that."""

    version: str
    against: str
    claim: str
    figures: list[FigureDifference]
    by_team: TeamDifference
    currency: str | None
    monthly_saving: DecimalString | None
    monthly_saving_low: DecimalString | None
    monthly_saving_high: DecimalString | None
    payback_months: DecimalString | None
    payback_months_low: DecimalString | None
    payback_months_high: DecimalString | None
    missing: list[str]


class WorkflowComparison(Complete):
    """Versions of a workflow side by side, of days of UTC. Runs of `mature_until` and later are younger
    than the survival window and in none of it. pending: sums of days that count are
    being made again."""

    TABLES: ClassVar = ("versions",)

    settings: WorkflowAnswer
    declared: list[VersionAnswer]
    first_day: date
    until: date
    mature_until: date
    outcome: str | None = Field(description="the name of the outcomes that count; null: say which")
    outcome_names: list[str]
    team: str | None
    pending: bool
    versions: list[VersionFigures]
    differences: list[VersionDifference]
