"""The catalog that Spendmeter ships: a snapshot of public model prices with our corrections over it, and our
own price files."""

from pathlib import Path

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.catalog.corrections import shipped_corrections
from spendmeter.pricing.catalog.overlay import lay_over
from spendmeter.pricing.catalog.read import read_prices

PUBLIC = Path(__file__).with_name("public.jsonl")
OWN = Path(__file__).with_name("own")
_MODEL = b'{"type":"model",'


def load_snapshot(*providers: str) -> list[CatalogEntry]:
    """Every shipped entry, with its id and without a version; ready to be published or to build a book.

    With `providers`, of the public prices only theirs: enough to price their models, and faster.
    """
    return [*lay_over(load_public(*providers), shipped_corrections(*providers)), *load_own()]


def load_public(*providers: str) -> list[CatalogEntry]:
    """What the public catalog says, uncorrected."""
    lines = PUBLIC.read_bytes().splitlines(keepends=True)
    if providers:
        theirs = tuple(_MODEL + f'"provider":"{provider}",'.encode() for provider in providers)
        lines = [line for line in lines if line.startswith(theirs) or not line.startswith(_MODEL)]
    return read_prices(PUBLIC.name, b"".join(lines))


def load_own() -> list[CatalogEntry]:
    """What public catalogs do not have."""
    return [entry for path in sorted(OWN.iterdir()) for entry in read_prices(path.name, path.read_bytes())]
