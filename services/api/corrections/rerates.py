"""Re-rates: booked events priced anew, first on a dry run, then in the book. The corrector does both."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Request, Response

from services.api.access.auth import Caller, Correcting, Reader
from services.api.corrections.asking import RERATE_SQL as SQL
from services.api.corrections.asking import author_of, corrector_of
from services.api.corrections.rerate_models import (
    JobState,
    ListedRerate,
    NewRerate,
    PassProgress,
    PassReport,
    RerateAnswer,
    RerateList,
)
from services.api.corrections.rerate_words import says
from services.api.database.transactions import TenantConnection, database_of
from services.api.events.within import Limit, asked_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from spendmeter.contracts.corrections import RerateApply, RerateCancel, RerateRequest, Selection
from spendmeter.contracts.events import Instant
from spendmeter.contracts.money import EXACT

PATH = "/v1/rerates"
UNDER_WAY_MAX = 20
"""Jobs of one tenant that are at work, or wait for it; dry runs that wait for a person do not count, nor what
the corrector has not come to yet: it takes whatever was accepted."""
DIFFERENCES_MAX = 500
LEFT_MAX = 100
RUNNING = frozenset({"sent", "previewing", "applying"})

router = APIRouter(tags=["rerates"], route_class=Negotiated)


_UNDER_WAY = {202: "it is under way; `Location` says how far"}


@router.post(PATH, responses=answers("rerate", also=_UNDER_WAY))
async def rerate(request: Request, response: Response, caller: Correcting, body: NewRerate) -> RerateAnswer:
    """Price booked events of the tenant anew. 200: the dry run (or with `apply` the change) is done; 202: it
    is under way, and `Location` says how far. 409 where too many of the tenant's are."""
    async with database_of(request).reading(caller.tenant) as connection:
        wanted = await _wanted(connection, caller, body)
        known = await connection.fetchrow(SQL["job"], wanted.id)
        if known is None:
            await _refuse_if_too_many(connection)
    if known is not None and not _is_asked_again(body, wanted, known):
        raise HttpRefusal(409, "Another one", f"re-rate {wanted.id} was sent before, and says something else")
    if known is None:
        corrector = corrector_of(request)
        await corrector.ask(wanted, corrector.previewed)
    return await _answered(request, response, caller, wanted.id, wanted)


@router.get(PATH, responses=answers("rerates"))
async def list_rerates(
    request: Request,
    caller: Reader,
    span: SpanParameters,
    state: JobState | None = None,
    limit: Limit = 50,
    cursor: str = "",
) -> RerateList:
    """Jobs that were asked for in `[from, to)`, newest first; without a range, of the last 400 days."""
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await asked_within(connection, caller.tenant, span)
        after = decode_cursor(cursor, tuple[Instant, str]) if cursor else (beyond, "")
        rows = await connection.fetch(SQL["jobs"], state or "", first, beyond, *after, limit + 1)
        passes = await _passes(connection, [row["rerate_id"] for row in rows])
    jobs = [_told(row, PassProgress, passes.get(row["rerate_id"], {})) for row in rows]
    found, more = page(ListedRerate, jobs, limit, lambda job: (job["requested_at"], job["rerate_id"]))
    return RerateList(rerates=found, next_cursor=more)


@router.get(f"{PATH}/{{id}}", responses=answers("rerate", missing="no such job"))
async def get_rerate(request: Request, caller: Reader, id: str) -> RerateAnswer:
    """One job: how far it is, what it changes by cause, by team and model, and what stays as it is."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _report(connection, await _job(connection, id))


@router.post(f"{PATH}/{{id}}/apply", responses=answers("rerate", missing="no such job", also=_UNDER_WAY))
async def apply(request: Request, response: Response, caller: Correcting, id: str) -> RerateAnswer:
    """Book the difference that the dry run has shown, or will. A job that is applied already stays so. 409
    where too many of the tenant's are under way."""
    async with database_of(request).reading(caller.tenant) as connection:
        job = await _job(connection, id)
        _refuse_if(job, {"cancelled", "refused"}, "it can no longer be applied: ask for another one")
        if job["state"] == "previewed":
            await _refuse_if_too_many(connection)
        wanted = RerateApply(
            id=id, tenant=caller.tenant, by=await author_of(connection, caller), at=datetime.now(UTC)
        )
    if job["apply_asked_at"] is None:
        corrector = corrector_of(request)
        await corrector.ask(wanted, corrector.ended)
    answer = await _answered(request, response, caller, id)
    if answer.state == "previewed":
        response.status_code = 202  # the corrector has not come to it yet
    return answer


@router.post(f"{PATH}/{{id}}/cancel", responses=answers("rerate", missing="no such job", also=_UNDER_WAY))
async def cancel(request: Request, response: Response, caller: Correcting, id: str) -> RerateAnswer:
    """End a job where it stands. What it has changed by then stays; another job takes it back or goes on."""
    async with database_of(request).reading(caller.tenant) as connection:
        job = await _job(connection, id)
        _refuse_if(job, {"applied", "refused"}, "there is nothing left to cancel")
        wanted = RerateCancel(
            id=id, tenant=caller.tenant, by=await author_of(connection, caller), at=datetime.now(UTC)
        )
    if job["state"] != "cancelled":
        corrector = corrector_of(request)
        await corrector.ask(wanted, corrector.ended)
    return await _answered(request, response, caller, id)


