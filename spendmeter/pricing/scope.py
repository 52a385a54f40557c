"""For whom prices are: everybody, the tenants that have a contract, one tenant alone."""

from typing import NamedTuple

from spendmeter.contracts.catalog import LAYERS, PeriodTerm, PriceEntry


class Audience(NamedTuple):
    """How near to a tenant an entry is; the greater wins, part by part in this order."""

    layer: int
    """Its place in LAYERS."""
    tenant: bool
    """Whether it is for this tenant alone."""
    contract: int
    """The earlier among the tenant's contracts, the greater; 0 = of none."""


_EVERYBODY = {layer: Audience(place, False, 0) for place, layer in enumerate(LAYERS)}


def is_everybodys(entry: PriceEntry | PeriodTerm) -> bool:
    """Whether it is neither for one tenant alone nor of a contract."""
    return not (entry.tenant or entry.contract)


class Scope:
    """The prices of one tenant: `tenant` ('' where no entry is for it alone), and its contracts, the first of
    them first."""

    __slots__ = ("contracts", "key", "tenant")

    def __init__(self, tenant: str = "", contracts: tuple[str, ...] = ()) -> None:
        self.tenant, self.contracts = tenant, contracts
        self.key = "\0".join((tenant, *contracts))

    def includes(self, entry: PriceEntry | PeriodTerm) -> bool:
        """Whether an entry is for this tenant, perhaps among others."""
        return entry.tenant in ("", self.tenant) and (not entry.contract or entry.contract in self.contracts)

    def audience(self, entry: PriceEntry | PeriodTerm) -> Audience | None:
        """How near to this tenant an entry is; None = it is not for this tenant."""
        everybody = _EVERYBODY[entry.layer]
        if is_everybodys(entry):
            return everybody
        if not self.includes(entry):
            return None
        place = self.contracts.index(entry.contract) if entry.contract else len(self.contracts)
        return everybody._replace(tenant=bool(entry.tenant), contract=len(self.contracts) - place)


ANYBODYS = Scope()
"""What is for everybody alone."""
