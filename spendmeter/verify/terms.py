"""In what a tenant counts, and in which month: the second reader of its terms, by the catalog alone. Pure.

Terms hold from their `effective_from` until the next ones begin; those that a withdrawal names hold never.
Before the first, and for who has stated none, it is US dollars and UTC. A month is that of the local day, and
where terms begin never an earlier one than the day with which the terms before ended.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from spendmeter.verify.usage import decode

TERMS, WITHDRAWAL = "spendmeter.catalog.tenant.v1", "spendmeter.catalog.withdrawal.v1"
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
NEWEST = 2**31
"""A version that no publication reaches: the columns are 32 bits wide."""


class TermsCalendar(NamedTuple):
    """What terms say of currency and calendar; an entry leaves out what is usual."""

    currency: str = "USD"
    zone: str = "UTC"
    first_weekday: int = 1
    fiscal_start_month: int = 1


class Stated(NamedTuple):
    """One entry of the catalog."""

    since: datetime
    calendar: TermsCalendar
    entry: str
    version: int


class Due(NamedTuple):
    """What an entry of usage in [start, end) must say."""

    start: datetime
    end: datetime
    currency: str
    month: date
    """The accounting period, as its first day."""


_NEVER = Due(END, BEGINNING, "", date.min)


class TermsHistory:
    """The terms of every tenant, about 1 kB each. `rows`: {id, version, type, body} of the catalog's entries
    of TERMS and WITHDRAWAL. Raises ValueError or KeyError for a body that is none."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._stated: dict[str, list[Stated]] = {}
        self._withdrawn: dict[str, int] = {}
        """In which version an entry was withdrawn first."""
        self._due: dict[str, Due] = {}
        """What was asked for last, by tenant: nearly every event is of the month of the one before."""
        for row in sorted(rows, key=lambda row: int(row["version"])):
            body = decode(row["body"])
            if row["type"] == WITHDRAWAL:
                for name in body["entries"]:
                    self._withdrawn.setdefault(name, row["version"])
            else:
                stated = Stated(_since(body), _calendar(body), row["id"], row["version"])
                self._stated.setdefault(body.get("tenant", ""), []).append(stated)

    def due(self, tenant: str, time: datetime) -> Due:
        """What holds by the newest publication. Raises ZoneInfoNotFoundError."""
        due = self._due.get(tenant, _NEVER)
        if not due.start <= time < due.end:
            due = self._due[tenant] = self.due_in(NEWEST, tenant, time)
        return due

    def due_in(self, version: int, tenant: str, time: datetime) -> Due:
        """What held by publication `version`. Raises ZoneInfoNotFoundError."""
        changes = [(BEGINNING, TermsCalendar())]
        for stated in self._in_force(version, tenant):
            if stated.since == BEGINNING:
                changes[0] = (BEGINNING, stated.calendar)
            elif stated.calendar != changes[-1][1]:
                changes.append((stated.since, stated.calendar))
        starts = [start for start, _ in changes]
        at = bisect_right(starts, time) - 1
        start, end = starts[at], starts[at + 1] if at + 1 < len(starts) else END
        calendar = changes[at][1]
        zone = ZoneInfo(calendar.zone)
        month = _month(time, zone)
        month_start, month_end = (_midnight(day, zone) for day in (month, _next(month)))
        if at:
            month = max(month, _month(start, ZoneInfo(changes[at - 1][1].zone)))
        return Due(max(start, month_start), min(end, month_end), calendar.currency, month)

    def _in_force(self, version: int, tenant: str) -> Sequence[Stated]:
        return sorted(
            stated
            for stated in self._stated.get(tenant, ())
            if stated.version <= version < self._withdrawn.get(stated.entry, NEWEST + 1)
        )

    def differences(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """(what is wrong, with which stretch) where the rows of `tenant_terms` are not what the catalog says;
        there, None as an instant = from the beginning, or until further notice."""
        said = {
            (row["tenant"], row["effective_from"] or BEGINNING): (
                row["effective_to"] or END,
                TermsCalendar(row["currency"], row["zone"], row["first_weekday"], row["fiscal_start_month"]),
                row["entry"],
                row["version"],
            )
            for row in rows
        }
        should = dict(self._stretches())
        for key in sorted(said.keys() | should.keys()):
            has, wanted = said.get(key), should.get(key)
            named = f"terms of tenant {key[0]!r} from {_instant_text(key[1])}"
            if has is None:
                yield "the catalog has them, tenant_terms has no row", named
            elif wanted is None:
                yield "tenant_terms has a row, the catalog has no such terms in force", named
            elif has != wanted:
                yield f"tenant_terms says {_describe(*has)}, the catalog {_describe(*wanted)}", named

    def _stretches(self) -> Iterator[tuple[tuple[str, datetime], tuple[datetime, TermsCalendar, str, int]]]:
        for tenant in self._stated:
            stated = self._in_force(NEWEST, tenant)
            ends = [*(later.since for later in stated[1:]), END]
            for each, end in zip(stated, ends, strict=True):
                yield (tenant, each.since), (end, each.calendar, each.entry, each.version)


def _since(body: Mapping[str, Any]) -> datetime:
    since = body.get("effective_from")
    return datetime.fromisoformat(since) if since else BEGINNING


def _calendar(body: Mapping[str, Any]) -> TermsCalendar:
    return TermsCalendar(
        body.get("currency", "USD"),
        body.get("time_zone", "UTC"),
        body.get("first_weekday", 1),
        body.get("fiscal_start_month", 1),
    )


def _month(time: datetime, zone: ZoneInfo) -> date:
    return time.astimezone(zone).date().replace(day=1)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _instant_text(instant: datetime) -> str:
    if instant in (BEGINNING, END):
        return "the beginning" if instant == BEGINNING else "further notice"
    return instant.isoformat()


def _describe(end: datetime, calendar: TermsCalendar, entry: str, version: int) -> str:
    return (
        f"{calendar.currency}, {calendar.zone}, weeks from day {calendar.first_weekday}, years from month "
        f"{calendar.fiscal_start_month}, until {_instant_text(end)} (entry {entry!r}, version {version})"
    )
