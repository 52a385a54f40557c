"""The routes of Cycles: decode, ask the desk, answer in the protocol's words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from services.reservations.app import READING, WRITING, ReservationDoor, read_asked
from services.reservations.callers import NotAdmitted
from services.reservations.cycles import answers
from services.reservations.cycles.levels import dimensions_by
from services.reservations.cycles.maps import LevelMaps
from services.reservations.cycles.translate import (
    CyclesCaller,
    commit_by,
    debit_by,
    dimensions_for,
    dollars,
    extend_by,
    release_by,
    reserve_by,
)
from services.reservations.cycles.wire import (
    CyclesCommit,
    CyclesCreate,
    CyclesDecide,
    CyclesEvent,
    CyclesExtend,
    CyclesFault,
    CyclesRelease,
    CyclesSubject,
)
from services.reservations.desk import Undecided
from services.reservations.operations import HoldDecision, Operation
from services.reservations.read import SQL
from services.reservations.requests import RequestFault
from services.reservations.reserving import too_little
from services.reservations.rows import reservation_of
from services.reservations.sender import NotSent
from services.reservations.turns import AWAY

KEY_HEADER, SAME_KEY_HEADER = "x-cycles-api-key", "x-idempotency-key"
PAGE = 100
Body = TypeVar("Body", bound=msgspec.Struct)


class _Call:
    """One request, and who makes it. Raises NotAdmitted."""

    def __init__(
        self, door: ReservationDoor, maps: LevelMaps, request: Request, scopes: frozenset[str]
    ) -> None:
        key = request.headers.get(KEY_HEADER, "")
        headers = MutableHeaders(raw=list(request.scope["headers"]))
        if key:
            headers["authorization"] = f"Bearer {key}"
        request.scope["headers"] = headers.raw
        caller = door.admit(Request(request.scope), scopes)
        self.door, self.request = door, request
        self.caller = CyclesCaller(
            tenant=caller.tenant,
            key_id=caller.key_id,
            currency=door.currency(caller.tenant),
            maps=maps.of(caller.tenant),
        )

    @property
    def now(self) -> datetime:
        """As it is asked for: a lease is told by what is left of it when the answer goes."""
        return datetime.now(UTC)

    async def body(self, kind: type[Body]) -> Body:
        """Raises RequestFault, HTTPException, CyclesFault."""
        asked = await read_asked(self.request, kind)
        header = self.request.headers.get(SAME_KEY_HEADER)
        if header is not None and header != getattr(asked, "idempotency_key", header):
            raise CyclesFault(400, "INVALID_REQUEST", "X-Idempotency-Key is another than the body's")
        return asked

    @property
    def id(self) -> UUID:
        """Raises CyclesFault: what is no id of ours is none."""
        try:
            return UUID(self.request.path_params["id"])
        except ValueError:
            raise CyclesFault(404, "NOT_FOUND", "there is no such reservation") from None

    async def ask(self, operation: Operation) -> HoldDecision:
        """What was done. Raises CyclesFault, Undecided, NotSent."""
        decision = await self.door.desk.ask(self.caller.tenant, operation)
        if not decision.done:
            raise answers.refuse(decision)
        return await self.door.finish(decision)


async def create(call: _Call) -> Response:
    """Hold the estimate, or say what would be."""
    asked = await call.body(CyclesCreate)
    if asked.dry_run:
        said = answers.decided(_would_be(call, asked), call.caller, asked.subject, dry_run=True)
        return JSONResponse(said)
    decision = await call.ask(reserve_by(asked, call.caller, call.now))
    grace = timedelta(milliseconds=asked.grace_period_ms)
    return JSONResponse(answers.created(decision, call.caller, asked.subject, grace, call.now))


async def commit(call: _Call) -> Response:
    """The call is over."""
    asked = await call.body(CyclesCommit)
    found = await call.door.find(call.caller.tenant, call.id)
    decision = await call.ask(commit_by(asked, call.caller, found, call.id))
    return JSONResponse(answers.committed(decision, call.caller))


async def release(call: _Call) -> Response:
    """The call is not made."""
    asked = await call.body(CyclesRelease)
    return JSONResponse(
        answers.released(await call.ask(release_by(asked, call.caller, call.id)), call.caller)
    )


async def extend(call: _Call) -> Response:
    """The call takes longer."""
    asked = await call.body(CyclesExtend)
    found = await call.door.find(call.caller.tenant, call.id)
    decision = await call.ask(extend_by(asked, call.caller, call.id))
    return JSONResponse(answers.extended(decision, call.caller, answers.grace_of(found), call.now))


async def event(call: _Call) -> Response:
    """It was spent."""
    asked = await call.body(CyclesEvent)
    decision = await call.ask(debit_by(asked, call.caller, call.now))
    return JSONResponse(answers.applied(decision, call.caller), 201)


async def decide(call: _Call) -> Response:
    """Whether it would be let through: from memory, so it holds nothing."""
    asked = await call.body(CyclesDecide)
    return JSONResponse(answers.decided(_would_be(call, asked), call.caller, asked.subject))


async def get_one(call: _Call) -> Response:
    """A reservation, as it is now."""
    found = await call.door.find(call.caller.tenant, call.id)
    if found is None:
        raise CyclesFault(404, "NOT_FOUND", f"there is no reservation {call.id}")
    return JSONResponse(answers.listed(found, call.caller, call.now, whole=True))


async def get_many(call: _Call) -> Response:
    """The newest, of which those that the query is about."""
    rows = await call.door.pool.fetch(SQL["list"], call.caller.tenant, "", None, None, PAGE)
    said = [answers.listed(reservation_of(row), call.caller, call.now) for row in rows]
    wanted = dict(call.request.query_params)
    found = [
        each
        for each in said
        if wanted.get("status", each["status"]) == each["status"]
        and all(each["subject"].get(level) == value for level, value in wanted.items() if level in _LEVELS)
    ]
    return JSONResponse({"reservations": found, "has_more": len(rows) == PAGE})


async def balances(call: _Call) -> Response:
    """Of the budgets that a subject may fall under."""
    wanted = {name: value for name, value in call.request.query_params.items() if name in _LEVELS}
    if not wanted:
        raise CyclesFault(400, "INVALID_REQUEST", "name at least one level of the subject")
    if wanted.get("tenant", call.caller.tenant) != call.caller.tenant:
        raise CyclesFault(403, "FORBIDDEN", "tenant is another than the key's")
    stated = dimensions_by(msgspec.convert(wanted, CyclesSubject), call.caller.maps)
    about = {name: value for name, value in stated.items() if value}
    counters = [
        each
        for each in call.door.memory.counters(call.caller.tenant)
        if each.period_start <= call.now < each.period_end
        and all(each.budget.filter.get(name, value) == value for name, value in about.items())
    ]
    return JSONResponse({"balances": answers.balances_of(counters, call.caller), "has_more": False})


_LEVELS = frozenset(CyclesSubject.__struct_fields__) - {"dimensions"}
_WAY = "/v1/reservations"
_LATER: tuple[type[BaseException], ...] = (Undecided, NotSent, *AWAY)
CyclesHandler = Callable[[_Call], Awaitable[Response]]
ROUTES: tuple[tuple[str, str, CyclesHandler, frozenset[str]], ...] = (
    ("POST", _WAY, create, WRITING),
    ("GET", _WAY, get_many, READING),
    ("GET", _WAY + "/{id}", get_one, READING),
    ("POST", _WAY + "/{id}/commit", commit, WRITING),
    ("POST", _WAY + "/{id}/release", release, WRITING),
    ("POST", _WAY + "/{id}/extend", extend, WRITING),
    ("POST", "/v1/decide", decide, READING),
    ("POST", "/v1/events", event, WRITING),
    ("GET", "/v1/balances", balances, READING),
)


def cycles_routes(door: ReservationDoor, maps: LevelMaps) -> Mount:
    """To be mounted beside the native routes."""
    return Mount("/cycles", routes=[_route(door, maps, *each) for each in ROUTES])


def _would_be(call: _Call, asked: CyclesDecide) -> str:
    """The code of why it would be refused now; '' = it would not. Raises CyclesFault."""
    amount: Decimal = dollars(asked.estimate, call.caller)
    dimensions = dimensions_for(asked.subject, asked.action, call.caller) | {"key_id": call.caller.key_id}
    counters = call.door.memory.covering(call.caller.tenant, dimensions, call.now)
    refused = too_little(counters, amount)
    return answers.refuse(refused).code if refused else ""


def _route(
    door: ReservationDoor,
    maps: LevelMaps,
    method: str,
    path: str,
    handler: CyclesHandler,
    scopes: frozenset[str],
) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(_Call(door, maps, request, scopes))
        except NotAdmitted as error:
            codes = {401: "UNAUTHORIZED", 403: "FORBIDDEN"}
            fault = CyclesFault(error.status, codes.get(error.status, "INTERNAL_ERROR"), error.detail)
        except CyclesFault as error:
            fault = error
        except RequestFault as error:
            fault = CyclesFault(400, "INVALID_REQUEST", str(error))
        except HTTPException as error:
            fault = CyclesFault(error.status_code, "INVALID_REQUEST", error.detail)
        except _LATER:
            fault = CyclesFault(503, "INTERNAL_ERROR", "ask again with the same idempotency key")
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is left to read it
        return _fault(fault)

    return Route(path, endpoint, methods=[method])


def _fault(fault: CyclesFault) -> Response:
    said: dict[str, Any] = {"error": fault.code, "message": str(fault), "request_id": uuid4().hex}
    later = {"Retry-After": "1"} if fault.status in (429, 503) else {}
    return JSONResponse(said, fault.status, {"X-Request-Id": said["request_id"], **later})
