"""`GET /v1/exports/focus`: whole days of the book in FOCUS, as CSV or Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.access.auth import Reader
from services.api.accounting.completeness import completeness
from services.api.database.transactions import database_of
from services.api.exports.files import ExportForm
from services.api.exports.running import BegunExport, RunningExports
from services.api.exports.vocabulary import FocusVersion
from services.api.exports.writer import ExportQuestion
from services.api.http.models import Complete
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import refuse_unknown
from services.api.http.spans import RANGE_DAYS_MAX

PATH = "/v1/exports/focus"
PARAMETERS = ("version", "format", "from", "to")
MEDIA = {"csv": "text/csv; charset=utf-8; header=present", "parquet": "application/vnd.apache.parquet"}
FILE_ANSWER: Any = {
    "description": "the file; `X-Export-Totals` says what its rows come to",
    "content": {
        "text/csv": {"schema": {"type": "string", "description": "RFC 4180"}},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    },
}

router = APIRouter(tags=["exports"])


@router.get(
    PATH,
    summary="What was spent, in FOCUS",
    response_class=StreamingResponse,
    responses={**answers(""), 200: FILE_ANSWER},
)
async def get_focus(
    request: Request,
    caller: Reader,
    version: Annotated[FocusVersion, Query(description="of FOCUS")] = "1.4",
    format: Annotated[ExportForm, Query(description="of the file")] = "csv",
    start: Annotated[
        date | None,
        Query(alias="from", description="first day, in UTC; default: the first of the month of the last"),
    ] = None,
    end: Annotated[
        date | None,
        Query(alias="to", description="the day after the last, in UTC; default: today, which is not over"),
    ] = None,
) -> StreamingResponse:
    """Whole days in UTC that are over: a row a day, series, unit, way of serving and price, and one for each
    row of a bill that was imported. The rows add up to `/v1/spend` of the same days in UTC to the last digit,
    in each currency. What corrections changed after a month had ended has rows of its own, with ChargeClass
    Correction.

    An export is a snapshot: to bring yours up to date, replace the billing periods that it has. 503 while an
    export of the tenant's is being written, or while the days are not folded yet. A file that breaks off has
    no proper end of the answer: take it for none. `X-Complete-Through` says up to when all that was accepted
    is in it; where that lies before `to`, or is empty, more may be on its way to these days."""
    refuse_unknown(request, PARAMETERS)
    first, beyond = days_of(start, end, datetime.now(UTC).date())
    question = ExportQuestion(
        database_url="", tenant=caller.tenant, version=version, form=format, start=first, end=beyond
    )
    async with database_of(request).reading(caller.tenant) as connection:
        complete = await completeness(request, connection)  # of a moment before: the file has that at least
    exports: RunningExports = request.app.state.exports
    begun = await exports.begin(question)
    headers = _headers(question, begun, complete)
    return ExportResponse(begun, media_type=MEDIA[format], headers=headers)


class ExportResponse(StreamingResponse):
    """The file as it is written. However the answer ends, also before its first piece, the process ends."""

    def __init__(self, begun: BegunExport, **said: Any) -> None:
        super().__init__(begun.file(), **said)
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._begun.aclose()


def days_of(start: date | None, end: date | None, today: date) -> tuple[date, date]:
    """The days that are asked for. Raises HttpRefusal (422)."""
    beyond = end or today
    if beyond > today:
        raise invalid("to", f"is at most {today}: a day is exported when it is over, in UTC")
    first = start or (beyond - timedelta(days=1)).replace(day=1)
    if first >= beyond:
        raise invalid("from", "must be before to")
    if (beyond - first).days > RANGE_DAYS_MAX:
        raise invalid("from", f"an export has at most {RANGE_DAYS_MAX} days")
    return first, beyond


def _headers(question: ExportQuestion, begun: BegunExport, complete: Complete) -> dict[str, str]:
    """`Content-Encoding` keeps the process of everybody's questions from compressing it."""
    name = f"focus-{question.version}-{question.tenant}-{question.start}-{question.end}.{question.form}"
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Encoding": "identity",
        "X-Export-Totals": msgspec.json.encode(begun.begins.totals).decode(),
        "X-Complete-Through": complete.complete_through.isoformat() if complete.complete_through else "",
        "X-Export-Rows-Max": str(begun.begins.rows_max),
    }
