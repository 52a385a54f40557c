"""What is answered about a run."""

from datetime import datetime

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
    Null: there is nothing to divide by, or the run has amounts in several currencies."""

    name: str
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
