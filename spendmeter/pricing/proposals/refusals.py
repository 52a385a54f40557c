"""A refusal of a proposed change in words that its reader can act on."""

import re
from collections.abc import Iterable, Mapping

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.entry_ids import ENTRY_ID
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot, subject_of
from spendmeter.pricing.words import entry_in_words


def with_entries_named(
    error: CatalogError, snapshot: CatalogSnapshot, as_tenant: str, places: Mapping[str, str]
) -> CatalogError:
    """The error, with the place in the file (`places`, by id), or what it says, beside every entry that it
    names and that the tenant may see."""
    viewer = snapshot.viewer(as_tenant)

    def named(found: re.Match[str]) -> str:
        key = found[0]
        known = snapshot.entries.get(key)
        what = places.get(key, "")
        if not what and known and viewer.may_see(known):
            what = entry_in_words(known) or f"in version {known.version}"
        return f"{key} ({what})" if what else key

    return CatalogError(ENTRY_ID.sub(named, str(error)))


def replacing_helps(error: CatalogError, snapshot: CatalogSnapshot, stated: Iterable[CatalogEntry]) -> bool:
    """Whether what the error names is in force about the same as something stated."""
    in_the_way = {key for entry in stated for key in snapshot.ids_about.get(subject_of(entry), ())}
    return any(key in in_the_way for key in ENTRY_ID.findall(str(error)))
