"""Names of models that mean something else from one version of the catalog to the next. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.catalog import CatalogEntry, Model, Withdrawal
from spendmeter.pricing.meaning import Meaning
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
    """A name that was used, and that means another model by the book after than by the one before, or is only
    bounded by it."""

    tenant: str
    provider: str
    sku: str
    was: str
    will: str
    """In words: "means ...", or by what it is bounded."""

    @property
    def says(self) -> str:
        return f"{self.provider}/{self.sku} meant {self.was} and {self.will} from now on"


def shifted(
    used: Iterable[tuple[str, str, str]], before: PriceBook, after: PriceBook, at: datetime
) -> list[Shifted]:
    """Of the names that were used (tenant, provider, sku), those of which an instant's price would be another
    model's, or nobody's for sure. What was no known name, or leads to nothing now, is not among them: that is
    a price new or lost."""
    found, known = [], {}
    for tenant, provider, sku in used:
        key = (provider, sku, before.scope(tenant, at).key, after.scope(tenant, at).key)
        if key not in known:
            meant, means = (book.meaning(tenant, provider, sku, at) for book in (before, after))
            known[key] = _model(meant), _model(means), means.bounds.says
        was, will, bound = known[key]
        if was and was != will and (will or bound):
            found.append(Shifted(tenant, provider, sku, was, f"means {will}" if will else bound))
    return found


def _model(meaning: Meaning) -> str:
    return f"{meaning.seller}/{meaning.model.owner}" if meaning.model else ""
