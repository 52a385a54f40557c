"""What bills speak of, and where they fall short of the days that are asked about. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from services.api.invoices.billed import InvoiceKind
from spendmeter.pricing.period_terms import midnight

_DAY = timedelta(days=1)
ACCOUNTS_NAMED_MAX = 10


class SpokenOf(NamedTuple):
    """A day of an account's bill in force, and when that came in."""

    day: date
    kind: InvoiceKind
    account: str
    imported_at: datetime


def shortfalls(spoken: Iterable[SpokenOf], days: tuple[date, date]) -> list[str]:
    """Why what was booked may be on no bill yet: a day that went on after its bill was made; an account
    without a bill of a day that others have one of."""
    costs = [each for each in spoken if each.kind != "usage" and days[0] <= each.day < days[1]]
    early = {each.day for each in costs if each.imported_at < midnight(each.day + _DAY)}
    notes = [
        f"{day} was not over when a bill of it was imported: what came later is told as unbilled, until it "
        "is imported anew"
        for day in sorted(early)
    ]
    of_account: dict[str, set[date]] = defaultdict(set)
    for each in costs:
        of_account[each.account].add(each.day)
    every = {each.day for each in costs}
    lacking = [(account, missing) for account, its in sorted(of_account.items()) if (missing := every - its)]
    notes += [
        f"account {account!r} has no bill of {len(missing):,} of these days, the first is {min(missing)}: "
        "what it used is told as unbilled"
        for account, missing in lacking[:ACCOUNTS_NAMED_MAX]
    ]
    if (more := len(lacking) - ACCOUNTS_NAMED_MAX) > 0:
        notes.append(f"and {more:,} more accounts have no bill of some of these days")
    return notes
