"""What models of bodies and answers share: amounts as plain decimal strings, and how complete they are."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from spendmeter.contracts.money import plain

DecimalString = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
"""An amount, a quantity or a percentage: Decimal inside, a plain decimal string in JSON."""


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A text that the database can hold: without NUL."""


class RequestBody(BaseModel):
    """What a caller sends; a field that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Complete(BaseModel):
    """How complete an answer is; None = not known."""

    complete_through: datetime | None = Field(
        description="everything that was accepted before is in the answer; null while that cannot be proven"
    )
    in_flight: int | None = Field(
        description="events accepted and not yet booked, of all tenants; null when that was not measured "
        "within the last 3 s, and for who sees one team alone"
    )
    in_flight_age_s: float | None = Field(
        description="how long ago `in_flight` was last measured; null: never since this process started"
    )


class AsItStood(Complete):
    """An answer that may be asked for as the book stood (`as_of`)."""

    as_of: datetime | None = Field(
        None,
        description="the moment by which `as_of` was answered: the last one up to it that is proved, or for "
        "who sees one team the instant itself; null = as it stands",
    )
    proved_until: datetime | None = Field(
        None,
        description="up to when the book is proved against the events, entry by entry; null while nothing "
        "is. With `as_of` an answer of a time before it never changes, and of a later one it is of the last "
        "moment that is proved. Without, `/v1/spend` alone says it",
    )


NOT_MEASURED = Complete(complete_through=None, in_flight=None, in_flight_age_s=None)
"""Of what is told as it stood: what was on its way then was not written down."""
