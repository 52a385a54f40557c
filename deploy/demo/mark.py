"""How far the story was told, in the system's data: what a demo that starts again goes on from."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import msgspec


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """`installation`: the id of the key that its tenants were made with. `first_day`: the first one of the
    demo, in UTC. `acts`: what people said already, by digest."""

    installation: str
    first_day: date
    told_until: datetime
    acts: tuple[str, ...] = ()


class MarkFile:
    """The mark on disk. One that is behind does no harm: what is told twice is booked once."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, installation: str) -> Mark | None:
        """None = the story was never begun in this database."""
        if not self._file.exists():
            return None
        mark = msgspec.json.decode(self._file.read_bytes(), type=Mark)
        return mark if mark.installation == installation else None

    def write(self, mark: Mark) -> None:
        partial = self._file.with_name(self._file.name + ".partial")
        with partial.open("wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)  # at once: a reader sees the old one or the new one
