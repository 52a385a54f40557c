"""What is sent and answered about the rules by which alerts watches."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from services.api.http.models import RequestBody, Text
from spendmeter.contracts.alert_rules import RULE_KINDS
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.incidents import IncidentSeverity

RuleReason = Annotated[Text, Field(min_length=1, max_length=500)]
RuleName = Annotated[Text, Field(min_length=1, max_length=200)]
SettingValue = str | list[str]
RuleKindName = Literal[
    "burst", "hour", "shift", "loop", "first", "drift", "silence", "burn", "unbooked", "unreserved"
]
assert set(RuleKindName.__args__) == set(RULE_KINDS)  # type: ignore[attr-defined]


def _as_booked(scope: dict[str, str]) -> dict[str, str]:
    return {dimension: as_booked(dimension, value) for dimension, value in scope.items()}


RuleFilter = Annotated[dict[str, Annotated[Text, Field(max_length=256)]], AfterValidator(_as_booked)]


class SettingAnswer(BaseModel):
    """One setting: what it is set to, and what it may be."""

    value: SettingValue
    default: SettingValue
    type: str
    least: str
    most: str
    """'' = without a bound."""
    choices: list[str]
    means: str


class RuleAnswer(BaseModel):
    """A rule in force. `of`: its kind. A rule that everybody has stays when it is removed, as it was.
    Revision 0: nobody has changed it."""

    id: str
    of: str
    name: str
    means: str
    incidents: str
    """The kind of the incidents that it opens."""
    filter: dict[str, str]
    severity: IncidentSeverity
    enabled: bool
    everybodys: bool
    settings: dict[str, SettingAnswer]
    revision: int
    reason: str
    by: str
    at: datetime | None


class RuleList(BaseModel):
    """Those that everybody has first, then the tenant's own."""

    rules: list[RuleAnswer]


class RuleChange(RequestBody):
    """What is to change of a rule; the rest stays. A setting of null is its default again."""

    name: RuleName | None = None
    filter: RuleFilter | None = None
    severity: IncidentSeverity | None = None
    enabled: bool | None = None
    settings: dict[str, SettingValue | None] = Field(default={}, examples=[{"amount_min": "25"}])
    reason: RuleReason
    revision: int | None = Field(default=None, description="refuse if another than this is in force")


class NewRule(RequestBody):
    """A further rule of a kind, for what the filter leaves of the spend."""

    of: RuleKindName
    name: RuleName
    filter: RuleFilter = Field(default={})
    severity: IncidentSeverity | None = None
    enabled: bool = True
    settings: dict[str, SettingValue] = Field(default={})
    reason: RuleReason


class RuleAct(BaseModel):
    """One change of a rule, as it was left by it."""

    revision: int
    name: str
    filter: dict[str, str]
    severity: IncidentSeverity
    enabled: bool
    removed: bool
    settings: dict[str, SettingValue]
    reason: str
    by: str
    at: datetime


class RuleHistory(BaseModel):
    """Who changed a rule, when and why, the newest first; the newest 200."""

    acts: list[RuleAct]
