"""What a price file adds to the catalog and takes the place of, and who may state and withdraw what: a tenant
its own prices, an operator everything."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from spendmeter.contracts.catalog import (
    Adjustment,
    CatalogEntry,
    Model,
    PeriodTerm,
    Price,
    TenantTerms,
    Withdrawal,
)
from spendmeter.contracts.entry_ids import identified, with_free_revision
from spendmeter.pricing.catalog.overlay import is_heading
from spendmeter.pricing.checks import EVERYBODYS
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot, subject_of
from spendmeter.pricing.visibility import EVERYBODY


class NothingNew(CatalogError):
    """All that a file states is in force already."""


def additions(
    snapshot: CatalogSnapshot,
    stated: Sequence[CatalogEntry],
    *,
    as_tenant: str,
    withdraw: Collection[str] = (),
    replaces: bool = False,
    source: str,
    now: datetime,
) -> list[CatalogEntry]:
    """The entries that are not in force yet, and one withdrawal of all that ends with them, for a tenant or
    for EVERYBODY. `replaces`: what else is in force about the same ends. Raises CatalogError."""
    withdrawals = [entry for entry in stated if isinstance(entry, Withdrawal)]
    ending = {*withdraw, *(key for entry in withdrawals for key in entry.entries)}
    kept = [
        entry
        for entry in stated
        if not isinstance(entry, Withdrawal) and not _is_heading(entry, snapshot, as_tenant)
    ]
    for entry in kept:
        _check_may_state(entry, as_tenant, snapshot.book)
    fresh = {entry.id: entry for entry in (with_free_revision(each, snapshot.withdrawn_by) for each in kept)}
    if replaces:
        about = {key for entry in kept for key in snapshot.ids_about.get(subject_of(entry), ())}
        ending |= about - fresh.keys()
    for key in sorted(ending):
        _check_may_withdraw(snapshot, key, as_tenant)
    new: list[CatalogEntry] = [entry for key, entry in fresh.items() if key not in snapshot.entries]
    _check_one_of_terms(snapshot, new, ending)
    if ending:
        tenant = "" if as_tenant == EVERYBODY else as_tenant
        withdrawal = Withdrawal(entries=tuple(sorted(ending)), tenant=tenant, source=source, recorded_at=now)
        new.append(identified(withdrawal))
    if not new:
        if fresh:
            raise NothingNew("nothing is new: all of it is in force already")
        raise CatalogError("states nothing")
    return new


def _is_heading(entry: CatalogEntry, snapshot: CatalogSnapshot, as_tenant: str) -> bool:
    """Whether it is a model that says no more than its name, above a table of its prices: nothing to record,
    except for the first that everybody hears of it."""
    return (
        isinstance(entry, Model)
        and is_heading(entry)
        and (as_tenant != EVERYBODY or subject_of(entry) in snapshot.ids_about)
    )


def _check_may_state(entry: CatalogEntry, as_tenant: str, book: PriceBook) -> None:
    """Raises CatalogError for an entry that is not the tenant's to state."""
    if as_tenant == EVERYBODY:
        return
    kind = type(entry).__name__.removesuffix("Entry").lower()
    if not isinstance(entry, Price | Adjustment | PeriodTerm):
        raise CatalogError(f"a {kind} is everybody's: an operator proposes it, not tenant {as_tenant}")
    if entry.tenant != as_tenant or entry.layer in EVERYBODYS:
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
    model = book.meaning("", price.provider, price.sku).model
    if model and model.owner != model.by == price.sku.lower():
        raise CatalogError(
            f"price of {price.provider}/{price.sku}: entries {price.id} and {model.entry} both claim the "
            f"name, which is an alias of {model.owner}: state the price of that"
        )


def _check_may_withdraw(snapshot: CatalogSnapshot, id: str, as_tenant: str) -> None:
    """Raises CatalogError for an entry that is not in force, or not the tenant's to withdraw; one of
    another tenant's is refused as if there were none."""
    entry = snapshot.entries.get(id)
    if entry is None or (as_tenant != EVERYBODY and entry.tenant not in ("", as_tenant)):
        raise CatalogError(f"there is no entry {id!r} to withdraw")
    if snapshot.withdrawn_by[id]:
        raise CatalogError(f"entry {id} is withdrawn already")
    if as_tenant not in (EVERYBODY, entry.tenant):
        raise CatalogError(f"entry {id} is everybody's: an operator withdraws it, not tenant {as_tenant}")


def _check_one_of_terms(
    snapshot: CatalogSnapshot, new: Iterable[CatalogEntry], ending: Collection[str]
) -> None:
    for entry in new:
        if isinstance(entry, TenantTerms):
            for key in snapshot.ids_about.get(subject_of(entry), ()):
                if key not in ending:
                    raise CatalogError(
                        f"tenant {entry.tenant} has terms already, entry {key} (`spendmeter catalog terms`): "
                        "state all that holds from now on, and replace"
                    )


def attributed(entries: Iterable[CatalogEntry], *, by: str, note: str, now: datetime) -> list[CatalogEntry]:
    """The entries, with who says so, why, and since when it is believed; their ids stay."""
    return [replace(entry, by=by, note=entry.note or note, recorded_at=now) for entry in entries]
