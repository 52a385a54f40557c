"""The HTTP door: `POST /api/v1/events`, and the probes."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse

from services.ingest.accept import AcceptedEvents, Submission, accept
from services.ingest.admitted import AdmittedValues
from services.ingest.body import Hold, InFlight, read_body
from services.ingest.content_type import form_of
from services.ingest.credentials import IngestCredential, authenticate
from services.ingest.dropped import DroppedNamesWriter
from services.ingest.keys import IngestKeys
from services.ingest.openapi import DESCRIPTION, PATH, POST_EVENTS, with_schemas
from services.ingest.publish import Publisher
from services.ingest.refused import RequestRefused
from services.ingest.unknown_units import UnknownUnits
from spendmeter.contracts.known_fields import join_names
from spendmeter.platform.serve import probe_routes, problem
from spendmeter.platform.telemetry import TRACEPARENT, Meters, log, traceparent_headers, tracer

DROPPED = "Spendmeter-Dropped"
"""The header of an answer that names the fields of which nothing was kept."""

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
    in_flight: InFlight = field(default_factory=InFlight)
    unknown_units: UnknownUnits = field(default_factory=UnknownUnits)

    def trouble(self) -> str:
        """Why nothing can be accepted; '' = it can."""
        return self.keys.trouble() or self.publisher.trouble()

    async def take(self, request: Request) -> AcceptedEvents:
        """Authenticate, read, check, publish; returns what was taken. Raises RequestRefused."""
        now = datetime.now(UTC)
        snapshot = self.keys.current()
        credential = authenticate(snapshot, request.headers.get("authorization", ""), now)
        try:
            with Hold(self.in_flight) as hold:
                accepted = await self._read(request, credential, hold)
                await self.publisher.publish(accepted.events, traceparent_headers())
        except RequestRefused as refused:
            _log_refusal(refused, credential)
            raise
        if accepted.dropped:
            self.dropped.note(credential, accepted.dropped, now)
        return accepted

    async def _read(self, request: Request, credential: IngestCredential, hold: Hold) -> AcceptedEvents:
        form = form_of(request.headers.get("content-type", ""))
        body = await read_body(request.headers, request.stream(), hold)
        now = datetime.now(UTC)
        units, values = self.unknown_units.of(now), self.admitted.of(now)
        submission = Submission(
            credential=credential,
            snapshot=self.keys.current(),
            now=now,
            age_max=self.age_max,
            units=units,
            values=values,
        )
        accepted = accept(body, form, submission)
        units.keep()
        values.keep()
        if values.folded_count:
            self.meters.add("spendmeter.ingest.folded", values.folded_count)
        hold.add(len(body))  # what is published is about as large again
        return accepted


def create_app(door: Door) -> FastAPI:
    """The service's HTTP application."""
    app = FastAPIOffline(  # its /docs needs no other host
        title="Spendmeter ingest",
        version="1",
        description=DESCRIPTION,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # one list of names: metrics.toml
    )
    app.router.routes.extend(probe_routes(door.trouble))

    @app.post(PATH, status_code=204, response_class=Response, openapi_extra=POST_EVENTS)
    async def post_events(request: Request) -> Response:
        """Send usage events; 204 means that the log holds every one of them."""
        return await _answer(door, request)

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


async def _answer(door: Door, request: Request) -> Response:
    began = time.perf_counter()
    carrier = {TRACEPARENT: request.headers.get(TRACEPARENT, "")}
    parent = _trace_context.extract(carrier) if carrier[TRACEPARENT] else None
    with tracer().start_as_current_span(f"POST {PATH}", context=parent, kind=SpanKind.SERVER) as span:
        response: Response
        try:
            accepted = await door.take(request)
            door.meters.add("spendmeter.ingest.events", len(accepted.events), outcome="accepted")
            dropped = {DROPPED: join_names(accepted.dropped)} if accepted.dropped else None
            response = Response(status_code=204, headers=dropped)
        except RequestRefused as refused:
            door.meters.add("spendmeter.ingest.events", max(1, len(refused.errors)), outcome="refused")
            response = _problem(refused)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody is left to read it
        span.set_attribute("http.response.status_code", response.status_code)
    door.meters.record("spendmeter.ingest.request.duration", time.perf_counter() - began)
    return response


def _problem(refused: RequestRefused) -> Response:
    more: dict[str, Any] = {"errors": refused.errors} if refused.errors else {}
    return problem(
        refused.status,
        refused.status.phrase,
        refused.detail,
        instance=PATH,
        headers=refused.headers,
        **more,
    )


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
