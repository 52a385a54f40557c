"""The projection `user_months`: what each person's events came to in a month of UTC. Pure.

A person is the pseudonym that events carry, another one in each month: nobody's year can be added up of
these. Those that one month has no room for share one name, which is nobody, and are left out.
"""

from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal

from msgspec import Struct

from spendmeter.book.entry import SUMS, BookEntry
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import FOLDED

_add = SUMS.add


class UserMonth(Struct, gc=False):
    """A row of the table `user_months`, or what is to be added to it."""

    tenant: str
    month: str
    """Its first day."""
    user: str
    currency: str
    events: int = 0
    effective: Decimal = ZERO
    of_which_provisional: Decimal = ZERO


class UserMonthFold:
    """`add` entries, in any order; `rows` are what they add to `user_months`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str, str], UserMonth] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            user = entry.stated.labels.user
            if not user or user == FOLDED:
                continue
            at = entry.occurred_at
            if at.tzinfo is not UTC:
                at = at.astimezone(UTC)
            key = (entry.tenant, at.year, at.month, user, entry.currency)
            row = self._found.get(key)
            if row is None:
                month = f"{at.year}-{at.month:02}-01"
                row = self._found[key] = UserMonth(entry.tenant, month, user, entry.currency)
            row.events += entry.sign
            row.effective = _add(row.effective, entry.effective)
            if entry.status == "provisional":
                row.of_which_provisional = _add(row.of_which_provisional, entry.effective)

    def rows(self) -> list[UserMonth]:
        """A row a person, month and currency."""
        return list(self._found.values())

    def __len__(self) -> int:
        return len(self._found)
