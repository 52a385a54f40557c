"""The catalog that Spendmeter ships: a snapshot of public model prices with our corrections over it, our own
price files, and what one public list alone says."""

from pathlib import Path

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.catalog.corrections import shipped_corrections
from spendmeter.pricing.catalog.overlay import lay_over
from spendmeter.pricing.catalog.read import read_prices

PUBLIC = Path(__file__).with_name("public.jsonl")
UNCONFIRMED = Path(__file__).with_name("unconfirmed.jsonl")
OWN = Path(__file__).with_name("own")
_MODEL = b'{"type":"model",'
_PRICE = b'{"type":"price",'


def load_snapshot(*providers: str) -> list[CatalogEntry]:
    """Every shipped entry, with its id and without a version; ready to be published or to build a book.

    With `providers`, of the public prices only theirs: enough to price their models, and faster.
    """
    return [*load_confirmed(*providers), *load_unconfirmed(*providers)]


def load_confirmed(*providers: str) -> list[CatalogEntry]:
    """The same without what only bounds."""
    public = lay_over(load_public(*providers), shipped_corrections(*providers))
    return [*public, *load_own()]


def load_public(*providers: str) -> list[CatalogEntry]:
    """What the public catalog says, uncorrected."""
    return _read(PUBLIC, _MODEL, providers)


def load_unconfirmed(*providers: str) -> list[CatalogEntry]:
    """What one public list alone says of names that nothing above prices: it bounds, and prices nothing."""
    return _read(UNCONFIRMED, _PRICE, providers)


def _read(path: Path, table: bytes, providers: tuple[str, ...]) -> list[CatalogEntry]:
    """A file's entries; with `providers`, of the lines that begin with such a table theirs alone."""
    lines = path.read_bytes().splitlines(keepends=True)
    if providers:
        theirs = tuple(table + f'"provider":"{provider}",'.encode() for provider in providers)
        lines = [line for line in lines if line.startswith(theirs) or not line.startswith(table)]
    return read_prices(path.name, b"".join(lines))


def load_own() -> list[CatalogEntry]:
    """What public catalogs do not have."""
    return [entry for path in sorted(OWN.iterdir()) for entry in read_prices(path.name, path.read_bytes())]
