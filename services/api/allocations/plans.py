"""Plans: how a tenant hands shared cost on, set version by version. Nothing that is booked changes by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import msgspec
from fastapi import APIRouter, Request

from services.api.access.auth import Governing, Reader
from services.api.allocations.answering import pooled_costs, rows_of, trial_rows
from services.api.allocations.days import last_month, month_of
from services.api.allocations.models import (
    AllocationPlan,
    AllocationPlans,
    AllocationTrial,
    NewAllocationTrial,
    NewVersion,
    PlanVersion,
    PoolTerms,
)
from services.api.allocations.plan import CostPool, troubles_with
from services.api.allocations.reading import SQL, VERSIONS_MAX, hand_on, read_stretches, read_versions, unseen
from services.api.allocations.versions import PlanAct, standing
from services.api.database.remembered import BookedDays
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.openapi import answers
from services.api.http.problems import invalid_fields, not_found, too_many
from services.api.http.representation import Negotiated
from services.api.http.revisions import refuse_if_changed
from services.api.periods.reading import refuse_if_shut
from spendmeter.contracts.gate import as_booked

router = APIRouter(tags=["allocation"], route_class=Negotiated)
_ANY = [""]
"""No built-in dimension: asks for the tenant's own as well."""


@router.get("/v1/allocation-plans", responses=answers("allocation_plans"))
async def list_plans(request: Request, caller: Reader) -> AllocationPlans:
    """Every plan that was ever set, by the dimension to whose values it hands cost on."""
    async with database_of(request).reading(caller.tenant) as connection:
        found = await read_versions(connection, None)
        plans = [await _plan(connection, dimension, found[dimension]) for dimension in sorted(found)]
    return AllocationPlans(plans=plans)


@router.get(
    "/v1/allocation-plans/{dimension}", responses=answers("allocation_plan", missing="no such dimension")
)
async def get_plan(request: Request, caller: Reader, dimension: str) -> AllocationPlan:
    """One plan with all of its versions: who set which, from which day on, and why."""
    async with database_of(request).reading(caller.tenant) as connection:
        await checked_dimension(connection, dimension)
        versions = (await read_versions(connection, dimension)).get(dimension, [])
        return await _plan(connection, dimension, versions)


@router.put(
    "/v1/allocation-plans/{dimension}", responses=answers("allocation_plan", missing="no such dimension")
)
async def set_version(
    request: Request, caller: Governing, dimension: str, body: NewVersion
) -> AllocationPlan:
    """Set a plan from a day on. The version before ends there; those of later days stay. A day that is over
    may be named, of a period that is not closed: its cost is then shared out anew, and statements say by
    which revision."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        await refuse_if_shut(connection, body.first_day, "another plan")
        pools = await _checked(connection, dimension, body.pools)
        versions = (await read_versions(connection, dimension)).get(dimension, [])
        refuse_if_changed(body.revision, versions[0].revision if versions else 0)
        if len(versions) >= VERSIONS_MAX:
            raise too_many(f"versions of the plan of {dimension}", VERSIONS_MAX)
        said: Any = msgspec.to_builtins(pools)
        by = caller.by
        await connection.execute(SQL["act"], caller.tenant, dimension, body.first_day, said, body.reason, by)
        return await _plan(connection, dimension, (await read_versions(connection, dimension))[dimension])


@router.post(
    "/v1/allocation-plans/{dimension}/dry-run",
    responses=answers("allocation_trial", missing="no such dimension"),
)
async def try_plan(
    request: Request, caller: Reader, dimension: str, body: NewAllocationTrial
) -> AllocationTrial:
    """What a plan would have made of a month, held against what is in force there. Nothing is set."""
    now = datetime.now(UTC)
    kept: BookedDays = request.app.state.booked_days
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        pools = await _checked(connection, dimension, body.pools)
        tenant = await read_tenant(connection, caller.tenant)
        month = body.month or last_month(tenant, now)
        days = month_of(month, tenant, now)
        versions = (await read_versions(connection, dimension)).get(dimension, [])
        tried = PlanAct(0, date.min, pools, "", "", now)
        now_read = await read_stretches(connection, tenant, dimension, days, versions, kept)
        unknown = await unseen(connection, dimension, _named(pools))
        then_read = await read_stretches(connection, tenant, dimension, days, [tried], kept)
    before, after = await hand_on(now_read), await hand_on(then_read)
    rows = trial_rows(rows_of(before, tenant.currency), rows_of(after, tenant.currency))
    return AllocationTrial(
        dimension=dimension, month=month, rows=rows, pools=pooled_costs(after), unseen=unknown
    )


async def checked_dimension(connection: TenantConnection, dimension: str) -> Sequence[str]:
    """All of the tenant's. Raises HttpRefusal (404) where this is none."""
    known = await known_dimensions(connection, _ANY)
    if dimension not in known:
        raise not_found(f"{dimension[:64]!r} is not one of {', '.join(known)}")
    return known


async def _checked(
    connection: TenantConnection, dimension: str, terms: Sequence[PoolTerms]
) -> tuple[CostPool, ...]:
    """The pools, in the form in which labels are booked. Raises HttpRefusal (404, 422)."""
    known = await checked_dimension(connection, dimension)
    pools = tuple(_pool(each, dimension) for each in terms)
    if troubles := list(troubles_with(pools, known)):
        raise invalid_fields([{"field": field, "reason": reason} for field, reason in troubles])
    return pools


def _pool(terms: PoolTerms, dimension: str) -> CostPool:
    said = terms.model_dump(exclude_defaults=True)
    said["filter"] = _as_booked(terms.filter)
    if terms.driver is not None:
        said["driver"] = {"measure": terms.driver.measure, "filter": _as_booked(terms.driver.filter)}
    said["among"] = list(dict.fromkeys(as_booked(dimension, each) for each in terms.among))
    said["weights"] = {as_booked(dimension, name): weight for name, weight in terms.weights.items()}
    return msgspec.convert(said, CostPool)


def _as_booked(scope: dict[str, str]) -> dict[str, str]:
    return {name: as_booked(name, value) for name, value in scope.items()}


def _named(pools: Sequence[CostPool]) -> list[str]:
    return [name for pool in pools for name in (*pool.weights, *pool.among)]


async def _plan(connection: TenantConnection, dimension: str, versions: Sequence[PlanAct]) -> AllocationPlan:
    held = standing(versions)
    until = {version.revision: later.first_day for version, later in pairwise(held)}
    holding = {version.revision for version in held}
    named = _named(versions[0].pools) if versions else []
    return AllocationPlan(
        dimension=dimension,
        unseen=await unseen(connection, dimension, named),
        revision=versions[0].revision if versions else 0,
        versions=[
            PlanVersion(
                revision=each.revision,
                first_day=each.first_day,
                until=until.get(each.revision),
                holds=each.revision in holding,
                pools=[PoolTerms(**msgspec.to_builtins(pool)) for pool in each.pools],
                reason=each.reason,
                by=each.by,
                at=each.at,
            )
            for each in versions
        ],
    )