async def _wanted(connection: TenantConnection, caller: Caller, body: NewRerate) -> RerateRequest:
    """Raises HttpRefusal (422)."""
    newest: int | None = await connection.fetchval(SQL["newest_version"])
    version = newest if body.version is None else body.version
    if newest is None or version is None or version > newest:
        raise invalid("version", f"the catalog has no such version; the newest is {newest or 'none yet'}")
    if body.publication is not None and body.publication > version:
        raise invalid("publication", f"is no part of version {version}, by which the events would be priced")
    if body.since and body.until and body.since >= body.until:
        raise invalid("since", "must be before until")
    return RerateRequest(
        id=str(body.rerate_id or uuid4()),
        tenant=caller.tenant,
        selection=body.selection(),
        version=version,
        reason=body.reason,
        by=await author_of(connection, caller),
        at=datetime.now(UTC),
        apply=body.apply,
    )


def _is_asked_again(body: NewRerate, wanted: RerateRequest, known: Any) -> bool:
    """Whether a known job is the one that is wanted; without a version, that which was the newest then. That
    a dry run was applied since makes it no other."""
    return (
        msgspec.convert(known["selection"], Selection) == wanted.selection
        and known["version"] == (wanted.version if body.version is not None else known["version"])
        and known["reason"] == wanted.reason
        and (known["apply_asked_at"] is not None or not wanted.apply)
    )


async def _job(connection: TenantConnection, id: str) -> Any:
    row = await connection.fetchrow(SQL["job"], id)
    if row is None:
        raise not_found(f"the corrector knows of no re-rate {id[:64]!r}, or has not come to it yet")
    return row


async def _refuse_if_too_many(connection: TenantConnection) -> None:
    if await connection.fetchval(SQL["under_way"]) >= UNDER_WAY_MAX:
        raise HttpRefusal(
            409,
            "Too many",
            f"a tenant has at most {UNDER_WAY_MAX} re-rates under way: let one end, or cancel one",
        )


def _refuse_if(job: Any, states: set[str], rule: str) -> None:
    if job["state"] in states:
        raise HttpRefusal(409, "Too late", f"re-rate {job['rerate_id']} is {job['state']}: {rule}")


async def _answered(
    request: Request, response: Response, caller: Caller, id: str, wanted: RerateRequest | None = None
) -> RerateAnswer:
    async with database_of(request).reading(caller.tenant) as connection:
        row = await connection.fetchrow(SQL["job"], id)
        answer = _sent(wanted) if row is None and wanted else await _report(connection, row)
    response.headers["Location"] = f"{PATH}/{id}"
    if answer.state in RUNNING:
        response.status_code = 202
    return answer


def _sent(wanted: RerateRequest) -> RerateAnswer:
    return RerateAnswer(
        rerate_id=wanted.id,
        selection=msgspec.to_builtins(wanted.selection),
        version=wanted.version,
        reason=wanted.reason,
        author=wanted.by,
        requested_at=wanted.at,
        state="sent",
        why="",
        applied_by=wanted.by if wanted.apply else None,
        apply_asked_at=wanted.at if wanted.apply else None,
        cancelled_by=None,
        cancelled_at=None,
        summary=says("sent", "", None, None),
        preview=None,
        applied=None,
    )


def _told(row: Any, model: type[PassProgress], passes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A job as it is answered, with its passes as `model` has them."""
    found = {phase: model(**facts) for phase, facts in passes.items()}
    preview, applied = found.get("preview"), found.get("applied")
    line = says(row["state"], row["why"], preview, applied)
    return {**row, "summary": line, "preview": preview, "applied": applied}


async def _passes(connection: TenantConnection, jobs: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """By job and phase: how far it is, and its sums, also by cause."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in await connection.fetch(SQL["passes"], jobs):
        found.setdefault(row["rerate_id"], {})[row["phase"]] = {**row, "sums": [], "causes": []}
    for row in await connection.fetch(SQL["sums"], jobs):
        kind = "causes" if row["cause"] else "sums"
        found[row["rerate_id"]][row["phase"]][kind].append(_change(row))
    return found


async def _report(connection: TenantConnection, row: Any) -> RerateAnswer:
    passes = (await _passes(connection, [row["rerate_id"]])).get(row["rerate_id"], {})
    for facts in passes.values():
        facts |= {"differences": [], "left": []}
    for each in await connection.fetch(SQL["differences"], row["rerate_id"], DIFFERENCES_MAX):
        passes[each["phase"]]["differences"].append(_change(each))
    for each in await connection.fetch(SQL["left"], row["rerate_id"], LEFT_MAX):
        passes[each["phase"]]["left"].append(dict(each))
    return RerateAnswer(**_told(row, PassReport, passes))


def _change(row: Any) -> dict[str, Any]:
    before: Decimal = row["effective_before"]
    return {**row, "difference": EXACT.subtract(row["effective_after"], before)}
