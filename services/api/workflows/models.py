"""What a tenant says of its workflows: what is sent, and what is answered about it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from services.api.http.models import DecimalString, RequestBody, Text
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX

VersionKind = Literal["baseline", "augmented", "reimagined"]
WorkflowName = Annotated[Text, Field(min_length=1, max_length=LABEL_CHARACTERS_MAX, examples=["refund"])]
VersionName = Annotated[Text, Field(max_length=LABEL_CHARACTERS_MAX, examples=["v2"])]
ActReason = Annotated[Text, Field(min_length=1, max_length=500)]
StatedCurrency = Annotated[Text, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
_Amount = Annotated[
    DecimalString, Field(ge=0, max_digits=24, decimal_places=12, allow_inf_nan=False, examples=["12.50"])
]
_Count = Annotated[DecimalString, Field(gt=0, le=10**9, max_digits=18, decimal_places=6, allow_inf_nan=False)]
Revision = Annotated[int | None, Field(description="refuse if another than this is in force")]
ROLES_MAX = 20


class StatedAmount(RequestBody):
    """An amount with its currency."""

    amount: _Amount
    currency: StatedCurrency


class WorkflowSettings(RequestBody):
    """What holds for all versions of a workflow."""

    survival_days: int = Field(
        14, ge=0, le=180, description="an outcome counts as it stands so many days after its run's last day"
    )
    outcome: Annotated[Text, Field(max_length=256)] = Field(
        "", description="the name of the outcomes that count; empty: the only name that there is"
    )
    silence_accepts: bool = Field(
        False, description="whether an outcome that nobody refused or reversed in time counts as accepted"
    )
    value_per_accepted: StatedAmount | None = Field(
        None, description="what an accepted outcome is worth where its event does not say"
    )
    assigned_by_hash: bool = Field(
        False, description="whether cases went to a version by a hash, so that a difference is its effect"
    )


class RoleMinutes(RequestBody):
    """What one role does for a case, before AI."""

    role: Annotated[Text, Field(min_length=1, max_length=100, examples=["support agent"])]
    minutes: Annotated[
        DecimalString, Field(gt=0, le=100_000, decimal_places=6, allow_inf_nan=False, examples=["18"])
    ]
    hourly_rate: _Amount


class Baseline(RequestBody):
    """How a case was done before AI, as entered: nothing measures it, so it has no interval."""

    currency: StatedCurrency
    roles: list[RoleMinutes] = Field(min_length=1, max_length=ROLES_MAX)
    other_cost_per_case: _Amount = Decimal(0)
    failed_share: Annotated[
        DecimalString,
        Field(ge=0, lt=1, decimal_places=6, allow_inf_nan=False, description="of cases: done wrong or anew"),
    ] = Decimal(0)
    cases_per_month: _Count
    cycle_hours: _Count | None = Field(None, description="from a case's beginning to its outcome")


class VersionSettings(RequestBody):
    """What a version is. Only a baseline has figures as entered; runs of the others are measured."""

    kind: VersionKind
    baseline: Baseline | None = None
    change_cost: StatedAmount | None = Field(
        None, description="what it cost to get to this version, once: for its payback"
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if (self.kind == "baseline") != (self.baseline is not None):
            raise ValueError("a version of kind baseline has `baseline`, and no other has")
        return self


class NewWorkflowSettings(WorkflowSettings):
    """All that is to hold of a workflow: it takes the place of what did."""

    workflow: WorkflowName
    reason: ActReason
    revision: Revision = None


class NewVersionSettings(VersionSettings):
    """All that is to hold of a version: it takes the place of what did."""

    workflow: WorkflowName
    version: VersionName
    reason: ActReason
    revision: Revision = None


class Act(BaseModel):
    """By whom, when and why it was said; revision 0: nobody has, these are the defaults."""

    revision: int
    reason: str
    by: str
    at: datetime | None


class WorkflowAnswer(Act, WorkflowSettings):
    """What holds of a workflow."""

    workflow: str


class VersionAnswer(Act, VersionSettings):
    """What holds of a version."""

    workflow: str
    version: str


class WorkflowAct(BaseModel):
    """One act, as it was left by it: about the workflow (`settings`) or a version (`version_settings`).
    Removed: nothing holds of that version any more, or the defaults of the workflow."""

    revision: int
    version: str | None
    settings: WorkflowSettings | None
    version_settings: VersionSettings | None
    removed: bool
    reason: str
    by: str
    at: datetime


class WorkflowActs(BaseModel):
    """The newest 200 acts on a workflow and its versions, the newest first."""

    acts: list[WorkflowAct]
