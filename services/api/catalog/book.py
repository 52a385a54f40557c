"""The catalog as it stands, compiled, and what a proposal would add to it. Everything is checked here before
anything is recorded."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
from fastapi import Request

from services.api.catalog.publisher import SQL
from services.api.database.transactions import Database
from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    Model,
    PeriodTerm,
    Price,
    Provider,
    TenantTerms,
    UnitEntry,
    Withdrawal,
    decode_catalog,
)
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.platform.catalog_store import restated
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.telemetry import log
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.explain import says
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review import ENTRY_ID

Hidden = Callable[[CatalogEntry], bool]
"""Whether an entry may not be shown."""
EVERYBODY = "*"
"""What an operator acts for who has chosen no tenant: row-level security shows it what is everybody's."""
_NAMES: dict[type, tuple[str, ...]] = {
    Price: ("layer", "tenant", "contract", "provider", "sku"),
    Adjustment: ("layer", "tenant", "contract", "provider", "name"),
    PeriodTerm: ("layer", "tenant", "contract", "provider", "effect"),
    Model: ("provider", "sku"),
    Provider: ("provider",),
    UnitEntry: ("unit",),
    CalendarEntry: ("name",),
    TenantTerms: ("tenant", "effective_from"),
}
"""What entries are about: a file that replaces takes the place of all that is in force about the same."""


@dataclass(frozen=True)
class Standing:
    """Everything recorded up to `version`, by id; `book` is the newest publication that could be compiled."""

    version: int
    entries: Mapping[str, CatalogEntry]
    book: PriceBook

    @cached_property
    def withdrawn(self) -> Mapping[str, Sequence[str]]:
        """Every id, and by what it was withdrawn: nothing = it is in force."""
        found: dict[str, list[str]] = {key: [] for key in self.entries}
        for entry in self.entries.values():
            for key in entry.entries if isinstance(entry, Withdrawal) else ():
                found[key].append(entry.id)
        return found

    @cached_property
    def about(self) -> Mapping[tuple[Any, ...], list[str]]:
        """What is in force about a subject."""
        found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for key, entry in self.entries.items():
            if not self.withdrawn[key]:
                found[subject(entry)].append(key)
        return found

    def with_more(self, added: Iterable[CatalogEntry]) -> list[CatalogEntry]:
        """The entries of the next publication."""
        return [*self.entries.values(), *(published(entry, self.version + 1) for entry in added)]


class PriceBooks:
    """Follows Postgres: `standing` reads what is new. `recorded` wakes the publisher."""

    def __init__(self, database: Database) -> None:
        self.recorded = asyncio.Event()
        self._database = database
        self._standing = Standing(0, {}, PriceBook([]))
        self._lock = asyncio.Lock()

    async def standing(self) -> Standing:
        """As of the newest publication. Raises CONNECTION_ERRORS."""
        async with self._lock:
            async with self._database.reading(OPERATOR) as connection:
                newest = await connection.fetchrow(SQL["publication"])
                version = newest["version"] if newest else 0
                if version == self._standing.version:
                    return self._standing
                since = self._standing.version if version > self._standing.version else 0
                rows = await connection.fetch(SQL["entries"], since, version)
            known = self._standing.entries if since else {}
            self._standing = await asyncio.to_thread(_read, known, rows, version, self._standing.book)
            return self._standing


def _read(known: Mapping[str, CatalogEntry], rows: Sequence[Any], version: int, last: PriceBook) -> Standing:
    more = [decode_catalog(row["body"]) for row in rows]
    entries = {**known, **{entry.id: entry for entry in more}}
    try:
        return Standing(version, entries, PriceBook(entries.values(), version))
    except CatalogError as error:
        log().error("the newest publication is no price book", version=version, reason=str(error))
        return Standing(version, entries, last)


def catalog_of(request: Request) -> PriceBooks:
    """The process's."""
    catalog: PriceBooks = request.app.state.catalog
    return catalog


def subject(entry: CatalogEntry) -> tuple[Any, ...]:
    """What an entry is about; its id alone where nothing else could take its place."""
    names = _NAMES.get(type(entry))
    if names is None:
        return (entry.id,)
    return (type(entry).__name__, *(str(getattr(entry, name)).lower() for name in names))


def additions(
    standing: Standing,
    stated: Iterable[CatalogEntry],
    *,
    acting: str,
    withdraw: Collection[str] = (),
    replace: bool = False,
    source: str,
    now: datetime,
) -> list[CatalogEntry]:
    """What a file adds to what stands, for a tenant or for EVERYBODY: entries not in force yet, and one
    withdrawal of what it takes the place of. Raises CatalogError."""
    new: dict[str, CatalogEntry] = {}
    kept: set[str] = set()
    gone = set(withdraw)
    replaced: set[str] = set()
    for entry in stated:
        if isinstance(entry, Withdrawal):
            gone.update(entry.entries)
            continue
        if _says_only_its_name(entry) and (acting != EVERYBODY or subject(entry) in standing.about):
            continue  # the heading of a table of prices
        _may_state(entry, acting, standing.book)
        fresh = restated(entry, standing.withdrawn)
        kept.add(fresh.id)
        if fresh.id not in standing.entries:
            new[fresh.id] = fresh
        if replace:
            replaced.update(standing.about.get(subject(entry), ()))
    gone |= replaced - kept
    for key in sorted(gone):
        _may_withdraw(standing, key, acting)
    if gone:
        tenant = "" if acting == EVERYBODY else acting
        withdrawal = identified(
            Withdrawal(entries=tuple(sorted(gone)), tenant=tenant, source=source, recorded_at=now)
        )
        new[withdrawal.id] = withdrawal
    if not (new or kept or gone):
        raise CatalogError("states nothing")
    if not new:
        raise CatalogError("nothing is new: all of it is in force already")
    _one_of_terms(standing, new.values(), gone)
    return list(new.values())


