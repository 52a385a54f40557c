"""The catalog that Spendmeter ships: a snapshot of public model prices, and our own price files."""

from pathlib import Path

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.catalog.read import read_prices

PUBLIC = Path(__file__).with_name("public.jsonl")
OWN = Path(__file__).with_name("own")
_MODEL = b'{"type":"model",'


def load_snapshot(*providers: str) -> list[CatalogEntry]:
    """Every shipped entry, with its id and without a version; ready to be published or to build a book.

    With `providers`, of the public prices only theirs: enough to price their models, and faster.
    """
    lines = PUBLIC.read_bytes().splitlines(keepends=True)
    if providers:
        theirs = tuple(_MODEL + f'"provider":"{provider}",'.encode() for provider in providers)
        lines = [line for line in lines if line.startswith(theirs) or not line.startswith(_MODEL)]
    files = [
        (PUBLIC.name, b"".join(lines)),
        *((path.name, path.read_bytes()) for path in sorted(OWN.iterdir())),
    ]
    return [entry for name, raw in files for entry in read_prices(name, raw)]
