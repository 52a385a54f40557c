"""What is sent and answered about channels."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.http.models import RequestBody, Text
from spendmeter.contracts.channels import ChannelKind
from spendmeter.contracts.routes import DIGEST_MINUTES_MAX

ChannelName = Annotated[Text, Field(min_length=1, max_length=200)]
DigestMinutes = Annotated[int, Field(ge=0, le=DIGEST_MINUTES_MAX)]
ChannelPosition = Annotated[int, Field(ge=0, le=1000)]
DeliveryState = Literal["pending", "delivered", "failed", "merged"]
_MATCH = (
    "what it is told: `severity` (info, warning, critical: and graver), `kinds`, `scope` (dimension to "
    "value, all of which the incident has, or most of its money); {} = everything. What is critical and "
    "taken by no channel goes to the first one"
)
_QUIET = (
    "when it hears nothing that can wait, in the tenant's zone: each `from`, `until` (22:00) and `weekdays` "
    "on which it begins (1 = Monday). Critical money waits for nothing"
)
_SETTINGS = "what its kind needs; secrets are never shown again"
_DIGEST = "0 = each message at once; else what can wait is told together, every so many minutes"
_POSITION = "in this order the next one is told that a channel fails"


class NewChannel(RequestBody):
    """A channel to be added. A webhook's `secret` is made where none is given; its `url` may stand beside
    `settings`, too."""

    name: ChannelName
    kind: ChannelKind = "webhook"
    settings: dict[str, Any] = Field({}, description=_SETTINGS)
    url: Annotated[Text | None, Field(max_length=2000, examples=["https://hooks.example.org/spend"])] = None
    match: dict[str, Any] = Field({}, description=_MATCH)
    quiet: list[dict[str, Any]] = Field([], description=_QUIET)
    digest_minutes: Annotated[DigestMinutes, Field(description=_DIGEST)] = 0
    position: Annotated[ChannelPosition, Field(description=_POSITION)] = 0


class ChannelChange(RequestBody):
    """What is to change; the rest stays, and so does every setting that is not named. `enabled`: whether it
    is told anything; true takes it back that was disabled."""

    name: ChannelName | None = None
    settings: Annotated[dict[str, Any] | None, Field(description=_SETTINGS)] = None
    match: Annotated[dict[str, Any] | None, Field(description=_MATCH)] = None
    quiet: Annotated[list[dict[str, Any]] | None, Field(description=_QUIET)] = None
    digest_minutes: DigestMinutes | None = None
    position: ChannelPosition | None = None
    enabled: bool | None = None


class Channel(BaseModel):
    """Where incidents are told, and how it fares; a receiver that answers 410 Gone disables it. `settings`
    holds no secrets: `secrets` says which of them are set."""

    id: UUID
    name: str
    kind: ChannelKind
    settings: dict[str, Any]
    secrets: dict[str, bool]
    match: dict[str, Any]
    quiet: list[dict[str, Any]]
    digest_minutes: int
    position: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    disabled_at: datetime | None
    disabled_reason: str
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str
    failing_since: datetime | None
    """Of the first attempt that failed since something was delivered."""


class CreatedChannel(Channel):
    """With the secret that signs what a webhook is sent: shown this once; null of other kinds."""

    secret: str | None


class Channels(BaseModel):
    """All of the tenant's, in their order."""

    TABLES: ClassVar = ("channels",)

    channels: list[Channel]


class ChannelDelivery(BaseModel):
    """One message to one channel. merged: `merged_into` tells it, too. `held`: why it waits until
    `next_attempt_at` (quiet hours, a digest)."""

    id: UUID
    incident_id: UUID | None
    """Null of a test."""
    title: str
    """Of the incident as it is now."""
    transition: str
    number: int
    state: DeliveryState
    held: str
    attempts: int
    last_error: str
    """Of a delivered one: why there was nothing to send."""
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    merged_into: UUID | None


class ChannelDeliveries(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("deliveries",)

    deliveries: list[ChannelDelivery]
    next_cursor: str | None


class ChannelTest(BaseModel):
    """What came of a test message: `delivered`, `failed` and why, or `pending`: it was not sent in time."""

    id: UUID
    state: DeliveryState
    error: str
