"""`as_of`: as the book stood, said of a question, and what cannot be asked so."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

from services.api.database.transactions import TenantConnection
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.spans import TenantCalendar, instant_of
from spendmeter.book.as_of import (
    UNPROVED_MAX,
    EntriesUnread,
    NotProved,
    NotRemembered,
    StoodAt,
    read_moment,
)

AS_OF = "as_of"
TEAM_GRAIN = timedelta(minutes=1)
"""Of the proved mark, to who sees one team: the mark moves when anybody's usage is booked."""
AsOf = Annotated[
    str | None,
    Query(
        description="as the book stood then: an instant or a day, which is its start in `tz`. Without what "
        "was recorded, corrected or priced anew since; ranges by name end then. At most up to where the book "
        "is proved: 409 says where that is"
    ),
]


async def stood_at(
    connection: TenantConnection,
    as_of: str | None,
    calendar: TenantCalendar,
    team: str = "",
    page_of: datetime | None = None,
) -> StoodAt | None:
    """What answers, of which the transaction tells from here on; None = it is asked as the book stands.
    `team`: of whoever asks and sees no other. `page_of`: the instant that the page before was of, and so this
    one. Raises HttpRefusal (422, 409)."""
    at = instant_of(AS_OF, as_of, calendar.zone)
    if at is None:
        return None
    try:
        return await read_moment(connection, page_of or at, grain=TEAM_GRAIN if team else None)
    except NotRemembered as unknown:
        raise _not_remembered(unknown) from unknown
    except NotProved as unproved:
        raise _not_proved(unproved.until) from unproved


def told_of(stood: StoodAt | None, zone: ZoneInfo, team: str = "") -> dict[str, datetime | None]:
    """What an answer says of it, by the names of `AsItStood`. Who sees one team is told what they asked: when
    a moment was written says that somebody was at work."""
    if stood is None:
        return {"as_of": None, "proved_until": None}
    at = stood.at if team else stood.moment.at
    return {
        "as_of": at.astimezone(zone),
        "proved_until": stood.proved_until.astimezone(zone),
    }


def _not_remembered(unknown: NotRemembered) -> HttpRefusal:
    if unknown.since is None or unknown.until is None:
        return invalid(AS_OF, "cannot be answered yet: the ledger has remembered no moment")
    return invalid(
        AS_OF,
        f"is known from {unknown.since.isoformat()} to {unknown.until.isoformat()}: before it nobody "
        "wrote down what the book held when, and after it something may still be recorded",
    )


def _not_proved(until: datetime | None) -> HttpRefusal:
    if until is None:
        detail = (
            "as_of: nothing of this book is proved yet: is the reconciler running, and has it caught up? "
            "Without as_of you are told what is booked now"
        )
        return HttpRefusal(409, "Not proved", detail)
    detail = (
        f"as_of: the book is proved up to {until.isoformat()}, and over {UNPROVED_MAX.seconds} s after that "
        "nothing is told: ask for that instant, or again when the reconciler has come so far"
    )
    return HttpRefusal(409, "Not proved", detail, proved_until=until.isoformat())


def refusal_of(unread: EntriesUnread) -> HttpRefusal:
    """422, with what can be asked instead."""
    return invalid(
        AS_OF,
        f"lies among {unread.why}, of its quarter of an hour, which would be read one by one: ask for its "
        f"start or its end, {unread.start:%Y-%m-%dT%H:%MZ} or {unread.end:%Y-%m-%dT%H:%MZ}",
    )
