"""What it means that Postgres refuses a booking: bad data, a book that moved on, a schema that does not fit.

Only bad data may cost an event its place in the book, so only what is named here counts as that. Everything
else is the same for every event, and rejecting events for it would lose honest money.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import msgspec

from services.ledger.unbooked import BadRecord

BAD_DATA_CHECKS = frozenset(
    {"entries_list_check", "entries_contracted_check", "entries_effective_check", "entries_status_check"}
)
"""The CHECKs on what a record itself says. A test holds the list against the schema."""

DATA_ERRORS = (asyncpg.DataError, BadRecord, msgspec.ValidationError, UnicodeError, ArithmeticError)
"""The database, or its driver on the way there, cannot hold a value."""


class BadData(Exception):
    """Some record of the batch can never be booked; the text is the kind of error, never the value."""


@contextmanager
def raising_bad_data() -> Iterator[None]:
    """Raises BadData for what is wrong with a record; every other error passes through."""
    try:
        yield
    except DATA_ERRORS as error:
        raise BadData(type(error).__name__) from error
    except asyncpg.CheckViolationError as error:
        if error.constraint_name in BAD_DATA_CHECKS:
            raise BadData(type(error).__name__) from error
        raise


def standstill_reason(partition: int, error: asyncpg.IntegrityConstraintViolationError) -> str:
    """The reason to show while a refusal lasts that no record is to blame for."""
    if isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name:
        # Postgres reports a missing partition as a CHECK without a name; its message holds names alone.
        return f"partition {partition}: {error.args[0]}; spendmeter migrate makes it, and the line goes on"
    if isinstance(error, asyncpg.UniqueViolationError):
        return (
            f"partition {partition}: the book already holds a row that is about to be booked "
            f"({error.constraint_name} of {error.table_name}); nothing is booked until that is cleared up"
        )
    return (
        f"partition {partition}: the schema refuses what this ledger writes "
        f"({error.constraint_name or type(error).__name__} of {error.table_name}); nothing is booked"
    )
