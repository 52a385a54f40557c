"""The HTTP door: its entrances, and the probes."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse

from services.ingest.accept import AcceptedEvents, Submission
from services.ingest.admitted import AdmittedValues
from services.ingest.body import Hold, InFlight, read_body
from services.ingest.client_entrance import CLIENT_CALLS
from services.ingest.content_type import media_type_of, stated_type
from services.ingest.credentials import IngestCredential, authenticate
from services.ingest.dropped import DroppedNamesWriter
from services.ingest.entrances import Entrance, Incoming
from services.ingest.gateway_entrances import GATEWAYS
from services.ingest.keys import IngestKeys
from services.ingest.openapi import DESCRIPTION, operation, with_schemas
from services.ingest.otlp_logs_entrance import OTLP_LOGS
from services.ingest.otlp_metrics_entrance import OTLP_METRICS
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.own_events import OWN_EVENTS, PATH
from services.ingest.provider_entrance import PROVIDER_RESPONSES
from services.ingest.pseudonyms import Pseudonyms
from services.ingest.publish import Publisher
from services.ingest.rates import KeyRates
from services.ingest.refused import RequestRefused
from services.ingest.request_maps import TENANT_HEADER, acting_for, maps_for
from services.ingest.unknown_units import UnknownUnits
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.serve import probe_routes, problem
from spendmeter.platform.telemetry import TRACEPARENT, Meters, current_span, log, traceparent_headers

ENTRANCES = (
    OWN_EVENTS,
    OTLP_LOGS,
    OTLP_METRICS,
    OTLP_TRACES,
    CLIENT_CALLS,
    *GATEWAYS,
    PROVIDER_RESPONSES,
)
LOOP_BYTES_MAX = 256 * 1024
"""A larger body is read in a thread: everybody else is answered meanwhile."""
LARGE_AT_ONCE_MAX = 2
"""Larger bodies are read so many at a time: each takes many times its size while it is."""

_trace_context = TraceContextTextMapPropagator()


@dataclass(frozen=True, kw_only=True)
class Door:
    """What a request needs; one a process."""

    keys: IngestKeys
    publisher: Publisher
    meters: Meters
    dropped: DroppedNamesWriter
    age_max: timedelta
    admitted: AdmittedValues
    rates: KeyRates
    pseudonyms: Pseudonyms
    region: str
    uses: KeyUses
    in_flight: InFlight = field(default_factory=InFlight)
    unknown_units: UnknownUnits = field(default_factory=UnknownUnits)
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_AT_ONCE_MAX))

    def trouble(self) -> str:
        """Why nothing can be accepted; '' = it can."""
        return self.keys.trouble() or self.publisher.trouble()

    async def take(self, request: Request, entrance: Entrance) -> tuple[Incoming, AcceptedEvents]:
        """Authenticate, read, check, publish; returns what came and what was taken. Raises RequestRefused."""
        now = datetime.now(UTC)
        snapshot = self.keys.current()
        credential = authenticate(snapshot, request.headers.get("authorization", ""), now)
        credential = acting_for(credential, request.headers.get(TENANT_HEADER), snapshot)
        self.uses.note(credential.key_id, now)
        try:
            self.rates.admit(credential)
            with Hold(self.in_flight) as hold:
                incoming, accepted = await self._read(request, entrance, credential, hold)
                self.rates.count(credential, accepted.count)
                await self.publisher.publish(accepted.events, traceparent_headers(), accepted.outcomes)
        except RequestRefused as refused:
            _log_refusal(refused, credential)
            raise
        if accepted.dropped:
            self.dropped.note(credential, accepted.dropped, now)
        return incoming, accepted

    async def _read(
        self, request: Request, entrance: Entrance, credential: IngestCredential, hold: Hold
    ) -> tuple[Incoming, AcceptedEvents]:
        media_type = media_type_of(stated_type(request.headers), entrance.media_types)
        body = await read_body(request.headers, request.stream(), hold, entrance.bounds)
        now = datetime.now(UTC)
        units, values = self.unknown_units.of(now), self.admitted.of(now)
        snapshot = self.keys.current()
        incoming = Incoming(
            body=body,
            media_type=media_type,
            headers=request.headers,
            query=request.query_params,
            path=request.path_params,
            url=request.url.path,
            now=now,
            maps=maps_for(credential, snapshot),
        )
        submission = Submission(
            credential=credential,
            snapshot=snapshot,
            now=now,
            age_max=self.age_max,
            units=units,
            values=values,
            users=self.pseudonyms.of_request(snapshot.erasures),
            region=self.region,
            keeps_late=entrance.keeps_late,
        )
        if len(body) <= LOOP_BYTES_MAX:
            accepted = entrance.read(incoming, submission)
        else:
            async with self.large:
                accepted = await asyncio.to_thread(entrance.read, incoming, submission)
        await self.pseudonyms.settle(submission.users)
        units.keep()
        values.keep()
        if values.folded_count:
            self.meters.add("spendmeter.ingest.folded", values.folded_count)
        hold.add(len(body))  # what is published is about as large again
        return incoming, accepted

    def count(self, accepted: AcceptedEvents) -> None:
        """What became of a request's events, and of what was none."""
        self.meters.add("spendmeter.ingest.events", len(accepted.events), outcome="accepted")
        if accepted.outcomes:
            self.meters.add("spendmeter.ingest.outcomes", len(accepted.outcomes))
        if accepted.refused:
            self.meters.add("spendmeter.ingest.events", len(accepted.refused), outcome="refused")
        for why, count in accepted.skipped.items():
            self.meters.add("spendmeter.ingest.skipped", count, why=why)
        for what, count in accepted.noted.items():
            self.meters.add("spendmeter.ingest.noted", count, what=what)


