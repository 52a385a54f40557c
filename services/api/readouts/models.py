"""Bodies and answers in OpenMeter's names; what is ours beside them is written as everywhere else."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import Complete, RequestBody, Text
from services.api.readouts.readout import Aggregation

WindowSize = Literal["MINUTE", "HOUR", "DAY", "MONTH"]
GROUPS_MAX = 50

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class NewReadout(RequestBody):
    """A sum to be read by name."""

    slug: Slug
    name: Text = Field(default="", max_length=256)
    description: Text = Field(default="", max_length=1024)
    aggregation: Aggregation = Field(description="SUM or COUNT: others are refused, and it is said why")
    event_type: Text = Field(alias="eventType", examples=["spendmeter.usage.v1"])
    value_property: Text | None = Field(
        default=None,
        alias="valueProperty",
        description="of SUM: `$.usage.` and a unit, `$.usage.*_tokens`, or `$.cost`",
        examples=["$.usage.input_tokens"],
    )
    group_by: dict[GroupName, Text] = Field(
        default={},
        alias="groupBy",
        max_length=GROUPS_MAX,
        description="by name, the dimension, as a path",
        examples=[{"model": "$.sku", "subject": "$.team"}],
    )


class ReadoutAnswer(BaseModel):
    """A sum that can be asked for, by `slug` or `id`."""

    id: str
    slug: str
    name: str
    description: str
    aggregation: Aggregation
    event_type: str = Field(alias="eventType")
    value_property: str | None = Field(alias="valueProperty", description="null: events are counted")
    group_by: dict[str, str] = Field(alias="groupBy")
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")


class ReadoutRow(BaseModel):
    """A sum of a window that has any: what nobody stated, and what has no price, is not 0 and has no row."""

    value: Decimal = Field(
        description="a number in all its digits: read as a double it may lose some",
        json_schema_extra={"type": "number"},
    )
    window_start: datetime = Field(alias="windowStart")
    window_end: datetime = Field(alias="windowEnd")
    subject: str | None
    group_by: dict[str, str] = Field(alias="groupBy")


class ReadoutSums(Complete):
    """The answer of a query."""

    TABLES: ClassVar = ("data",)

    from_: datetime = Field(alias="from")
    to: datetime
    window_size: WindowSize | None = Field(alias="windowSize")
    data: list[ReadoutRow]
    unpriced_events: int | None = Field(
        description="of cost: events without a price, which are in no value; null: it is not about cost"
    )
