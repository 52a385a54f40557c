"""Bodies and answers in OpenMeter's names; what is ours beside them is written as everywhere else."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, Field

from services.api.http.filters import FILTER_VALUES_MAX
from services.api.http.models import Complete, RequestBody, Text
from services.api.readouts.readout import Aggregation

WindowSize = Literal["MINUTE", "HOUR", "DAY", "MONTH"]
GROUPS_MAX = 50

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
Values = Annotated[list[Text], Field(min_length=1, max_length=FILTER_VALUES_MAX)]
"""One at least: of no values at all it would be guessed whether nothing is meant, or everything."""


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


class ReadoutChange(RequestBody):
    """What is called otherwise from now on, in full: what is left out is emptied. What it sums never changes:
    a question would have another answer, and nobody would be told."""

    name: Text = Field(default="", max_length=256, description="default: the slug")
    description: Text = Field(default="", max_length=1024)
    group_by: dict[GroupName, Text] = Field(default={}, alias="groupBy", max_length=GROUPS_MAX)


class ReadoutQuestion(RequestBody):
    """A question as a body: what an address has no room for. Each as the parameter of that name."""

    client: Text = Field(default="", alias="clientId", description="answered alike for all")
    start: Text | None = Field(default=None, alias="from", description="inclusive; needed")
    end: Text | None = Field(default=None, alias="to", description="exclusive; default: now")
    window: WindowSize | None = Field(default=None, alias="windowSize", description="default: one in all")
    zone: Text = Field(default="UTC", alias="windowTimeZone", description="whose days and hours")
    subject: Values | None = Field(default=None, description="only these, each with rows of its own")
    filters: dict[GroupName, Values] = Field(
        default={}, alias="filterGroupBy", max_length=GROUPS_MAX, description="by name, only these values"
    )
    conditions: dict[GroupName, dict[str, Any]] = Field(
        default={},
        alias="advancedMeterGroupByFilters",
        max_length=GROUPS_MAX,
        description="by name, `$eq` or `$in`",
    )
    group_by: list[GroupName] = Field(default=[], alias="groupBy", max_length=GROUPS_MAX)

    def parameters(self) -> list[tuple[str, str]]:
        """The same question as the parameters of an address."""
        once = {"from": self.start, "to": self.end, "windowSize": self.window, "windowTimeZone": self.zone}
        if self.conditions:
            once["advancedMeterGroupByFilters"] = msgspec.json.encode(self.conditions).decode()
        return [
            *((name, value) for name, value in once.items() if value is not None),
            *(("subject", each) for each in self.subject or ()),
            *(("groupBy", each) for each in self.group_by),
            *((f"filterGroupBy[{name}]", each) for name, values in self.filters.items() for each in values),
        ]


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
