"""Names of models that mean something else from one version of the catalog to the next. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from spendmeter.contracts.catalog import CatalogEntry, Model, Withdrawal


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
