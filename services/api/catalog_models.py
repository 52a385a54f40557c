"""The catalog as people read it: skus with their prices in force, all that was ever recorded of one, and what
changed between two publications. Row-level security shows what is everybody's and the caller's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator

from services.api.auth import Anyone
from services.api.catalog import SQL
from services.api.catalog_book import EVERYBODY, visible
from services.api.database import Connection, database_of
from services.api.openapi import answers
from services.api.problems import invalid, not_found
from services.api.question import Text, decode_cursor, encode_cursor
from spendmeter.contracts.catalog import (
    CatalogEntry,
    Conditions,
    Model,
    Price,
    decode_catalog,
)
from spendmeter.pricing.review import changes

CHANGES_MAX = 10_000

router = APIRouter(tags=["catalog"])
Search = Annotated[Text, Query(max_length=256)]
Body = Annotated[
    dict[str, Any], BeforeValidator(lambda body: msgspec.json.decode(body) if isinstance(body, str) else body)
]


class Recorded(BaseModel):
    """An entry as it was published; `version`: the publication that brought it. `withdrawn_*`: the one that
    took it out of force, null while it is in force."""

    version: int
    recorded_at: datetime
    recorded_by: str
    entry: Body
    withdrawn_version: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_why: str


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
    """With everything that was ever recorded of it, oldest first."""

    history: list[Recorded]


class PriceChanges(BaseModel):
    """What changed after publication `since` and up to `until`; at most 10,000 are listed."""

    since: int
    until: int
    changes_total: int
    changes: list[dict[str, Any]]


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
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        named = await connection.fetch(SQL["models"], q.lower(), *after, provider.lower(), limit + 1)
        found = await _models(connection, [tuple(row) for row in named[:limit]])
    more = encode_cursor(tuple(named[limit - 1])) if len(named) > limit else None
    at = at or datetime.now(UTC)
    return Models(models=[_model(*name, rows, at) for name, rows in found.items()], next_cursor=more)


@router.get("/v1/catalog/model", responses=answers("model", missing="nothing was ever recorded of it"))
async def get_model(
    request: Request, caller: Anyone, provider: Search, sku: Search, at: AwareDatetime | None = None
) -> ModelHistory:
    """One sku with its whole history: what was stated and withdrawn, when, by whom and why."""
    name = (provider.lower(), sku.lower())
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        rows = (await _models(connection, [name]))[name]
    if not rows:
        raise not_found(f"there is no {provider}/{sku} in the catalog")
    model = _model(*name, rows, at or datetime.now(UTC))
    return ModelHistory(**model.model_dump(), history=rows)


@router.get("/v1/catalog/changes", responses=answers("price_changes"))
async def get_changes(
    request: Request,
    caller: Anyone,
    since: Annotated[str, Query(alias="from", description="a version, or an instant with its zone")],
    until: Annotated[str, Query(alias="to", description="default: now")] = "",
) -> PriceChanges:
    """The price-change report between two publications, or two instants."""
    acting = caller.tenant or EVERYBODY
    async with database_of(request).reading(acting) as connection:
        first = await _version(connection, "from", since)
        last = await _version(connection, "to", until or datetime.now(UTC).isoformat())
        rows = await connection.fetch(SQL["visible"], max(first, last))

    def compare() -> PriceChanges:
        after = visible((decode_catalog(row["body"]) for row in rows), acting)
        before = [entry for entry in after if entry.version <= first]
        found = changes(before, after)
        shown = [msgspec.to_builtins(change) for change in found[:CHANGES_MAX]]
        return PriceChanges(since=first, until=last, changes_total=len(found), changes=shown)

    return await asyncio.to_thread(compare)


async def _version(connection: Connection, field: str, text: str) -> int:
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
    connection: Connection, names: list[tuple[str, str]]
) -> dict[tuple[str, str], list[Recorded]]:
    rows = await connection.fetch(SQL["history"], [name[0] for name in names], [name[1] for name in names])
    found: dict[tuple[str, str], list[Recorded]] = {name: [] for name in names}
    for row in rows:
        found[row["provider"], row["sku"]].append(Recorded(**row))
    return found


def _model(provider: str, sku: str, rows: Iterable[Recorded], at: datetime) -> CatalogModel:
    standing = [(row, _entry(row)) for row in rows if row.withdrawn_version is None]
    named = next((entry for _, entry in standing if isinstance(entry, Model)), None)
    return CatalogModel(
        provider=provider,
        sku=sku,
        aliases=[*named.aliases, *named.match] if named else [],
        retired=named.retired if named else False,
        prices=[row for row, entry in standing if isinstance(entry, Price) and _effective(entry.when, at)],
    )


def _entry(row: Recorded) -> Any:
    return msgspec.convert(row.entry, CatalogEntry)


def _effective(when: Conditions, at: datetime) -> bool:
    return (when.effective_from is None or when.effective_from <= at) and (
        when.effective_to is None or at < when.effective_to
    )
