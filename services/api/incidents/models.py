"""What is sent and answered about incidents."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString, RequestBody, Text
from spendmeter.contracts.incidents import IncidentKind, IncidentSeverity, IncidentState


class FigureAnswer(BaseModel):
    """One figure with its label: exact in `amount`, in `unit` (USD, USD/h), rounded in `text`."""

    label: str
    amount: DecimalString
    unit: str
    text: str


class FeedbackAnswer(BaseModel):
    """What somebody said of it: that it was expected, or a false alarm."""

    says: Literal["expected", "false_alarm"]
    note: str
    by: str
    at: datetime


class PlanAnswer(BaseModel):
    """The window of planned spend in which it lies."""

    id: UUID
    name: str


class IncidentAnswer(BaseModel):
    """Something that went beyond its budget, its expectation or a rate. Amounts in `currency`: `amount` since
    `began_at`, against `expected` (a budget's amount; what the scope would have spent meanwhile). Those of an
    anomaly are its burst's: they and `peak_per_hour` stay when it is over. `title` and `text` are rounded. Of
    kind `unbooked` amounts are events, and `currency` is "events".

    `number`: of its last message; `repeats`: how often it was over and began again. Not `told`: it is
    `planned`, or a part of `parent`, or was reached from above. `details`: what its kind knows beyond the
    figures. `expected_until`: until then its scope may spend so."""

    id: UUID
    state: IncidentState
    kind: IncidentKind
    severity: IncidentSeverity
    rule: str
    rule_name: str
    title: str
    scope: dict[str, str]
    key_names: dict[str, str]
    """The names of the keys in `scope` and `top_contributor`, by id."""
    period_start: datetime | None
    period_end: datetime | None
    threshold_percent: DecimalString | None
    currency: str
    amount: DecimalString
    expected: DecimalString
    rate_per_hour: DecimalString
    peak_per_hour: DecimalString
    expected_per_hour: DecimalString
    of_which_provisional: DecimalString
    top_contributor: dict[str, Any]
    figures: list[FigureAnswer]
    summary: str
    suggested_action: str
    link: str
    """Where the portal shows it; '' = this installation has not set SPENDMETER_PORTAL_URL for alerts."""
    began_at: datetime
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    resolution: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None
    number: int
    repeats: int
    told: bool
    snoozed_until: datetime | None
    planned: PlanAnswer | None
    parent: UUID | None
    feedback: FeedbackAnswer | None
    expected_until: datetime | None
    details: dict[str, Any]


class Incidents(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("incidents",)

    incidents: list[IncidentAnswer]
    next_cursor: str | None


class Acknowledgement(RequestBody):
    """`note` is for those who come after."""

    note: Annotated[Text, Field(max_length=2000)] = ""
