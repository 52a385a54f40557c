"""What answers share: amounts as plain decimal strings, how complete they are, and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from services.api.http.question import encode_cursor
from spendmeter.contracts.money import plain

Money = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
"""An amount, a quantity or a percentage: Decimal inside, a plain decimal string in JSON."""


class Asked(BaseModel):
    """What a caller sends; a field that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Complete(BaseModel):
    """How complete an answer is."""

    complete_through: datetime | None = Field(
        description="everything that was accepted before is in the answer; null while that cannot be proven"
    )
    in_flight: int | None = Field(
        description="events accepted and not yet booked, of all tenants; null when that was not measured "
        "within the last 3 s"
    )
    in_flight_age_s: float | None = Field(
        description="how long ago `in_flight` was last measured; null: never since this process started"
    )


_Model = TypeVar("_Model", bound=BaseModel)


def page(
    model: type[_Model], rows: Sequence[Any], limit: int, place: Callable[[Any], object]
) -> tuple[list[_Model], str | None]:
    """At most `limit` of `rows` (of which one more was read), and the cursor of the next page or None."""
    cursor = encode_cursor(place(rows[limit - 1])) if len(rows) > limit else None
    return [model.model_validate(dict(row)) for row in rows[:limit]], cursor
