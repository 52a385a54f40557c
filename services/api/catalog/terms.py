"""What is agreed with a tenant, through time."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.api.catalog.access import AnyAccess
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.terms import SINCE_EVER

router = APIRouter(tags=["catalog"], route_class=Negotiated)


class StatedTerms(BaseModel):
    """Terms as they were published; what is not named holds as if nothing were agreed. `effective_to`: null =
    until others begin."""

    model_config = ConfigDict(extra="allow")

    tenant: str
    state: Literal["now", "later", "past", "withdrawn"]
    effective_to: str | None


class TermsAnswer(BaseModel):
    """The terms in force in publication `version`, by tenant and instant from which they hold; with the
    history, those that were withdrawn too."""

    TABLES: ClassVar = ("terms",)

    version: int
    terms: list[StatedTerms]


@router.get("/v1/catalog/terms", responses=answers("terms"))
async def get_terms(
    access: AnyAccess, history: Annotated[bool, Query(description="with those that were withdrawn")] = False
) -> TermsAnswer:
    """What is agreed with a tenant, through time; with every tenant, for an operator who names none."""
    snapshot, now = await access.books.newest(), datetime.now(UTC)
    stated = [
        entry
        for entry in snapshot.entries.values()
        if isinstance(entry, TenantTerms) and access.caller.tenant in ("", entry.tenant)
    ]
    in_force = [entry for entry in stated if not snapshot.withdrawn_by[entry.id]]
    found = [_in_force(entry, in_force, now) for entry in in_force]
    if history:
        withdrawn = [entry for entry in stated if snapshot.withdrawn_by[entry.id]]
        found += [_answer(entry, effective_to=None, state="withdrawn") for entry in withdrawn]
    found.sort(key=lambda each: (str(each["tenant"]), str(each.get("effective_from") or ""), each["version"]))
    return TermsAnswer(version=snapshot.version, terms=[StatedTerms(**each) for each in found])


def _in_force(entry: TenantTerms, in_force: Iterable[TenantTerms], now: datetime) -> dict[str, Any]:
    """With the instant at which the tenant's next terms begin."""
    start = entry.effective_from or SINCE_EVER
    others = [each.effective_from for each in in_force if each.tenant == entry.tenant and each.effective_from]
    end = min((at for at in others if at > start), default=None)
    state = "later" if start > now else "past" if end and end <= now else "now"
    return _answer(entry, effective_to=end and msgspec.to_builtins(end), state=state)


def _answer(entry: TenantTerms, **more: Any) -> dict[str, Any]:
    return {**msgspec.to_builtins(entry), **more}
