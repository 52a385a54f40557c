"""What is sent and answered about keys. A secret is in the answer that makes it, and nowhere else."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import RequestBody, Text
from spendmeter.contracts.permissions import SCOPES

KeyScope = Literal["ingest", "read", "respond", "govern", "correct", "admin", "import", "reserve"]
KeyState = Literal["live", "expired", "revoked"]
GRACE_HOURS_MAX = 24 * 90


class NewKey(RequestBody):
    """A key to be made. What its maker lacks it cannot have."""

    name: Annotated[Text, Field(min_length=1, max_length=100, description="what it is for")]
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=len(SCOPES))]
    expires_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(None, description="null = for ever")
    events_per_minute: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = Field(
        None, description="the most it may send; an operator's to say. null = as ingest is set"
    )
    trust_reported_cost: bool = Field(
        False, description="book the costs that its events report; an operator's to say"
    )


class Rotation(RequestBody):
    """For how long the former secret still opens."""

    grace_hours: Annotated[int, Field(ge=0, le=GRACE_HOURS_MAX)] = 24


class KeyAnswer(BaseModel):
    """A key, without what it is compared with."""

    key_id: str
    name: str
    state: KeyState
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    former_until: datetime | None = Field(description="until when the secret before the last rotation opens")
    last_used_at: datetime | None = Field(description="to some 10 s; null = never")
    events_per_minute: int | None
    trust_reported_cost: bool


class MadeKey(KeyAnswer):
    """The only answer that holds the key itself."""

    key: str = Field(description="the whole key; it is not stored and never shown again")


class KeyList(BaseModel):
    """A tenant's keys, the newest first."""

    TABLES: ClassVar[tuple[str, ...]] = ("keys",)

    keys: list[KeyAnswer]
    next_cursor: str | None
