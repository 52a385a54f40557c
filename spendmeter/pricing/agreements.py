"""What is agreed with a tenant through time: at each instant terms, and the scope of prices they give."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfoNotFoundError

from msgspec.structs import replace

from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.terms import NO_TERMS, SINCE_EVER, Terms, Timeline, terms_of
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.scope import Scope


class Agreement:
    """`Agreement(tenant, stated)`: of the tenant '' no price is for it alone. Raises CatalogError for a zone
    that is none."""

    __slots__ = ("_agreed", "_first", "_starts", "latest", "stated", "timeline")

    def __init__(self, tenant: str, stated: Sequence[TenantTerms]) -> None:
        self.stated = tuple(sorted(stated, key=_begins))
        agreed = list(self.stated)
        if not agreed or agreed[0].effective_from is not None:
            agreed.insert(0, NO_TERMS)
        self._agreed = [(terms, Scope(tenant, terms.contracts)) for terms in agreed]
        self._starts = [_begins(terms) for terms in agreed]
        self._first = self._agreed[0] if len(agreed) == 1 else None
        self.latest = self._agreed[-1][1]
        """The scope of the last terms."""
        self.timeline = Timeline([_dated(terms) for terms in self.stated])

    def at(self, time: datetime) -> tuple[TenantTerms, Scope]:
        """The terms at an instant, and their scope; nearly every tenant has one for all time."""
        return self._first or self._agreed[bisect_right(self._starts, time) - 1]

    def month(self, time: datetime) -> date:
        """The accounting period of usage at an instant."""
        return self.timeline.month(time)

    @property
    def contracts(self) -> frozenset[str]:
        """All that any of the terms names."""
        return frozenset(name for terms in self.stated for name in terms.contracts)

    @property
    def currencies(self) -> frozenset[str]:
        """All that the tenant's book was, is or will be in."""
        return frozenset(terms.currency for terms, _ in self._agreed)

    def with_contracts(self, tenant: str, contracts: tuple[str, ...]) -> Agreement:
        """The same, were these the contracts of all terms."""
        stated = self.stated or (replace(NO_TERMS, tenant=tenant),)
        return Agreement(self.latest.tenant, [replace(terms, contracts=contracts) for terms in stated])


def agreements(stated: Iterable[TenantTerms], priced: Collection[str] = ()) -> dict[str, Agreement]:
    """What is agreed with each tenant that states terms or has prices for it alone (`priced`)."""
    by_tenant: dict[str, list[TenantTerms]] = {tenant: [] for tenant in priced}
    for terms in stated:
        by_tenant.setdefault(terms.tenant, []).append(terms)
    return {
        tenant: Agreement(tenant if tenant in priced else "", terms) for tenant, terms in by_tenant.items()
    }


def _begins(terms: TenantTerms) -> datetime:
    return terms.effective_from or SINCE_EVER


def _dated(terms: TenantTerms) -> tuple[datetime | None, Terms]:
    try:
        return terms.effective_from, terms_of(terms)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CatalogError(f"entry {terms.id}: terms of {terms.tenant}: {error}") from None


ANYBODY = Agreement("", ())
"""What is agreed with a tenant that nothing mentions."""
