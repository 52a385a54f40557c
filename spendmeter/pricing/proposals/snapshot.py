"""The catalog at one version, as a proposed change finds it: what is in force, about what, for whom."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from spendmeter.contracts import catalog
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.entry_ids import published
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.visibility import Viewer, viewer

_SUBJECT_FIELDS: dict[type, tuple[str, ...]] = {
    catalog.Price: ("layer", "tenant", "contract", "provider", "sku"),
    catalog.Adjustment: ("layer", "tenant", "contract", "provider", "name"),
    catalog.PeriodTerm: ("layer", "tenant", "contract", "provider", "effect"),
    catalog.Model: ("provider", "sku"),
    catalog.Provider: ("provider",),
    catalog.Alias: ("provider", "name"),
    catalog.Spelling: ("provider", "of", "name"),
    catalog.NameRule: ("name",),
    catalog.UnitEntry: ("unit",),
    catalog.CalendarEntry: ("name",),
    catalog.TenantTerms: ("tenant", "effective_from"),
}
Subject = tuple[str, ...]


def subject_of(entry: CatalogEntry) -> Subject:
    """What an entry is about: a file that replaces takes the place of all that is in force about the same.
    Its id alone where nothing else could take its place."""
    fields = _SUBJECT_FIELDS.get(type(entry))
    if fields is None:
        return (entry.id,)
    return (type(entry).__name__, *(str(getattr(entry, field)).lower() for field in fields))


@dataclass(frozen=True, kw_only=True)
class CatalogSnapshot:
    """Everything recorded up to `version`, by id; `book` is the newest publication that could be compiled."""

    version: int
    entries: Mapping[str, CatalogEntry]
    book: PriceBook

    @cached_property
    def withdrawn_by(self) -> Mapping[str, Sequence[str]]:
        """Every id, and by what it was withdrawn: nothing = it is in force."""
        found: dict[str, list[str]] = {key: [] for key in self.entries}
        for entry in self.entries.values():
            for key in entry.entries if isinstance(entry, catalog.Withdrawal) else ():
                found[key].append(entry.id)
        return found

    @cached_property
    def ids_about(self) -> Mapping[Subject, list[str]]:
        """The ids of what is in force about a subject."""
        found: dict[Subject, list[str]] = defaultdict(list)
        for key, entry in self.entries.items():
            if not self.withdrawn_by[key]:
                found[subject_of(entry)].append(key)
        return found

    def with_added(self, added: Iterable[CatalogEntry]) -> list[CatalogEntry]:
        """The entries of the next publication."""
        return [*self.entries.values(), *(published(entry, self.version + 1) for entry in added)]

    def viewer(self, tenant: str) -> Viewer:
        """What a tenant, or EVERYBODY, may see of it."""
        return viewer(tenant, self.book.agreement(tenant).stated)
