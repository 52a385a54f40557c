"""The HTTP door: reserve, commit, release, extend; check; and the probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from services.reservations import answers, requests
from services.reservations.callers import ADMIN, READ, RESERVE, Callers, NotAdmitted, ReservingCaller
from services.reservations.desk import Desk, Undecided
from services.reservations.finder import Finder
from services.reservations.memory import CounterMemory
from services.reservations.operations import HoldDecision
from services.reservations.price_book import PriceBookFollower
from services.reservations.read import SQL
from services.reservations.requests import RequestFault
from services.reservations.rows import reservation_of
from services.reservations.sender import EventSender, NotSent
from services.reservations.settler import Settler
from services.reservations.turns import AWAY, Pool
from services.reservations.values import Reservation
from spendmeter.contracts.events import EventError
from spendmeter.contracts.gate import check_visible
from spendmeter.contracts.terms import NO_TERMS
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.serve import probe_routes, problem

BODY_BYTES_MAX = 64 * 1024
PAGE = 100
RETRY_AFTER_S = 1
IDEMPOTENCY_HEADER = "idempotency-key"
DIGITS_MAX = 18
"""Of a number in a query: Python reads no text of thousands of digits."""
WRITING, READING = frozenset({RESERVE}), frozenset({RESERVE, READ, ADMIN})
AskedBody = TypeVar("AskedBody", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True)
class ReservationDoor:
    """What a request needs; one a process. A mount of another protocol is given the same."""

    pool: Pool
    desk: Desk
    finder: Finder
    callers: Callers
    memory: CounterMemory
    prices: PriceBookFollower
    sender: EventSender
    settler: Settler
    uses: KeyUses

    def trouble(self) -> str:
        """Why nothing can be decided; '' = it can."""
        book = "" if self.prices.book else "the catalog has not been read from Postgres yet"
        return self.callers.trouble() or book or self.settler.worked.trouble()

    def admit(self, request: Request, scopes: frozenset[str]) -> ReservingCaller:
        """Raises NotAdmitted."""
        caller = self.callers.admit(request.headers, scopes)
        self.uses.note(caller.key_id, datetime.now(UTC))
        return caller

    def currency(self, tenant: str) -> str:
        """The tenant's book currency, as the price book has it."""
        if self.prices.book is None:
            return NO_TERMS.currency
        return self.prices.book.agreement(tenant).at(datetime.now(UTC))[0].currency

    async def find(self, tenant: str, id: UUID) -> Reservation | None:
        """One, as it is now. Raises AWAY."""
        return await self.finder.find(tenant, id)

    async def finish(self, decision: HoldDecision) -> HoldDecision:
        """A commit is told once the broker holds our own event of it. Raises NotSent."""
        if decision.done and decision.reservation and decision.reservation.state == "committed":
            await self.sender.sent(replayed=decision.replayed)
        return decision


DoorHandler = Callable[[ReservationDoor, Request], Awaitable[Response]]


