"""Who may state and withdraw what: a tenant its own prices, an operator everything."""

from __future__ import annotations

from spendmeter.contracts.catalog import Adjustment, CatalogEntry, PeriodTerm, Price
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.visibility import EVERYBODY


def check_may_state(entry: CatalogEntry, as_tenant: str, book: PriceBook) -> None:
    """Raises CatalogError for an entry that is not the tenant's to state."""
    if as_tenant == EVERYBODY:
        return
    kind = type(entry).__name__.removesuffix("Entry").lower()
    if not isinstance(entry, Price | Adjustment | PeriodTerm):
        raise CatalogError(f"a {kind} is everybody's: an operator proposes it, not tenant {as_tenant}")
    if entry.tenant != as_tenant or entry.layer == "public":
        raise CatalogError(
            f"{kind} of {entry.provider}: tenant {as_tenant} states prices of its own alone; write "
            f'tenant = "{as_tenant}" and layer = "organisation" (or "contract")'
        )
    if entry.contract and entry.contract not in book.agreement(as_tenant).contracts:
        raise CatalogError(
            f"{kind} of {entry.provider}: tenant {as_tenant} has no contract {entry.contract!r}; an operator "
            "states a tenant's terms"
        )
    if isinstance(entry, Price):
        _check_is_no_alias(entry, book)


def _check_is_no_alias(price: Price, book: PriceBook) -> None:
    _, model, _ = book.meaning("", price.provider, price.sku)
    if model and model.owner != model.by == price.sku.lower():
        raise CatalogError(
            f"price of {price.provider}/{price.sku}: entries {price.id} and {model.entry} both claim the "
            f"name, which is an alias of {model.owner}: state the price of that"
        )


def check_may_withdraw(snapshot: CatalogSnapshot, id: str, as_tenant: str) -> None:
    """Raises CatalogError for an entry that is not in force, or not the tenant's to withdraw; one of
    another tenant's is refused as if there were none."""
    entry = snapshot.entries.get(id)
    if entry is None or (as_tenant != EVERYBODY and entry.tenant not in ("", as_tenant)):
        raise CatalogError(f"there is no entry {id!r} to withdraw")
    if snapshot.withdrawn_by[id]:
        raise CatalogError(f"entry {id} is withdrawn already")
    if as_tenant not in (EVERYBODY, entry.tenant):
        raise CatalogError(f"entry {id} is everybody's: an operator withdraws it, not tenant {as_tenant}")
