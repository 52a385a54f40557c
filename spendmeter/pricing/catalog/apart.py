"""Reads a price file in a process of its own: `python -m spendmeter.pricing.catalog.apart NAME INSTANT`, the
file on stdin, what was read on stdout. `spendmeter/platform/bounded_process.py` runs it with bounds."""

import sys
from datetime import datetime

import msgspec
from msgspec import Struct

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError


class ReadApart(Struct, frozen=True, kw_only=True):
    """What a price file says, or why it is refused."""

    entries: list[CatalogEntry] = []
    not_taken: dict[str, tuple[str, ...]] = {}
    refused: str = ""


def read_apart(name: str, raw: bytes, recorded_at: datetime) -> ReadApart:
    """All of the file, or why none of it."""
    not_taken: dict[str, tuple[str, ...]] = {}
    try:
        entries = read_prices(name, raw, recorded_at=recorded_at, not_taken=not_taken)
    except CatalogError as error:
        return ReadApart(refused=str(error)[:1000])
    return ReadApart(entries=entries, not_taken=not_taken)


decode_read = msgspec.json.Decoder(ReadApart).decode

if __name__ == "__main__":
    said = read_apart(sys.argv[1], sys.stdin.buffer.read(), datetime.fromisoformat(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(said))
