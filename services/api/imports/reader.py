"""What the api starts to read a bill (`python -m`, bounded): the file on standard input and how to read it
in; a line of JSON for each row out. Whatever is in the file, it happens to this process alone."""

import sys
from collections.abc import Iterator
from typing import IO

import msgspec
from msgspec import Struct

from services.api.imports.bill_files import FileError, PlacedRow, read_bill
from services.api.imports.focus import RULES
from services.api.imports.label_sources import label_sources
from services.api.imports.rows import BadRow, BilledRow, RowReader, SnapshotSeen

ROWS_MAX = 2_000_000
"""Of one import: which rows are alike is remembered, in some 150 bytes a row."""


class HowToRead(Struct, frozen=True, kw_only=True):
    """Of one file."""

    labels: tuple[str, ...] = ()
    """As people write them: LABEL=tag:KEY, LABEL=COLUMN."""
    rules: tuple[str, ...] = ()
    """The names of those in force, of `focus.RULES`."""


class NoBill(Struct, frozen=True, kw_only=True, tag="none"):
    """The file is none, or not to its end."""

    reason: str


ReadRow = BilledRow | BadRow | SnapshotSeen | NoBill
decode_row = msgspec.json.Decoder(ReadRow).decode
_encode = msgspec.json.Encoder().encode


def read(file: IO[bytes], how: HowToRead) -> Iterator[ReadRow]:
    """All that is said of the file's rows."""
    rows = RowReader(label_sources(how.labels), [rule for rule in RULES if rule.name in how.rules])
    try:
        for found in _bounded(read_bill(file)):
            if isinstance(found, BadRow):
                yield found
            else:
                yield from rows.read(*found)
    except FileError as error:
        yield NoBill(reason=str(error))


def _bounded(rows: Iterator[PlacedRow]) -> Iterator[PlacedRow]:
    for count, row in enumerate(rows):
        if count >= ROWS_MAX:
            raise FileError(f"has more than {ROWS_MAX:,} rows: import it in parts, by day or by account")
        yield row


def main() -> None:
    """From standard input and argument to standard output."""
    out = sys.stdout.buffer
    for row in read(sys.stdin.buffer, msgspec.json.decode(sys.argv[1], type=HowToRead)):
        out.write(_encode(row) + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