def _one_of_terms(standing: Standing, new: Iterable[CatalogEntry], gone: Collection[str]) -> None:
    for entry in new:
        if isinstance(entry, TenantTerms):
            for key in standing.about.get(subject(entry), ()):
                if key not in gone:
                    raise CatalogError(
                        f"tenant {entry.tenant} has terms already, entry {key} (`spendmeter catalog terms`): "
                        "state all that holds from now on, and replace"
                    )


def located(error: CatalogError, standing: Standing, acting: str, places: Mapping[str, str]) -> CatalogError:
    """The error, with the place in the file, or what it says, beside every entry that it names and that
    `acting` may read."""
    hidden = hidden_from(acting, standing.book)

    def named(found: re.Match[str]) -> str:
        key = found[0]
        known = standing.entries.get(key)
        if known and hidden(known):
            known = None
        what = places.get(key) or (known and (says(known) or f"in version {known.version}"))
        return f"{key} ({what})" if what else key

    return CatalogError(ENTRY_ID.sub(named, str(error)))


def takes_the_place(error: CatalogError, standing: Standing, stated: Iterable[CatalogEntry]) -> bool:
    """Whether what the error names is in force about the same as something stated: replacing it helps."""
    about = {subject(entry) for entry in stated}
    return any(
        subject(standing.entries[key]) in about
        for key in ENTRY_ID.findall(str(error))
        if key in standing.entries and not standing.withdrawn[key]
    )


def _says_only_its_name(entry: CatalogEntry) -> bool:
    return isinstance(entry, Model) and not (
        entry.aliases or entry.match or entry.unless or entry.family or entry.retired
    )


def _may_state(entry: CatalogEntry, acting: str, book: PriceBook) -> None:
    if acting == EVERYBODY:
        return
    kind = type(entry).__name__.lower()
    if not isinstance(entry, Price | Adjustment | PeriodTerm):
        raise CatalogError(f"a {kind} is everybody's: an operator proposes it, not tenant {acting}")
    if entry.tenant != acting or entry.layer == "public":
        raise CatalogError(
            f"{kind} of {entry.provider}: tenant {acting} states prices of its own alone; write "
            f'tenant = "{acting}" and layer = "organisation" (or "contract")'
        )
    if entry.contract and entry.contract not in book.agreement(acting).contracts:
        raise CatalogError(
            f"{kind} of {entry.provider}: tenant {acting} has no contract {entry.contract!r}; an operator "
            "states a tenant's terms"
        )
    if isinstance(entry, Price):
        _, model, _ = book.meaning("", entry.provider, entry.sku)
        if model and model.owner != model.by == entry.sku.lower():
            raise CatalogError(
                f"price of {entry.provider}/{entry.sku}: entries {entry.id} and {model.entry} both claim the "
                f"name, which is an alias of {model.owner}: state the price of that"
            )


def _may_withdraw(standing: Standing, id: str, acting: str) -> None:
    entry = standing.entries.get(id)
    if entry is None or (acting != EVERYBODY and entry.tenant not in ("", acting)):
        raise CatalogError(f"there is no entry {id!r} to withdraw")
    if standing.withdrawn[id]:
        raise CatalogError(f"entry {id} is withdrawn already")
    if acting not in (EVERYBODY, entry.tenant):
        raise CatalogError(f"entry {id} is everybody's: an operator withdraws it, not tenant {acting}")


def hidden_from(acting: str, book: PriceBook) -> Hidden:
    """What is another tenant's, and of a contract that a tenant does not have: its prices are stored for
    everybody, and what another has negotiated is nobody else's to read. An operator reads every contract."""
    theirs = {"", *book.agreement(acting).contracts}

    def hidden(entry: CatalogEntry) -> bool:
        if entry.tenant not in ("", acting):
            return True
        return acting != EVERYBODY and getattr(entry, "contract", "") not in theirs

    return hidden


def visible(entries: Iterable[CatalogEntry], hidden: Hidden) -> list[CatalogEntry]:
    """What is not hidden: nobody learns another's prices from a comparison. Withdrawals name what is left."""
    seen = {entry.id: entry for entry in entries if not hidden(entry)}
    for entry in list(seen.values()):
        if isinstance(entry, Withdrawal):
            named = tuple(key for key in entry.entries if key in seen)
            seen[entry.id] = msgspec.structs.replace(entry, entries=named)
    return list(seen.values())


def signed(entries: Iterable[CatalogEntry], *, by: str, note: str, now: datetime) -> list[CatalogEntry]:
    """The entries, with who says so, why, and since when it is believed; their ids stay."""
    return [
        msgspec.structs.replace(entry, by=by, note=entry.note or note, recorded_at=now) for entry in entries
    ]
