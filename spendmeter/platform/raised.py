"""An exception as logs and traces tell of it: of which kind, and where it was raised.

What it says may be what somebody sent: a driver quotes the value that it cannot send, Postgres the row that
it refuses, `int` the text that is none. So only those kinds keep their words that are about something else.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType

from aiokafka.errors import KafkaError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
WORDS_KEPT = (AttributeError, ImportError, KafkaError, NameError, OSError, RuntimeError, TypeError)


def told(exc_info: ExcInfo) -> str:
    """As Python tells of it, without such words: those before it, it, and those in it."""
    return "".join(_lines(exc_info[1], set())).rstrip("\n")


def kind_of(error: BaseException) -> str:
    """Its kind, with its module unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _lines(error: BaseException, told_of: set[int]) -> Iterator[str]:
    told_of.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told_of:
        yield from _lines(before, told_of)
        yield "\nAnd then:\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield kind_of(error) + (f": {error}" if isinstance(error, WORDS_KEPT) else "") + "\n"
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield "\nIn it:\n"
        yield from _lines(each, told_of)
