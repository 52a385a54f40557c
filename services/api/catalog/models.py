"""Skus with their prices in force, and all that was ever recorded of one. Row-level security shows what is
everybody's and the caller's own."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, computed_field

from services.api.catalog.access import AnyAccess
from services.api.catalog.lines import EntryLine, entry_line
from services.api.catalog.opinions import Opinion, opinions_of
from services.api.catalog.sql import SQL
from services.api.database.transactions import TenantConnection
from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import CatalogEntry, Model, Price
from spendmeter.contracts.events import UsageData
from spendmeter.pricing.explain import naming
from spendmeter.pricing.plan import concerns
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.visibility import Viewer
from spendmeter.pricing.words import entry_in_words, in_words

router = APIRouter(tags=["catalog"], route_class=Negotiated)
Search = Annotated[Text, Query(max_length=256)]
ModelName = Annotated[Text, Query(min_length=1, max_length=256)]
EntryBody = Annotated[
    dict[str, Any], BeforeValidator(lambda body: msgspec.json.decode(body) if isinstance(body, str) else body)
]


class RecordedEntry(BaseModel):
    """An entry as it was published; `says`: a price in words, `conditions`: those of it that are stated.
    `version`: the publication that brought it; `withdrawn_*`: the one that took it out of force, null while
    it is in force."""

    LINE: ClassVar = EntryLine

    version: int
    recorded_at: datetime
    recorded_by: str
    entry: EntryBody
    withdrawn_version: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_why: str

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One."""
        return [entry_line(row)]

    @cached_property
    def decoded(self) -> Any:
        """The entry itself."""
        return msgspec.convert(self.entry, CatalogEntry)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def says(self) -> str:
        return entry_in_words(self.decoded)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def conditions(self) -> str:
        return in_words(self.decoded.when) if isinstance(self.decoded, Price) else ""


class Factor(BaseModel):
    """What a price of the model is multiplied by where the conditions, which `says` names, hold."""

    id: str
    name: str
    says: str
    source: str
    note: str


class CatalogModel(BaseModel):
    """A sku by its names, and what prices it at the asked instant."""

    LINE: ClassVar = EntryLine

    provider: str
    sku: str
    aliases: list[str]
    retired: bool
    prices: list[RecordedEntry]

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A line a price; one of a model without any."""
        model = {name: row[name] for name in ("provider", "sku", "retired")}
        return [{**model, **entry_line(price), **model} for price in row["prices"]] or [model]


class ModelPage(BaseModel):
    """In alphabetical order; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("models",)

    models: list[CatalogModel]
    next_cursor: str | None


class ModelHistory(CatalogModel):
    """With everything that was ever recorded of it, oldest first. `naming`: what the asked names mean, where
    they are not the catalog's own."""

    TABLES: ClassVar = ("history",)

    naming: list[str]
    history: list[RecordedEntry]
    factors: list[Factor] = Field(
        description="in force at the asked instant; of one name, that goes before which names the model"
    )
    opinions: list[Opinion] = Field(
        description="where other lists state another price than what everybody is charged now"
    )


@router.get("/v1/catalog/models", responses=answers("models"))
async def list_models(
    access: AnyAccess,
    q: Search = "",
    provider: Search = "",
    at: Annotated[AwareDatetime | None, Query(description="default: now")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> ModelPage:
    """Skus whose name or alias holds `q`, with the prices in force at an instant."""
    after = decode_cursor(cursor, tuple[str, str]) if cursor else ("", "")
    snapshot = await access.books.newest()
    viewer = snapshot.viewer(access.as_tenant)
    claim = snapshot.book.meaning(access.caller.tenant, provider, "").provider
    owner = claim.owner if claim else provider.lower()
    found: dict[Sku, list[RecordedEntry]] = {}
    async with access.reading() as connection:
        while len(found) <= limit:  # as long as what is hidden leaves a page unfilled
            skus = await connection.fetch(SQL["models"], q.lower(), *after, owner, limit + 1)
            if not skus:
                break
            after = tuple(skus[-1])
            shown = await _histories(connection, [tuple(row) for row in skus], viewer)
            found |= {sku: history for sku, history in shown.items() if history}
    page = list(found.items())[:limit]
    more = encode_cursor(page[-1][0]) if len(found) > limit else None
    at = at or datetime.now(UTC)
    return ModelPage(models=[_model(*sku, history, at) for sku, history in page], next_cursor=more)


@router.get("/v1/catalog/model", responses=answers("model", missing="nothing was ever recorded of it"))
async def get_model(
    access: AnyAccess, provider: ModelName, sku: ModelName, at: AwareDatetime | None = None
) -> ModelHistory:
    """One sku, by any of its names, with its whole history: what was stated and withdrawn, when, by whom and
    why."""
    snapshot, tenant = await access.books.newest(), access.caller.tenant
    meant = snapshot.book.meaning(tenant, provider, sku)
    asked = (provider.lower(), sku.lower())
    bounding = [near.sku for near in meant.bounds.near if near.unconfirmed]
    skus = [(meant.seller, meant.model.owner)] if meant.model else bounding
    skus.append(asked)
    async with access.reading() as connection:
        histories = await _histories(connection, skus, snapshot.viewer(access.as_tenant))
    found = next((each for each in skus if histories[each]), None)
    if found is None:
        raise not_found(f"there is no {provider}/{sku} in the catalog")
    used = UsageData(provider=provider, sku=sku, usage={})
    names = [] if meant.model and found == asked else list(naming(tenant, used, snapshot.book))
    at = at or datetime.now(UTC)
    shown = _model(*found, histories[found], at)
    factors = _factors(snapshot.book, snapshot.viewer(access.as_tenant), found, at)
    others = await opinions_of(snapshot, [found])
    return ModelHistory(
        **dict(shown), naming=names, history=histories[found], factors=factors, opinions=others
    )


async def _histories(
    connection: TenantConnection, skus: list[Sku], viewer: Viewer
) -> dict[Sku, list[RecordedEntry]]:
    """All that was recorded of each and may be seen."""
    providers, names = [sku[0] for sku in skus], [sku[1] for sku in skus]
    found: dict[Sku, list[RecordedEntry]] = {sku: [] for sku in skus}
    for row in await connection.fetch(SQL["history"], providers, names):
        recorded = RecordedEntry(**row)
        if viewer.may_see(recorded.decoded):
            found[row["provider"], row["sku"]].append(recorded)
    return found


def _factors(book: PriceBook, viewer: Viewer, sku: Sku, at: datetime) -> list[Factor]:
    seller, name = sku
    return [
        Factor(id=each.id, name=each.name, says=entry_in_words(each), source=each.source, note=each.note)
        for each in book.lists.adjustments_of(seller)
        if concerns(each, name) and each.when.in_force(at) and viewer.may_see(each)
    ]


def _model(provider: str, sku: str, history: Iterable[RecordedEntry], at: datetime) -> CatalogModel:
    in_force = [(row, row.decoded) for row in history if row.withdrawn_version is None]
    model = next((entry for _, entry in in_force if isinstance(entry, Model)), None)
    return CatalogModel(
        provider=provider,
        sku=sku,
        aliases=[*model.aliases, *model.match] if model else [],
        retired=model.retired if model else False,
        prices=[row for row, entry in in_force if isinstance(entry, Price) and entry.when.in_force(at)],
    )
