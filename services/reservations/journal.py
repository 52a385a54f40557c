"""What was let through while Postgres was away, on this machine's disk: synced before it is told."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from services.reservations.operations import Redeem


class JournalLine(Struct, frozen=True, kw_only=True):
    """One call that was let through."""

    tenant: str
    redeem: Redeem


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JournalLine).decode


class Journal:
    """A folder of one worker's: who it is, and what has yet to be redeemed. Raises OSError where it cannot be
    written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.worker = _worker(folder / "worker")
        self._path = folder / "journal"
        self.lines = _read(self._path)
        """What has yet to be redeemed."""

    def append(self, line: JournalLine) -> None:
        """Keep it; back when the disk has it."""
        with self._path.open("ab") as file:
            file.write(_encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.lines.append(line)

    def redeemed(self, line: JournalLine) -> None:
        """It lies in Postgres; once all do, the file is emptied."""
        self.lines.remove(line)
        if not self.lines:
            self._path.unlink(missing_ok=True)


def _worker(path: Path) -> UUID:
    if not path.exists():
        path.write_text(str(uuid4()))
    return UUID(path.read_text())


def _read(path: Path) -> list[JournalLine]:
    """What was written whole. A last line that is cut off was told to nobody, and is taken away: another one
    would be written behind it."""
    if not path.exists():
        return []
    *whole, rest = path.read_bytes().split(b"\n")
    if rest:
        with path.open("rb+") as file:
            file.truncate(path.stat().st_size - len(rest))
            os.fsync(file.fileno())
    return [_decode(line) for line in whole]
