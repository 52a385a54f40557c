"""What is answered about runs and outcomes."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.events.models import ListedEvent
from services.api.http.models import Complete, DecimalString


class RunCost(BaseModel):
    """What a part of a run cost, in one book currency. What has no price is counted, and in no amount."""

    currency: str
    events: int
    unpriced_events: int
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString
    of_which_provisional: DecimalString = Field(description="of `effective`, what is a bound or an estimate")


class ClassCost(RunCost):
    """By cost class."""

    cost_class: str


class ModelCost(ClassCost):
    """By what was used: a model, a tool, a database."""

    provider: str
    sku: str


class AgentCost(RunCost):
    """By the agent or step that used it; empty: the events name none."""

    agent: str


class WorkflowCost(RunCost):
    """By workflow and version; empty: the events name none."""

    workflow: str
    workflow_version: str


class CallStatusCount(BaseModel):
    """How many calls ended so; empty: the events do not say."""

    status: str
    events: int


class RunCalls(BaseModel):
    """How a run's calls went: every attempt that was metered is one, also one that failed; hours of people,
    hardware and seats are none."""

    attempts: int
    statuses: list[CallStatusCount]
    timed: int = Field(description="attempts that state how long they took")
    latency_ms_mean: DecimalString | None = Field(description="of these; null: none does")
    latency_ms_max: int | None = Field(
        description="of these, also of those that were corrected or retracted since; null: none does"
    )


class OutcomeValue(BaseModel):
    """What outcomes that state a value in one currency are worth."""

    currency: str
    value: DecimalString = Field(description="of what was not reversed")
    accepted: DecimalString = Field(description="of that, what was accepted")


class OutcomeSum(BaseModel):
    """Outcomes of one name. stated = accepted + refused + open + reversed. What a cost is divided by: all
    that was not reversed, and the accepted alone; the cost is that of the whole run, with all that failed.
    Null: there is nothing to divide by, the run has amounts in several currencies, or more than one in a
    hundred of its events have no price."""

    name: str
    first_at: datetime = Field(description="when the first of all that are stated happened")
    last_at: datetime
    stated: int
    accepted: int
    refused: int
    open: int = Field(description="nobody has said yet whether it is accepted")
    reversed: int = Field(description="they count no longer: it turned out that there was none")
    values: list[OutcomeValue]
    cost_per_outcome: DecimalString | None
    cost_per_accepted: DecimalString | None
    cost_currency: str


class RunReceipt(Complete):
    """One run: what it cost over all cost classes, how its calls went, what it achieved; `not_in_it` says
    what is missing. At most 100 groups a list, the dearest, and `beyond` says how many more there are."""

    run: str
    summary: str
    first_at: datetime | None = Field(description="of its usage; null: none is known")
    last_at: datetime | None
    costs: list[RunCost]
    by_class: list[ClassCost]
    by_model: list[ModelCost]
    by_agent: list[AgentCost]
    by_workflow: list[WorkflowCost]
    calls: RunCalls
    outcomes: list[OutcomeSum]
    not_in_it: list[str]
    beyond: dict[str, int] = Field(description="list to the number of groups that are left out of it")
    events: list[ListedEvent] = Field(description="the newest 50 of its last ten minutes, as they count now")


class SaidBy(BaseModel):
    """The event that says what became of an outcome: its last verdict, or its reversal."""

    source: str
    id: str
    at: datetime


class ListedOutcome(BaseModel):
    """An outcome event, and what became of it."""

    source: str
    id: str
    time: datetime
    recorded_at: datetime
    key_id: str
    name: str
    count: int
    value: DecimalString | None = Field(description="null: none is stated")
    currency: str
    state: Literal["open", "accepted", "refused", "reversed"]
    said_by: SaidBy | None = Field(description="null: nobody but the outcome itself")
    run: str
    workflow: str
    workflow_version: str
    labels: dict[str, Any] = Field(description="the others; `own`: of the tenant's own dimensions")


class OutcomeList(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("outcomes",)

    outcomes: list[ListedOutcome]
    next_cursor: str | None


class UnkeptOutcome(BaseModel):
    """An outcome event that was accepted and is not kept; what of it cannot be read is empty."""

    fault: Literal["conflict", "rejected"]
    reason: str
    source: str
    id: str
    key_id: str
    recorded_at: datetime
    offset: int = Field(description="its place on usage.outcomes")


class OutcomeFaultList(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("faults",)

    faults: list[UnkeptOutcome]
    next_cursor: str | None
