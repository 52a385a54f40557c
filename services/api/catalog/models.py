"""The catalog as people read it: skus with their prices in force, all that was ever recorded of one, and what
changed between two publications. Row-level security shows what is everybody's and the caller's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, computed_field

from services.api.access.auth import Anyone
from services.api.catalog.book import EVERYBODY, Hidden, catalog_of, hidden_from, visible
from services.api.catalog.left_out import LeftOut, left_out
from services.api.catalog.publisher import SQL
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import (
    CatalogEntry,
    Model,
    Price,
    TenantTerms,
    decode_catalog,
)
from spendmeter.contracts.events import UsageData
from spendmeter.contracts.terms import SINCE_EVER
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.explain import in_words, naming, says
from spendmeter.pricing.review import changes, consensus, told

CHANGES_MAX = 10_000
CONSENSUS_PATH = "/v1/catalog/consensus"

router = APIRouter(tags=["catalog"], route_class=Negotiated)
Search = Annotated[Text, Query(max_length=256)]
ModelName = Annotated[Text, Query(min_length=1, max_length=256)]
Body = Annotated[
    dict[str, Any], BeforeValidator(lambda body: msgspec.json.decode(body) if isinstance(body, str) else body)
]


class Recorded(BaseModel):
    """An entry as it was published; `says`: a price in words, `conditions`: those of it that are stated.
    `version`: the publication that brought it; `withdrawn_*`: the one that took it out of force, null while
    it is in force."""

    version: int
    recorded_at: datetime
    recorded_by: str
    entry: Body
    withdrawn_version: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_why: str

    @cached_property
    def stated(self) -> Any:
        """The entry itself."""
        return msgspec.convert(self.entry, CatalogEntry)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def says(self) -> str:
        return says(self.stated)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def conditions(self) -> str:
        return in_words(self.stated.when) if isinstance(self.stated, Price) else ""


class CatalogModel(BaseModel):
    """A sku by its names, and what prices it at the asked instant."""

    provider: str
    sku: str
    aliases: list[str]
    retired: bool
    prices: list[Recorded]


class Models(BaseModel):
    """In alphabetical order; `next_cursor` is null on the last page."""

    models: list[CatalogModel]
    next_cursor: str | None


class ModelHistory(CatalogModel):
    """With everything that was ever recorded of it, oldest first. `naming`: what the asked names mean, where
    they are not the catalog's own."""

    naming: list[str]
    history: list[Recorded]


class PriceChanges(BaseModel):
    """What changed after publication `since` and up to `until`; at most 10,000 are listed."""

    since: int
    until: int
    changes_total: int
    changes: list[dict[str, Any]]


class Terms(BaseModel):
    """The terms in force in publication `version`, by tenant and instant from which they hold; each with
    `effective_to` (null = until others begin) and `state`: now, later, past, or withdrawn in the history."""

    version: int
    terms: list[dict[str, Any]]


class Consensus(BaseModel):
    """Where another catalog states another price than publication `version`: `theirs` and `ours` (null =
    none) for `per` units. `models`: how many of theirs are known here; `only_theirs`: those that are not."""

    version: int
    models: int
    only_theirs: list[str]
    disagreements_total: int
    disagreements: list[dict[str, Any]]
    not_taken: list[LeftOut] = Field(description="fields of theirs that were not compared")


