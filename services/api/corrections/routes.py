"""Corrections of single events: asked for here, kept by the broker, done by the corrector."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import UNSET, Raw, UnsetType

from services.api.access.auth import Caller, Correcting, Reader
from services.api.corrections.amendments import check_patch, own_names
from services.api.corrections.asking import SQL, author_of, corrector_of
from services.api.corrections.models import (
    CorrectionAnswer,
    CorrectionPage,
    CorrectionProgress,
    ListedCorrection,
    NewCorrection,
)
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.events.models import LedgerEntry
from services.api.events.sums import comes_to
from services.api.events.within import Limit, asked_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Instant

PATH = "/v1/corrections"
router = APIRouter(tags=["corrections"], route_class=Negotiated)


class _PatchAsSent(msgspec.Struct):
    """Byte for byte: a quantity is never a float on its way."""

    patch: Raw | UnsetType = UNSET


@router.post(
    PATH, responses=answers("correction", also={202: "the broker holds it; `Location` will say more"})
)
async def correct(
    request: Request, response: Response, caller: Correcting, body: NewCorrection
) -> CorrectionAnswer:
    """Amend an event, or retract it (a void). Nothing that is booked is changed: its entry is reversed and,
    where it is amended, said anew. 200: what became of it; 202: the broker holds it, and `Location` will
    say."""
    patch = _patch_of(await request.body(), body)
    database = database_of(request)
    async with database.reading(caller.tenant) as connection:
        await _check_declared(connection, patch)
        wanted = await _wanted(connection, caller, body, patch)
        known = await _known(connection, wanted, revised=body.revision is not None)
    if known is None:
        corrector = corrector_of(request)
        await corrector.ask(wanted, corrector.settled)
        async with database.reading(caller.tenant) as connection:
            known = await _known(connection, wanted) or _sent(wanted)
    response.headers["Location"] = f"{PATH}/{wanted.id}"
    if known.state in ("sent", "waiting"):
        response.status_code = 202
    return known


@router.get(PATH, responses=answers("corrections"))
async def list_corrections(
    request: Request,
    caller: Reader,
    span: SpanParameters,
    state: CorrectionProgress | None = None,
    limit: Limit = 50,
    cursor: str = "",
) -> CorrectionPage:
    """What was asked for in `[from, to)` and what became of it, newest first; without a range, of the last
    400 days."""
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await asked_within(connection, caller.tenant, span)
        after = decode_cursor(cursor, tuple[Instant, str]) if cursor else (beyond, "")
        rows = await connection.fetch(SQL["corrections"], state or "", first, beyond, *after, limit + 1)
    found, more = page(ListedCorrection, rows, limit, lambda row: (row["requested_at"], row["correction_id"]))
    return CorrectionPage(corrections=found, next_cursor=more)


@router.get(f"{PATH}/{{id}}", responses=answers("correction", missing="no such correction"))
async def get_correction(request: Request, caller: Reader, id: str) -> CorrectionAnswer:
    """One correction, what became of it, and the entries of its event."""
    async with database_of(request).reading(caller.tenant) as connection:
        row = await connection.fetchrow(SQL["correction"], id)
        if row is None:
            raise not_found(f"the corrector knows of no correction {id[:64]!r}, or has not come to it yet")
        return await _answer(connection, row)


def _patch_of(raw: bytes, body: NewCorrection) -> Raw | UnsetType:
    """What is to change. Raises HttpRefusal (422)."""
    if body.kind == "retract":
        if body.patch is not None or body.revision is not None:
            raise invalid("patch" if body.patch is not None else "revision", "is of an amend; this retracts")
        return UNSET
    if body.patch is None:
        raise invalid("patch", "is needed: an amend says what changes of the event's data")
    patch = msgspec.json.decode(raw, type=_PatchAsSent).patch
    assert isinstance(patch, Raw)
    check_patch(bytes(patch))
    return patch


async def _check_declared(connection: TenantConnection, patch: Raw | UnsetType) -> None:
    """What ingest would drop, no amend brings in; of a retired name there are events. Raises HttpRefusal
    (422)."""
    asked = frozenset[str]() if patch is UNSET else own_names(bytes(patch))
    for name in sorted(asked.difference(await known_dimensions(connection, asked))):
        reason = "is no dimension that the tenant ever declared: POST /v1/dimensions declares one"
        raise invalid(f"patch.labels.own.{name}", reason)


async def _wanted(
    connection: TenantConnection, caller: Caller, body: NewCorrection, patch: Raw | UnsetType
) -> EventCorrection:
    revision = body.revision or 0
    if body.kind == "amend" and body.revision is None:
        event = identity(caller.tenant, body.source, body.id)
        revision = await connection.fetchval(SQL["next_revision"], event)
    return EventCorrection(
        id=str(body.correction_id or uuid4()),
        tenant=caller.tenant,
        source=body.source,
        event_id=body.id,
        kind=body.kind,
        revision=revision,
        patch=patch,
        reason=body.reason,
        by=await author_of(connection, caller),
        at=datetime.now(UTC),
    )


async def _known(
    connection: TenantConnection, wanted: EventCorrection, *, revised: bool = False
) -> CorrectionAnswer | None:
    """What has become of it so far. Raises HttpRefusal (409) where its id is another's; `revised`: its
    revision was stated, and is not merely the next one."""
    row = await connection.fetchrow(SQL["correction"], wanted.id)
    if row is None:
        return None
    patch = None if wanted.patch is UNSET else msgspec.json.decode(wanted.patch)
    stored = row["patch"] and msgspec.json.decode(row["patch"])
    other_revision = revised and row["revision"] != wanted.revision
    if other_revision or (row["kind"], row["identity"], stored) != (wanted.kind, wanted.identity, patch):
        raise HttpRefusal(
            409, "Another one", f"correction {wanted.id} was sent before, and says something else"
        )
    return await _answer(connection, row)


async def _answer(connection: TenantConnection, row: Any) -> CorrectionAnswer:
    rows = await connection.fetch(SQL["entries"], row["occurred_at"], row["identity"])
    entries = [LedgerEntry.model_validate(dict(entry)) for entry in rows]
    return CorrectionAnswer(**row, summary=_summary(row, entries), entries=entries)


def _summary(row: Any, entries: list[LedgerEntry]) -> str:
    if row["state"] != "applied" or not row["seqs"]:
        return f"{row['state']}: {row['why']}" if row["why"] else row["state"]
    was = comes_to(entry for entry in entries if entry.seq < min(row["seqs"]))
    now = comes_to(entry for entry in entries if entry.seq <= max(row["seqs"]))
    return f"{'retracted' if row['kind'] == 'retract' else 'amended'}: now {now} (was {was})"


def _sent(wanted: EventCorrection) -> CorrectionAnswer:
    return CorrectionAnswer(
        correction_id=wanted.id,
        kind=wanted.kind,
        source=wanted.source,
        id=wanted.event_id,
        revision=wanted.revision,
        patch=None if wanted.patch is UNSET else msgspec.json.decode(wanted.patch),
        reason=wanted.reason,
        author=wanted.by,
        requested_at=wanted.at,
        state="sent",
        why="",
        seqs=[],
        applied_at=None,
        summary=f"accepted; the corrector has not come to it yet: {PATH}/{wanted.id} will say",
        entries=[],
    )
