"""As whom a request reads or changes the catalog, and by which means: what its routes depend on."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.api.access.auth import Anyone, Caller
from services.api.catalog.price_books import PriceBooks
from services.api.database.transactions import Database, TenantConnection, database_of
from services.api.http.problems import forbidden
from spendmeter.pricing.visibility import EVERYBODY


@dataclass(frozen=True, kw_only=True)
class CatalogAccess:
    """A caller, and the process's books and database."""

    caller: Caller
    books: PriceBooks
    database: Database

    @property
    def as_tenant(self) -> str:
        """The tenant, or EVERYBODY for an operator who has chosen none."""
        return self.caller.tenant or EVERYBODY

    @property
    def key(self) -> str:
        """Who it is, as the catalog's history says."""
        return self.caller.by

    def reading(self) -> AbstractAsyncContextManager[TenantConnection]:
        """See Database.reading."""
        return self.database.reading(self.as_tenant)

    def writing(self) -> AbstractAsyncContextManager[TenantConnection]:
        """See Database.writing."""
        return self.database.writing(self.as_tenant, by=self.caller.by)


async def _access(request: Request, caller: Anyone) -> CatalogAccess:
    return CatalogAccess(caller=caller, books=request.app.state.price_books, database=database_of(request))


async def _access_to_change(access: Annotated[CatalogAccess, Depends(_access)]) -> CatalogAccess:
    if not access.caller.may("admin"):
        raise forbidden(f"{access.caller.by} lacks the scope admin, so it changes no price")
    return access


async def _access_to_propose(access: Annotated[CatalogAccess, Depends(_access)]) -> CatalogAccess:
    if not access.caller.may("govern"):
        raise forbidden(f"{access.caller.by} lacks the scope govern, so it proposes no price")
    return access


AnyAccess = Annotated[CatalogAccess, Depends(_access)]
"""Any key that may read."""
ProposingAccess = Annotated[CatalogAccess, Depends(_access_to_propose)]
"""A key that may propose prices of its tenant; somebody with admin approves them."""
AdminAccess = Annotated[CatalogAccess, Depends(_access_to_change)]
"""A key that may change its tenant's prices; an operator's that names no tenant, everybody's."""
