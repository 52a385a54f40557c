"""`GET /v1/spend/live`: totals as they are booked, as server-sent events."""

from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from services.api.access.auth import Caller, TeamReader, asks_still
from services.api.access.cookies import COOKIE, cookie_of
from services.api.http.openapi import EXAMPLES, answers
from services.api.http.problems import HttpRefusal
from services.api.http.representation import refuse_unknown
from services.api.live.following import LiveTotals
from services.api.live.streaming import MEDIA, LiveResponse, MayGoOn
from spendmeter.platform.postgres import CONNECTION_ERRORS

_SAID: Any = {
    "description": "events `totals` (data: the example), comments as heartbeats, at last an event `end`",
    "content": {MEDIA: {"schema": {"type": "string"}, "example": EXAMPLES["spend_live"]}},
}

router = APIRouter(tags=["spend"])


@router.get(
    "/v1/spend/live",
    summary="What is spent, as it is booked",
    response_class=StreamingResponse,
    responses={**answers(""), 200: _SAID},
)
async def get_live_spend(request: Request, caller: TeamReader) -> StreamingResponse:
    """All that the tenant (for a viewer of one team: that team) spent in the last hour, today and this month,
    told when it changes, once a second at most, and every five seconds anyway: each event says all of it, so
    a lost one does no harm, and `Last-Event-ID` is not looked at. Who takes longer than a second to read is
    told the newest.

    It is asked every few seconds whether the key, session or role still is: the event `end` says why there
    will be no more (`revoked`; `replaced`: a session of the portal has one stream, the latest). While nobody
    can say it, as when the database starts anew, nothing is told. After an `end` do not connect again; when
    the connection breaks without one, do, and where that is refused (429, 503) after a while once more."""
    refuse_unknown(request, ())
    live: LiveTotals = request.app.state.live
    return LiveResponse(live, live.listen(caller.onlooker, _session(request)), _may_go_on(request, caller))


def _session(request: Request) -> str:
    """Which browser it is; '' = none, for it comes with a key or a token."""
    token = cookie_of(request, COOKIE)
    return "" if token is None or "authorization" in request.headers else sha256(token.encode()).hexdigest()


def _may_go_on(request: Request, caller: Caller) -> MayGoOn:
    async def may_go_on() -> str | None:
        try:
            now = await asks_still(request)
        except HttpRefusal as refusal:
            return "revoked" if refusal.status in (401, 403) else None
        except CONNECTION_ERRORS:
            return None
        return "" if now.onlooker == caller.onlooker else "revoked"

    return may_go_on
