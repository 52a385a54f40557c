"""`as_of`: as the book stood, said of a question, and what cannot be asked so."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from services.api.database.transactions import TenantConnection
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.spans import TenantCalendar, instant_of
from spendmeter.book.as_of import ENTRIES_MAX, Moment, NotRemembered, TooManyEntries, read_moment

AS_OF = "as_of"
AsOf = Annotated[
    str | None,
    Query(
        description="as the book stood then: an instant or a day, which is its start in `tz`. Without what "
        "was recorded, corrected or priced anew since; ranges by name end then"
    ),
]


async def moment_of(
    connection: TenantConnection, as_of: str | None, calendar: TenantCalendar
) -> tuple[Moment | None, datetime | None]:
    """The moment that answers, of which the transaction tells from here on, and the instant that was asked
    for; None = as the book stands. Raises HttpRefusal (422)."""
    at = instant_of(AS_OF, as_of, calendar.zone)
    if at is None:
        return None, None
    try:
        return await read_moment(connection, at), at
    except NotRemembered as unknown:
        if unknown.since is None or unknown.until is None:
            raise invalid(AS_OF, "cannot be answered yet: the ledger has remembered no moment") from unknown
        raise invalid(
            AS_OF,
            f"is known from {unknown.since.isoformat()} to {unknown.until.isoformat()}: before it nobody "
            "wrote down what the book held when, and after it something may still be recorded",
        ) from unknown


def refusal_of(much: TooManyEntries) -> HttpRefusal:
    """422, with what can be asked instead."""
    return invalid(
        AS_OF,
        f"lies among over {ENTRIES_MAX:,} events of its quarter of an hour, which would be read one by one: "
        f"ask for its start or its end, {much.start:%Y-%m-%dT%H:%MZ} or {much.end:%Y-%m-%dT%H:%MZ}",
    )
