"""The catalog that Spendmeter ships: a snapshot of public model prices, and our own price files."""

from __future__ import annotations

from pathlib import Path

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.catalog.files import read_jsonl, read_toml

PUBLIC = Path(__file__).with_name("public.jsonl")
OWN = Path(__file__).with_name("own")


def load_snapshot(*providers: str) -> list[CatalogEntry]:
    """Every shipped entry, with its id and without a version; ready to be published or to build a book.

    With `providers`, of the public prices only theirs: enough to price their models, and faster.
    """
    own = [entry for path in sorted(OWN.glob("*.toml")) for entry in read_toml(path)]
    return read_jsonl(PUBLIC, providers) + own