async def read_asked(request: Request, kind: type[AskedBody]) -> AskedBody:
    """The body, as this. Raises RequestFault, HTTPException 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"more than {BODY_BYTES_MAX} bytes")
    try:
        return msgspec.json.Decoder(kind, float_hook=Decimal).decode(bytes(body) or b"{}")
    except msgspec.ValidationError as error:
        raise RequestFault("body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
        raise RequestFault("body", "is no JSON") from None


async def reserve(door: ReservationDoor, request: Request) -> Response:
    """Hold the most that a call can cost."""
    caller = door.admit(request, WRITING)
    asked = await read_asked(request, requests.ReserveAsked)
    key = _idempotency_key(request, asked.idempotency_key)
    now = datetime.now(UTC)
    if asked.amount is None and door.prices.book is None:
        raise Undecided("no catalog has been read yet")
    bound = requests.bound_of(asked, door.prices.bounder, caller.tenant, door.currency(caller.tenant), now)
    operation = requests.reserve_of(asked, bound, caller.tenant, caller.key_id, key, now)
    decision = await door.desk.ask(caller.tenant, operation)
    return answers.answer(decision, request.url.path, status=201, because=bound.because)


async def commit(door: ReservationDoor, request: Request) -> Response:
    """The call is over."""
    caller, named = door.admit(request, WRITING), _id(request)
    asked = await read_asked(request, requests.CommitAsked)
    found = await door.find(caller.tenant, named)
    currency, now = door.currency(caller.tenant), datetime.now(UTC)
    operation = requests.commit_of(
        asked, found, door.prices.book, caller.tenant, currency, caller.key_id, named, now
    )
    decision = await door.desk.ask(caller.tenant, operation)
    return answers.answer(await door.finish(decision), request.url.path)


async def release(door: ReservationDoor, request: Request) -> Response:
    """The call is not made."""
    caller, named = door.admit(request, WRITING), _id(request)
    asked = await read_asked(request, requests.ReleaseAsked)
    operation = requests.release_of(asked, caller.key_id, named)
    return answers.answer(await door.desk.ask(caller.tenant, operation), request.url.path)


async def extend(door: ReservationDoor, request: Request) -> Response:
    """The call takes longer."""
    caller, named = door.admit(request, WRITING), _id(request)
    asked = await read_asked(request, requests.ExtendAsked)
    key = _idempotency_key(request, asked.idempotency_key)
    operation = requests.extend_of(asked, caller.key_id, named, key)
    return answers.answer(await door.desk.ask(caller.tenant, operation), request.url.path)


async def get_one(door: ReservationDoor, request: Request) -> Response:
    """A reservation, as it is now."""
    caller, named = door.admit(request, READING), _id(request)
    found = await door.find(caller.tenant, named)
    if found is None:
        return problem(
            404, "No such reservation", f"there is no reservation {named}", instance=request.url.path
        )
    return answers.one(found, door.currency(caller.tenant))


async def get_many(door: ReservationDoor, request: Request) -> Response:
    """Reservations, newest first."""
    caller = door.admit(request, READING)
    at, before = _after(request.query_params.get("after", ""))
    state = request.query_params.get("state", "")
    rows = await door.pool.fetch(SQL["list"], caller.tenant, state, at, before, PAGE)
    after = answers.after_of(rows[-1]) if len(rows) == PAGE else ""
    return answers.listed([reservation_of(row) for row in rows], door.currency(caller.tenant), after)


async def check(door: ReservationDoor, request: Request) -> Response:
    """Whether a call would be let through: from memory, so it holds nothing."""
    caller = door.admit(request, READING)
    asked = _call_of(request.query_params)
    now = datetime.now(UTC)
    dimensions = requests.dimensions_of(asked) | {"key_id": caller.key_id}
    stated = asked.amount is not None or bool(asked.sku)
    currency = door.currency(caller.tenant)
    bound = requests.bound_of(asked, door.prices.bounder, caller.tenant, currency, now) if stated else None
    counters = door.memory.covering(caller.tenant, dimensions, now)
    missing = door.memory.missing(caller.tenant, dimensions) if stated else []
    elsewhere = door.memory.elsewhere(caller.tenant, dimensions, currency)
    return answers.checked(door.memory.as_of, counters, missing, elsewhere, bound)


ROUTES: tuple[tuple[str, str, DoorHandler], ...] = (
    ("POST", "/v1/reservations", reserve),
    ("GET", "/v1/reservations", get_many),
    ("GET", "/v1/reservations/{id}", get_one),
    ("POST", "/v1/reservations/{id}/commit", commit),
    ("POST", "/v1/reservations/{id}/release", release),
    ("POST", "/v1/reservations/{id}/extend", extend),
    ("GET", "/v1/budgets/check", check),
)


def create_app(door: ReservationDoor, *mounts: Mount) -> Starlette:
    """The service's HTTP application; `mounts`: other protocols."""
    routes = [_route(door, method, path, handler) for method, path, handler in ROUTES]

    async def no_such_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        detail = error.detail if isinstance(error, HTTPException) else ""
        return problem(status, detail, f"{request.method} {request.url.path}", instance=request.url.path)

    return Starlette(
        routes=[*probe_routes(door.trouble), *routes, *mounts],
        exception_handlers={HTTPException: no_such_route},
    )


def _route(door: ReservationDoor, method: str, path: str, handler: DoorHandler) -> Route:
    async def endpoint(request: Request) -> Response:
        at, later = request.url.path, {"Retry-After": str(RETRY_AFTER_S)}
        try:
            return await handler(door, request)
        except NotAdmitted as refused:
            return problem(refused.status, "Not admitted", refused.detail, instance=at)
        except RequestFault as fault:
            return problem(422, "Invalid request", str(fault), instance=at)
        except Undecided as error:
            detail = f"{error}: ask again with the same idempotency key"
            return problem(503, "Undecided", detail, instance=at, headers=later)
        except AWAY:
            return problem(503, "Postgres is away", "ask again", instance=at, headers=later)
        except NotSent:
            detail = (
                "it is committed, but Kafka is away: the event is kept and will be sent; ask again to know"
            )
            return problem(503, "Not sent yet", detail, instance=at, headers=later)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is left to read it

    return Route(path, endpoint, methods=[method])


def _idempotency_key(request: Request, stated: str | None) -> str:
    key = request.headers.get(IDEMPOTENCY_HEADER) or stated
    if not key or len(key) > 256:
        raise RequestFault(
            "idempotency_key", "is needed, at most 256 characters, or the header Idempotency-Key"
        )
    try:
        check_visible(key, "idempotency_key")
    except EventError as error:
        raise RequestFault("idempotency_key", error.reason) from None
    return key


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise RequestFault("id", "is no id of a reservation") from None


def _after(text: str) -> tuple[datetime | None, UUID | None]:
    if not text:
        return None, None
    try:
        at, _, last = text.partition("~")
        return datetime.fromisoformat(at).astimezone(UTC), UUID(last)
    except (ValueError, OverflowError):
        raise RequestFault("after", "is what an earlier page said") from None


def _call_of(query: Mapping[str, str]) -> requests.CallAsked:
    """The query of check: what is no field is a unit (input_tokens) or a dimension (team)."""
    said: dict[str, Any] = {"quantities": {}, "dimensions": {}}
    for name, value in query.items():
        if name in ("provider", "sku", "cost_class", "amount"):
            said[name] = value
        elif name == "max_output_tokens":
            said[name] = int(value) if value.isdecimal() and len(value) <= DIGITS_MAX else value
        elif name.endswith("_tokens") or name.startswith("quantity."):
            said["quantities"][name.removeprefix("quantity.")] = value
        else:
            said["dimensions"][name] = value
    try:
        return msgspec.convert(said, requests.CallAsked)
    except msgspec.ValidationError as error:
        raise RequestFault("query", str(error)) from None