def create_app(door: Door, entrances: Iterable[Entrance] = ENTRANCES) -> FastAPI:
    """The service's HTTP application."""
    app = FastAPIOffline(  # its /docs needs no other host
        title="Spendmeter ingest",
        version="1",
        description=DESCRIPTION,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # one list of names: metrics.toml
    )
    app.router.routes.extend(probe_routes(door.trouble))

    for entrance in entrances:
        _open(app, door, entrance)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("/docs")

    @app.exception_handler(HTTPException)
    async def no_such_route(request: Request, error: HTTPException) -> Response:
        return problem(
            error.status_code,
            HTTPStatus(error.status_code).phrase,
            f"{request.method} {request.url.path}: this service takes POST {PATH}",
            headers=error.headers,
        )

    with_schemas(app)
    return app


def _open(app: FastAPI, door: Door, entrance: Entrance) -> None:
    async def post(request: Request) -> Response:
        return await _answer(door, request, entrance)

    app.add_api_route(
        entrance.path,
        post,
        methods=["POST"],
        status_code=204,
        response_class=Response,
        name=entrance.name,
        operation_id=entrance.name,
        openapi_extra=operation(entrance),
    )


async def _answer(door: Door, request: Request, entrance: Entrance) -> Response:
    began = time.perf_counter()
    carrier = {TRACEPARENT: request.headers.get(TRACEPARENT, "")}
    parent = _trace_context.extract(carrier) if carrier[TRACEPARENT] else None
    with current_span(f"POST {entrance.path}", context=parent, kind=SpanKind.SERVER) as span:
        response: Response
        try:
            incoming, accepted = await door.take(request, entrance)
            door.count(accepted)
            response = entrance.answer(incoming, accepted)
        except RequestRefused as refused:
            door.meters.add("spendmeter.ingest.events", max(1, len(refused.errors)), outcome="refused")
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            response = entrance.refuse(request.url.path, media_type, refused)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody is left to read it
        span.set_attribute("http.response.status_code", response.status_code)
    door.meters.record("spendmeter.ingest.request.duration", time.perf_counter() - began)
    return response


def _log_refusal(refused: RequestRefused, credential: IngestCredential) -> None:
    """Who made a mistake, and how: never the reasons, which quote the request. A 503 is ours, and counted."""
    if refused.status is HTTPStatus.SERVICE_UNAVAILABLE:
        return
    log().info(
        "request refused",
        status=refused.status.value,
        tenant=credential.tenant,
        key_id=credential.key_id,
        count=len(refused.errors),
    )
