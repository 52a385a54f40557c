"""`POST /v1/imports/focus`: a bill in, as charges; `GET /v1/imports`: what became of it."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import IO, Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import Caller, Importing, Reader
from services.api.corrections.asking import author_of, corrector_of
from services.api.database.transactions import database_of
from services.api.events.within import Limit
from services.api.http.cursors import decode_cursor, page
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, invalid, not_found
from services.api.http.representation import Negotiated
from services.api.imports.focus import RULES
from services.api.imports.job import SQL, ImportJob, Wanted
from services.api.imports.label_sources import SourceError, label_sources, own_labels
from services.api.imports.models import ImportAnswer, ImportPage, ImportSettings, ListedImport, answer_of
from services.api.imports.running import RunningImports
from services.api.imports.turns import PatientDatabase
from spendmeter.contracts.events import Instant

PATH = "/v1/imports"
FOCUS_PATH = f"{PATH}/focus"
FILE_PATHS = (FOCUS_PATH, f"/api{FOCUS_PATH}")
"""The second is where ingest's doors are, for who looks for it there."""
BILL_BYTES_MAX = 512 * 1024 * 1024
_MEDIA = ("text/csv", "application/vnd.apache.parquet", "application/gzip", "application/zip")
_BODY = {
    "requestBody": {
        "required": True,
        "description": "CSV (also in gzip), Parquet, or a zip of the several files of one bill",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in _MEDIA},
    }
}

router = APIRouter(tags=["imports"], route_class=Negotiated)
Mapped = Annotated[
    list[Annotated[str, Query(max_length=400)]],
    Query(
        alias="map", max_length=16, description="LABEL=tag:KEY or LABEL=COLUMN; the first that says something"
    ),
]
NotMetered = Annotated[
    list[str],
    Query(max_length=20, description="names of rules by which rows would be held back, and are not"),
]


@router.post(FOCUS_PATH, status_code=202, responses=answers("import", status=202), openapi_extra=_BODY)
@router.post(FILE_PATHS[1], status_code=202, responses=answers("import", status=202), openapi_extra=_BODY)
async def import_focus(
    request: Request,
    response: Response,
    caller: Importing,
    file: Annotated[Text, Query(max_length=200, description="what people call the file")] = "",
    complete: Annotated[
        bool,
        Query(description="the file is the whole bill: rows of earlier imports that it lacks are retracted"),
    ] = False,
    mapped: Mapped = [],  # noqa: B006 - FastAPI copies it
    not_metered: NotMetered = [],  # noqa: B006
    dry_run: Annotated[bool, Query(description="say what it would do, and do nothing")] = False,
) -> ImportAnswer:
    """Import a bill in FOCUS (1.0 to 1.4). Each row becomes a charge, once: what was imported before and is
    restated is amended, by a key that has the scope correct too. `Location` says how far it is."""
    settings = ImportSettings(labels=mapped, not_metered=not_metered, dry_run=dry_run)
    key = _key_of(request)
    may_correct = caller.may("correct")
    if complete and not may_correct:
        raise forbidden(f"{caller.by} lacks the scope correct, so none of its imports is complete")
    running: RunningImports = request.app.state.imports
    running.check_room()
    database = database_of(request)
    async with database.reading(caller.tenant) as connection:
        _check_settings(settings, await connection.fetch(SQL["own_names"]))
        author = await author_of(connection, caller)
    stored = await _stored(request)
    try:
        wanted = Wanted(
            import_id=str(uuid4()),
            tenant=caller.tenant,
            key=key,
            author=author,
            may_correct=may_correct,
            file=stored,
            file_name=file,
            complete=complete,
            labels=mapped,
            not_metered=not_metered,
            dry_run=dry_run,
        )
        answer = await _begun(request, caller, wanted, settings)
    except BaseException:
        stored.close()
        raise
    running.start(
        ImportJob(
            wanted=wanted,
            database=PatientDatabase(database, caller.tenant, caller.by),
            door=request.app.state.ingest_door,
            log=corrector_of(request).log,
        )
    )
    response.headers["Location"] = f"{PATH}/{wanted.import_id}"
    return answer


@router.get(PATH, responses=answers("imports"))
async def list_imports(request: Request, caller: Reader, limit: Limit = 50, cursor: str = "") -> ImportPage:
    """Imports of bills, newest first: by whom, what came of them, in counts."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    after = decode_cursor(cursor, tuple[Instant, str]) if cursor else (tomorrow, "")
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["imports"], *after, limit + 1)
    shown = [answer_of(row).model_dump() for row in rows]
    listed, more = page(ListedImport, shown, limit, lambda row: (row["requested_at"], row["import_id"]))
    return ImportPage(imports=listed, next_cursor=more)


@router.get(f"{PATH}/{{id}}", responses=answers("import", missing="no such import"))
async def get_import(request: Request, caller: Reader, id: str) -> ImportAnswer:
    """One import: how far it is, its sums to the digit, bad rows by their line, and what was held back."""
    async with database_of(request).reading(caller.tenant) as connection:
        row = await connection.fetchrow(SQL["import"], id[:64].replace("\x00", ""))
    if row is None:
        raise not_found("the tenant has no such import")
    return answer_of(row)


def _key_of(request: Request) -> str:
    """The key itself: charges go through ingest's door by it, and the portal keeps none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise forbidden("send the bill with Authorization: Bearer sm_..., not from the portal")
    return key.strip()


def _check_settings(settings: ImportSettings, own: Sequence[Any]) -> None:
    """Raises HttpRefusal (422)."""
    try:
        sources = label_sources(settings.labels)
    except SourceError as error:
        raise invalid("map", str(error)) from None
    declared = {row["name"] for row in own if row["active"]}
    if unknown := sorted(own_labels(sources) - declared):
        raise invalid(
            "map", f"{unknown[0]} is no label, and no dimension of the tenant's own: declare it first"
        )
    names = {rule.name for rule in RULES}
    if not names.issuperset(settings.not_metered):
        raise invalid("not_metered", f"must be one of {', '.join(sorted(names))}")


async def _stored(request: Request) -> IO[bytes]:
    """The body in a file without a name, which is gone with whoever holds it: memory has a piece of it. The
    caller closes it."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        async for piece in request.stream():
            file.write(piece)
        if not file.tell():
            raise invalid("body", "is empty: send the file itself")
        file.seek(0)
        stack.pop_all()
    return file


async def _begun(request: Request, caller: Caller, wanted: Wanted, settings: ImportSettings) -> ImportAnswer:
    """Raises HttpRefusal (409) where one of the tenant's is under way."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        begun = await connection.fetchval(
            SQL["begin"],
            caller.tenant,
            wanted.import_id,
            wanted.file_name,
            wanted.complete,
            settings.model_dump(),
            wanted.author,
        )
        if begun is None:
            raise HttpRefusal(
                409, "Under way", f"an import is under way, or broke off within a minute: see {PATH}"
            )
        return answer_of(await connection.fetchrow(SQL["import"], wanted.import_id))
