"""Publications of the catalog: which is in force, what changed between two, and where another source states
other prices."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.api.catalog.access import AnyAccess
from services.api.catalog.lines import ChangeLine, change_line
from services.api.catalog.past_changes import PastChanges
from services.api.catalog.sql import SQL
from services.api.database.transactions import TenantConnection
from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import Price
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.not_taken import FieldNotTaken, fields_not_taken
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.changes import with_words
from spendmeter.pricing.review.consensus import consensus

CHANGES_MAX = 10_000
CONSENSUS_PATH = "/v1/catalog/consensus"

router = APIRouter(tags=["catalog"], route_class=Negotiated)


class PublicationAnswer(BaseModel):
    """The publication in force; `version` 0 = none yet."""

    version: int
    entries: int
    published_at: AwareDatetime | None
    note: str


class ChangedPrice(BaseModel):
    """A line of prices between two instants, which `when` says: what was believed and what will be, `before`
    and `after` as entries. `ratio`: after over before, where there is such a number."""

    model_config = ConfigDict(extra="allow")
    LINE: ClassVar = ChangeLine

    change: Literal["new", "changed", "withdrawn"]
    provider: str
    sku: str
    unit: str
    conditions: str

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One."""
        return [change_line(row)]


class PriceChanges(BaseModel):
    """What changed after publication `since` and up to `until`: what begins last comes first, and what holds
    from the beginning last; of one instant by provider, sku and unit. `changes_total`: of all pages."""

    TABLES: ClassVar = ("changes",)

    since: int
    until: int
    changes_total: int
    changes: list[ChangedPrice]
    next_cursor: str | None


class ConsensusReport(BaseModel):
    """Where another catalog states another price than publication `version`: `theirs` and `ours` (null =
    none) for `per` units. `models`: how many of theirs are known here; `only_theirs`: those that are not."""

    version: int
    models: int
    only_theirs: list[str]
    disagreements_total: int
    disagreements: list[dict[str, Any]]
    not_taken: list[FieldNotTaken] = Field(description="fields of theirs that were not compared")


@router.get("/v1/catalog/publication", responses=answers("publication"))
async def get_publication(access: AnyAccess) -> PublicationAnswer:
    """Which price catalog is in force."""
    async with access.database.reading("", share=access.caller.tenant) as connection:
        row = await connection.fetchrow(SQL["publication"])
    if row is None:
        return PublicationAnswer(version=0, entries=0, published_at=None, note="")
    return PublicationAnswer(**row)


@router.get("/v1/catalog/changes", responses=answers("price_changes"))
async def get_changes(
    request: Request,
    access: AnyAccess,
    since: Annotated[str, Query(alias="from", description="a version, or an instant with its zone")],
    until: Annotated[str, Query(alias="to", description="default: now")] = "",
    limit: Annotated[int, Query(ge=1, le=CHANGES_MAX)] = 100,
    cursor: str = "",
) -> PriceChanges:
    """The price-change report between two publications, or two instants."""
    past: PastChanges = request.app.state.past_changes
    place = decode_cursor(cursor, tuple[int, int, int, str, str]) if cursor else None
    if place:  # pages are of the versions that the first one compared
        first, last, skipped, *asked = place
        if asked != [since, until]:
            raise invalid("cursor", "was given out for other from and to: ask without it")
    else:
        async with access.reading() as connection:
            first, skipped = await _version(connection, "from", since), 0
            last = await _version(connection, "to", until or datetime.now(UTC).isoformat())
    snapshot = await access.books.newest()  # after these: of what they name nothing is missing
    if first > snapshot.version:
        raise invalid("from", f"is version {first}, and the newest is {snapshot.version}")
    if first > last:
        raise invalid("to", f"is version {last}, which comes before {first}")
    found = await past.between(snapshot, access.as_tenant, first, last)
    end = skipped + limit
    return PriceChanges(
        since=first,
        until=last,
        changes_total=len(found),
        changes=[ChangedPrice(**with_words(change)) for change in found[skipped:end]],
        next_cursor=encode_cursor((first, last, end, since, until)) if len(found) > end else None,
    )


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


@router.post(
    CONSENSUS_PATH,
    responses=answers("consensus"),
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def compare_with(
    request: Request,
    access: AnyAccess,
    name: Annotated[
        Text, Query(min_length=1, max_length=200, description="the file's name, as litellm.json")
    ],
) -> ConsensusReport:
    """The consensus report: where another source's prices and the catalog's differ. The body is the source's
    file, of any kind that can be proposed; nothing is recorded."""
    raw, snapshot = await request.body(), await access.books.newest()
    return await asyncio.to_thread(_consensus, snapshot, access.as_tenant, name, raw, datetime.now(UTC))


def _consensus(
    snapshot: CatalogSnapshot, as_tenant: str, name: str, raw: bytes, now: datetime
) -> ConsensusReport:
    book = snapshot.book
    not_taken: dict[str, tuple[str, ...]] = {}
    try:
        theirs = read_prices(name, raw, recorded_at=now, units=book.parents.keys(), not_taken=not_taken)
        ours = PriceBook(snapshot.viewer(as_tenant).visible(snapshot.entries.values()))
        found = consensus(ours, {name: theirs})
    except CatalogError as error:
        raise HttpRefusal(422, "Refused", str(error)) from None
    skus = sorted({(each.provider, each.sku) for each in theirs if isinstance(each, Price)})
    unknown = [
        f"{provider}/{sku}" for provider, sku in skus if not book.meaning(as_tenant, provider, sku).model
    ]
    return ConsensusReport(
        version=snapshot.version,
        models=len(skus) - len(unknown),
        only_theirs=unknown,
        disagreements_total=len(found),
        disagreements=[with_words(each) for each in found[:CHANGES_MAX]],
        not_taken=fields_not_taken(not_taken),
    )
