"""What people ask of jobs, as it came on `usage.corrections`: begin one, apply it, end it.

How many are under way decides nothing here: api has said yes to them, and read again after a restore they
come all at once.
"""

from typing import Any

import msgspec

from services.corrector.intake import JobRequest
from services.corrector.job_work import SQL, JobName
from spendmeter.contracts.corrections import RerateApply, RerateCancel, RerateRequest, Selection


async def take_request(connection: Any, request: JobRequest) -> None:
    """Note what is asked, in the transaction that moves the corrector's position. A request that comes again,
    or that the job's state does not allow, changes nothing."""
    match request:
        case RerateRequest():
            await _begin(connection, request)
        case RerateApply():
            asked = request.tenant, request.id, request.by, request.at
            if await connection.fetchval(SQL["ask_to_apply"], *asked) == "applying":
                await begin_applying(connection, (request.tenant, request.id))
        case RerateCancel():
            await connection.execute(SQL["cancel"], request.tenant, request.id, request.by, request.at)


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
