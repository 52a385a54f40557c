"""Where the corrector stands, and how nobody else stands there too.

Whatever the corrector writes begins with `move`: from the position and the number of the next entry that it
has read, to those after it. Where they are others by now, another corrector was at work, or we were and never
heard of it: nothing is written, and who asked looks again.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "fence.sql")


class Overtaken(Exception):
    """Somebody else has corrected meanwhile: look where the corrector stands."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The row of the table `corrector`."""

    topic: str
    """The id of `usage.corrections`."""
    position: int
    """The next offset of it."""
    next_entry: int
    """The number of the next entry: all that were ever written are counted, without gaps."""
    moves: int
    """How often it was moved: what is settled without an entry leaves the others as they were."""


async def read_standing(connection: Any, topic: str) -> Standing:
    """Where the corrector stands; on a first start at the beginning of `topic`."""
    row = await connection.fetchrow(SQL["standing"])
    if row is None:
        await connection.execute(SQL["first_start"], topic)
        row = await connection.fetchrow(SQL["standing"])
    return Standing(**row)


async def move(
    connection: Any,
    sought: Standing,
    *,
    position: int | None = None,
    entries: int = 0,
    accepted: int = 0,
    repeated: int = 0,
    strays: int = 0,
) -> Standing:
    """Go on, in the transaction that does what `position` (None = as it is) and `entries` more say. The row
    is locked until it ends. Raises Overtaken."""
    after = replace(
        sought,
        position=sought.position if position is None else position,
        next_entry=sought.next_entry + entries,
        moves=sought.moves + 1,
    )
    moved = await connection.execute(
        SQL["move"],
        *(sought.topic, sought.position, sought.next_entry, sought.moves),
        *(after.position, after.next_entry, accepted, repeated, strays),
    )
    if moved != "UPDATE 1":
        raise Overtaken
    return after
