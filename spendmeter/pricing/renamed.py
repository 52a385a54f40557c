"""Names of models that mean something else from one version of the catalog to the next. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.catalog import CatalogEntry, Model, Withdrawal
from spendmeter.pricing.price_book import PriceBook


class Renamed(NamedTuple):
    """A name (or a match) that means a model from now on, or no longer; the entry that says or said so."""

    name: str
    model: str
    entry: str
    gone: bool

    @property
    def says(self) -> str:
        return f"{self.name} {'no longer means' if self.gone else 'means'} {self.model}"


def renamed(before: Sequence[CatalogEntry], after: Sequence[CatalogEntry]) -> list[Renamed]:
    """What is taken away first, then what is new."""
    was, will = _names(before), _names(after)
    gone = sorted(was.keys() - will.keys())
    new = sorted(will.keys() - was.keys())
    return [Renamed(*each, was[each], True) for each in gone] + [
        Renamed(*each, will[each], False) for each in new
    ]


def _names(entries: Sequence[CatalogEntry]) -> dict[tuple[str, str], str]:
    gone = {key for entry in entries if isinstance(entry, Withdrawal) for key in entry.entries}
    return {
        (name, f"{model.provider}/{model.sku}"): model.id
        for model in entries
        if isinstance(model, Model) and model.id not in gone
        for name in (*model.aliases, *model.match)
    }


class Shifted(NamedTuple):
    """A name that was used, and that means another model by the book after than by the one before."""

    tenant: str
    provider: str
    sku: str
    was: str
    will: str

    @property
    def says(self) -> str:
        return f"{self.provider}/{self.sku} meant {self.was} and means {self.will} from now on"


def shifted(
    used: Iterable[tuple[str, str, str]], before: PriceBook, after: PriceBook, at: datetime
) -> list[Shifted]:
    """Of the names that were used (tenant, provider, sku), those of which an instant's price would be another
    model's. What was no known name, or no longer is one, is not among them: that is a price new or lost."""
    found, known = [], {}
    for tenant, provider, sku in used:
        key = (provider, sku, before.scope(tenant, at).key, after.scope(tenant, at).key)
        if key not in known:
            known[key] = [_model(book, tenant, provider, sku, at) for book in (before, after)]
        was, will = known[key]
        if was and will and was != will:
            found.append(Shifted(tenant, provider, sku, was, will))
    return found


def _model(book: PriceBook, tenant: str, provider: str, sku: str, at: datetime) -> str:
    meaning = book.meaning(tenant, provider, sku, at)
    return f"{meaning.seller}/{meaning.model.owner}" if meaning.model else ""
