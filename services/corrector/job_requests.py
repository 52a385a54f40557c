"""What people ask of jobs, as it came on `usage.corrections`: begin one, apply it, end it."""

from typing import Any

import msgspec

from services.corrector.intake import JobRequest
from services.corrector.job_work import SQL, JobName
from spendmeter.contracts.corrections import (
    RERATES_UNDER_WAY_MAX,
    TOO_MANY_RERATES,
    RerateApply,
    RerateCancel,
    RerateRequest,
    Selection,
)

UNDER_WAY_MAX = RERATES_UNDER_WAY_MAX


async def take_request(connection: Any, request: JobRequest) -> None:
    """Note what is asked, in the transaction that moves the corrector's position. A request that comes again,
    or that the job's state does not allow, changes nothing."""
    match request:
        case RerateRequest():
            await _begin(connection, request)
        case RerateApply():
            await _apply(connection, request)
        case RerateCancel():
            await connection.execute(SQL["cancel"], request.tenant, request.id, request.by, request.at)


async def _apply(connection: Any, request: RerateApply) -> None:
    """A dry run that has ended is one more job under way; where that is too many it stays as it is, and says
    so."""
    name = request.tenant, request.id
    if await _are_too_many(connection, request.tenant) and await connection.fetchval(
        SQL["put_off"], *name, TOO_MANY_RERATES
    ):
        return
    if await connection.fetchval(SQL["ask_to_apply"], *name, request.by, request.at) == "applying":
        await begin_applying(connection, name)


async def _are_too_many(connection: Any, tenant: str) -> bool:
    under_way: int = await connection.fetchval(SQL["under_way"], tenant)
    return under_way >= UNDER_WAY_MAX


async def begin_applying(connection: Any, name: JobName) -> None:
    """Let a job go through the book to apply what it has shown. One that comes after a newer version is
    refused: where that version changed nothing, no entry says that it was there."""
    version = await connection.fetchval(SQL["version_of"], *name)
    if why := await _outdated(connection, name[0], version):
        await connection.execute(SQL["refuse"], *name, why)
    else:
        await connection.execute(SQL["begin_pass"], *name, "applied")


async def _outdated(connection: Any, tenant: str, version: int) -> str:
    newest = await connection.fetchval(SQL["newest_applied"], tenant) or 0
    if newest <= version:
        return ""
    return f"version {newest} was applied already, and {version} is older: ask for {newest} or a later one"


async def _begin(connection: Any, request: RerateRequest) -> None:
    name = request.tenant, request.id
    why = await _why_not(connection, request.version, request.selection)
    if await connection.fetchval(SQL["is_correction"], *name):
        why = "its id is that of a correction: send it under another one"
    why = why or await _outdated(connection, request.tenant, request.version)
    if not why and await _are_too_many(connection, request.tenant):
        why = TOO_MANY_RERATES
    new = await connection.fetchval(
        SQL["request"],
        *(*name, msgspec.json.encode(request.selection).decode(), request.version),
        *(request.reason, request.by, request.at, "refused" if why else "previewing", why),
        *((request.by, request.at) if request.apply else (None, None)),
    )
    if new is not None and not why:
        await connection.execute(SQL["begin_pass"], *name, "preview")


async def _why_not(connection: Any, version: int, selection: Selection) -> str:
    """Why a job cannot be done; '' = it can."""
    for wanted in (version, selection.publication):
        if wanted is not None and not await connection.fetchval(SQL["is_published"], wanted):
            return f"the catalog has no version {wanted}"
    if selection.publication is not None and selection.publication > version:
        return f"publication {selection.publication} is no part of version {version}"
    return ""
