"""Who may see what of the catalog: the one rule, for its pages, reviews and refusals and for a receipt alike.

What is a tenant's own is nobody else's. Prices of a contract are stored for everybody, because several
tenants may have it: what they have negotiated is not for those who do not.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import CatalogEntry, TenantTerms, Withdrawal

EVERYBODY = "*"
"""In a tenant's place: an operator who has chosen none. It reads what is everybody's and every contract."""


class Viewer(Struct, frozen=True, kw_only=True):
    """Who looks: a tenant and all contracts that it has or had, or EVERYBODY."""

    tenant: str
    contracts: frozenset[str]

    def may_see(self, entry: CatalogEntry) -> bool:
        """Whether the entry is everybody's, or the viewer's own, and of no contract that it does not have."""
        if entry.tenant not in ("", self.tenant):
            return False
        contract = getattr(entry, "contract", "")
        return not contract or self.tenant == EVERYBODY or contract in self.contracts

    def visible(self, entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
        """Those that may be seen. A withdrawal names what is left of them: nobody learns of another's price
        by its end."""
        seen = {entry.id: entry for entry in entries if self.may_see(entry)}
        return [
            replace(entry, entries=tuple(key for key in entry.entries if key in seen))
            if isinstance(entry, Withdrawal)
            else entry
            for entry in seen.values()
        ]


def viewer(tenant: str, entries: Iterable[CatalogEntry]) -> Viewer:
    """The tenant, with the contracts that its terms among the entries name."""
    terms = [each for each in entries if isinstance(each, TenantTerms) and each.tenant == tenant]
    return Viewer(tenant=tenant, contracts=frozenset(name for each in terms for name in each.contracts))