@router.get("/v1/catalog/models", responses=answers("models"))
async def list_models(
    request: Request,
    caller: Anyone,
    q: Search = "",
    provider: Search = "",
    at: Annotated[AwareDatetime | None, Query(description="default: now")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Models:
    """Skus whose name or alias holds `q`, with the prices in force at an instant."""
    after = decode_cursor(cursor, tuple[str, str]) if cursor else ("", "")
    acting = caller.tenant or EVERYBODY
    book = (await catalog_of(request).standing()).book
    hidden = hidden_from(acting, book)
    meant = book.meaning(caller.tenant, provider, "").provider
    provider = meant.owner if meant else provider.lower()
    found: dict[tuple[str, str], list[Recorded]] = {}
    async with database_of(request).reading(acting) as connection:
        while len(found) <= limit:  # as long as what is hidden leaves a page unfilled
            named = await connection.fetch(SQL["models"], q.lower(), *after, provider, limit + 1)
            if not named:
                break
            after = tuple(named[-1])
            shown = await _models(connection, [tuple(row) for row in named], hidden)
            found |= {name: rows for name, rows in shown.items() if rows}
    page = list(found.items())[:limit]
    more = encode_cursor(page[-1][0]) if len(found) > limit else None
    at = at or datetime.now(UTC)
    return Models(models=[_model(*name, rows, at) for name, rows in page], next_cursor=more)


@router.get("/v1/catalog/model", responses=answers("model", missing="nothing was ever recorded of it"))
async def get_model(
    request: Request, caller: Anyone, provider: ModelName, sku: ModelName, at: AwareDatetime | None = None
) -> ModelHistory:
    """One sku, by any of its names, with its whole history: what was stated and withdrawn, when, by whom and
    why."""
    acting = caller.tenant or EVERYBODY
    book = (await catalog_of(request).standing()).book
    _, model, seller = book.meaning(caller.tenant, provider, sku)
    asked = (provider.lower(), sku.lower())
    names = [*([(seller, model.owner)] if model else []), asked]
    async with database_of(request).reading(acting) as connection:
        found = await _models(connection, names, hidden_from(acting, book))
    name = next((name for name in names if found[name]), None)
    if name is None:
        raise not_found(f"there is no {provider}/{sku} in the catalog")
    meant = (
        naming(caller.tenant, UsageData(provider=provider, sku=sku, usage={}), book) if name != asked else ()
    )
    shown = _model(*name, found[name], at or datetime.now(UTC))
    return ModelHistory(**dict(shown), naming=list(meant), history=found[name])


@router.get("/v1/catalog/terms", responses=answers("terms"))
async def get_terms(
    request: Request,
    caller: Anyone,
    history: Annotated[bool, Query(description="with those that were withdrawn")] = False,
) -> Terms:
    """What is agreed with a tenant, through time; with every tenant, for an operator who names none."""
    standing, now = await catalog_of(request).standing(), datetime.now(UTC)
    stated = [
        entry
        for entry in standing.entries.values()
        if isinstance(entry, TenantTerms) and caller.tenant in ("", entry.tenant)
    ]
    in_force = [entry for entry in stated if not standing.withdrawn[entry.id]]
    found = [_terms(entry, in_force, now) for entry in in_force]
    if history:
        found += [
            msgspec.to_builtins(entry) | {"effective_to": None, "state": "withdrawn"}
            for entry in stated
            if standing.withdrawn[entry.id]
        ]
    found.sort(key=lambda each: (str(each["tenant"]), str(each.get("effective_from") or ""), each["version"]))
    return Terms(version=standing.version, terms=found)


def _terms(entry: TenantTerms, in_force: Iterable[TenantTerms], now: datetime) -> dict[str, Any]:
    """Terms in force, with the instant at which the tenant's next ones begin."""
    start = entry.effective_from or SINCE_EVER
    later = [each.effective_from for each in in_force if each.tenant == entry.tenant and each.effective_from]
    end = min((at for at in later if at > start), default=None)
    state = "later" if start > now else "past" if end and end <= now else "now"
    said: dict[str, Any] = msgspec.to_builtins(entry)
    return said | {"effective_to": end and msgspec.to_builtins(end), "state": state}


@router.get("/v1/catalog/changes", responses=answers("price_changes"))
async def get_changes(
    request: Request,
    caller: Anyone,
    since: Annotated[str, Query(alias="from", description="a version, or an instant with its zone")],
    until: Annotated[str, Query(alias="to", description="default: now")] = "",
) -> PriceChanges:
    """The price-change report between two publications, or two instants."""
    acting = caller.tenant or EVERYBODY
    standing = await catalog_of(request).standing()
    hidden = hidden_from(acting, standing.book)
    async with database_of(request).reading(acting) as connection:
        first = await _version(connection, "from", since)
        last = await _version(connection, "to", until or datetime.now(UTC).isoformat())
        if first > standing.version:
            raise invalid("from", f"is version {first}, and the newest is {standing.version}")
        if first > last:
            raise invalid("to", f"is version {last}, which comes before {first}")
        rows = await connection.fetch(SQL["visible"], last)

    def compare() -> PriceChanges:
        after = visible((decode_catalog(row["body"]) for row in rows), hidden)
        before = [entry for entry in after if entry.version <= first]
        found = changes(before, after)
        shown = [told(change) for change in found[:CHANGES_MAX]]
        return PriceChanges(since=first, until=last, changes_total=len(found), changes=shown)

    return await asyncio.to_thread(compare)


@router.post(
    CONSENSUS_PATH,
    responses=answers("consensus"),
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def compare_with(
    request: Request,
    caller: Anyone,
    name: Annotated[
        Text, Query(min_length=1, max_length=200, description="the file's name, as litellm.json")
    ],
) -> Consensus:
    """The consensus report: where another source's prices and the catalog's differ. The body is the source's
    file, of any kind that can be proposed; nothing is recorded."""
    acting, raw = caller.tenant or EVERYBODY, await request.body()
    standing = await catalog_of(request).standing()

    def compare() -> Consensus:
        now, book = datetime.now(UTC), standing.book
        ours = visible(standing.entries.values(), hidden_from(acting, book))
        not_taken: dict[str, tuple[str, ...]] = {}
        try:
            theirs = read_prices(name, raw, recorded_at=now, units=book.parents.keys(), not_taken=not_taken)
            found = consensus(ours, {name: theirs})
        except CatalogError as error:
            raise HttpRefusal(422, "Refused", str(error)) from None
        stated = sorted({(each.provider, each.sku) for each in theirs if isinstance(each, Price)})
        alone = [
            f"{provider}/{sku}" for provider, sku in stated if not book.meaning(acting, provider, sku).model
        ]
        return Consensus(
            version=standing.version,
            models=len(stated) - len(alone),
            only_theirs=alone,
            disagreements_total=len(found),
            disagreements=[told(each) for each in found[:CHANGES_MAX]],
            not_taken=left_out(not_taken),
        )

    return await asyncio.to_thread(compare)


async def _version(connection: TenantConnection, field: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise invalid(field, "is a version, as 12, or an instant, as 2026-11-01T00:00:00Z")
    return int(await connection.fetchval(SQL["version_at"], at))


async def _models(
    connection: TenantConnection, names: list[tuple[str, str]], hidden: Hidden
) -> dict[tuple[str, str], list[Recorded]]:
    rows = await connection.fetch(SQL["history"], [name[0] for name in names], [name[1] for name in names])
    found: dict[tuple[str, str], list[Recorded]] = {name: [] for name in names}
    for row in rows:
        recorded = Recorded(**row)
        if not hidden(recorded.stated):
            found[row["provider"], row["sku"]].append(recorded)
    return found


def _model(provider: str, sku: str, rows: Iterable[Recorded], at: datetime) -> CatalogModel:
    standing = [(row, row.stated) for row in rows if row.withdrawn_version is None]
    named = next((entry for _, entry in standing if isinstance(entry, Model)), None)
    return CatalogModel(
        provider=provider,
        sku=sku,
        aliases=[*named.aliases, *named.match] if named else [],
        retired=named.retired if named else False,
        prices=[row for row, entry in standing if isinstance(entry, Price) and entry.when.in_force(at)],
    )
