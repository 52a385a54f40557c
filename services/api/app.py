"""The service's HTTP application: its state, its routes and what stands around them."""

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from services.api.access import session, sign_in
from services.api.access.issuers import Issuers
from services.api.access.keys import ApiKeys
from services.api.accounting import routes as accounting
from services.api.accounting.progress import BookProgress
from services.api.allocations import plans as allocation_plans
from services.api.allocations import routes as allocations
from services.api.allocations import statement_export, statements
from services.api.assets import entries as asset_entries
from services.api.assets import routes as registered_assets
from services.api.assets.door import AccrualDoor
from services.api.audit import routes as audit
from services.api.budgets import forecast_routes
from services.api.budgets import requests as budget_requests
from services.api.budgets import routes as budgets
from services.api.catalog import routes as catalog
from services.api.catalog.past_changes import PastChanges
from services.api.catalog.price_books import PriceBooks
from services.api.chain import routes as chain
from services.api.changes import routes as changes
from services.api.changes.prices import PastPrices
from services.api.channels import deliveries as channel_deliveries
from services.api.channels import routes as channels
from services.api.choice import decisions as model_decisions
from services.api.choice import routes as choice
from services.api.choice.priced_slices import PricedSlices
from services.api.coding_agents import routes as coding_agents
from services.api.corrections import rerates
from services.api.corrections import routes as corrections
from services.api.corrections.asking import CorrectorAccess
from services.api.database.remembered import BookedDays
from services.api.database.transactions import Database
from services.api.dimensions import routes as dimensions
from services.api.events import resubmit, unbooked
from services.api.events import routes as events
from services.api.events.ingest_door import IngestDoor
from services.api.events.past_books import PastBooks
from services.api.events.waiting import Waiters
from services.api.exports import routes as exports
from services.api.exports.running import RunningExports
from services.api.http import problems
from services.api.http.edge import Edge
from services.api.http.openapi import DESCRIPTION, describe_problems
from services.api.http.shared_answers import SharedAnswers
from services.api.imports import routes as imports
from services.api.imports.running import RunningImports
from services.api.incidents import acts as incident_acts
from services.api.incidents import planned
from services.api.incidents import routes as incidents
from services.api.invoices import routes as invoices
from services.api.invoices.arriving import BillTurns
from services.api.keys import routes as keys
from services.api.label_maps import routes as label_maps
from services.api.live import routes as live
from services.api.live.following import LiveTotals
from services.api.live.reading import read_live
from services.api.mcp import routes as mcp
from services.api.meters import routes as meters
from services.api.people import routes as people
from services.api.periods import routes as periods
from services.api.portal import assets
from services.api.privacy import routes as privacy
from services.api.proof import routes as proof
from services.api.readouts import routes as readouts
from services.api.rules import dry_runs, quality
from services.api.rules import routes as rules
from services.api.runs import outcomes
from services.api.runs import routes as runs
from services.api.spend import routes as spend
from services.api.spend.closed import ClosedSums
from services.api.true_ups import routes as true_ups
from services.api.unit_economics import routes as unit_economics
from services.api.views import routes as views
from services.api.workflows import acts as workflow_acts
from services.api.workflows import routes as workflows
from spendmeter.platform.openapi import problem_responses
from spendmeter.platform.serve import probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters
from spendmeter.platform.trusted_issuers import read_issuers
from spendmeter.pricing.catalog.formats import FILE_BYTES_MAX

PARTS = (
    spend,
    live,
    changes,
    views,
    events,
    unbooked,
    resubmit,
    runs,
    outcomes,
    workflows,
    workflow_acts,
    unit_economics,
    coding_agents,
    corrections,
    rerates,
    true_ups,
    accounting,
    proof,
    chain,
    imports,
    invoices,
    exports,
    dimensions,
    label_maps,
    rules,
    quality,
    dry_runs,
    privacy,
    meters,
    readouts,
    mcp,
    budgets,
    forecast_routes,
    budget_requests,
    allocations,
    periods,
    statements,
    statement_export,
    allocation_plans,
    registered_assets,
    asset_entries,
    incidents,
    incident_acts,
    planned,
    channels,
    channel_deliveries,
    catalog,
    choice,
    model_decisions,
    keys,
    people,
    audit,
    session,
    sign_in,
)

COMPRESSED_FROM_BYTES = 1024
COMPRESSION = 4
"""Of 9: amounts repeat themselves, and the rest would be paid by whoever is asked next."""

BODY_BYTES_MAX = 64 * 1024


def body_bytes_max(path: str) -> int:
    """How large the body of a request to this path may be."""
    if path in catalog.FILE_PATHS:
        return FILE_BYTES_MAX
    if path in imports.FILE_PATHS:
        return imports.BILL_BYTES_MAX
    if path == invoices.PATH:
        return invoices.BILL_BYTES_MAX
    return resubmit.RESUBMIT_BYTES_MAX if path == resubmit.RESUBMIT_PATH else BODY_BYTES_MAX


def create_app(
    settings: Settings, database: Database, progress: BookProgress, not_ready: Callable[[], str]
) -> FastAPI:
    """The routes, and what they need in `app.state`."""
    app = FastAPI(
        title="Spendmeter",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from another host; /docs is ours
        redoc_url=None,
        responses=problem_responses({}),
        servers=[{"url": "/", "description": "this server"}],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # one list of names: metrics.toml
    )
    app.state.settings = settings
    app.state.closed = ClosedSums()
    app.state.booked_days = BookedDays()
    app.state.shared_answers = SharedAnswers()
    app.state.database = database
    app.state.ingest_door = IngestDoor(settings.ingest_url)
    app.state.accrual_door = AccrualDoor(settings.ingest_url, settings.accrual_key.get_secret_value())
    app.state.keys = ApiKeys(database)
    app.state.issuers = Issuers(
        read_issuers(settings.issuers.get_secret_value()), allow_private=settings.issuers_allow_private
    )
    app.state.progress = progress
    app.state.waiting = Waiters(database)
    app.state.corrector = CorrectorAccess(settings, database)
    app.state.imports = RunningImports()
    app.state.bill_turns = BillTurns()
    app.state.exports = RunningExports(settings.database_url.get_secret_value())
    app.state.price_books = PriceBooks(database)
    app.state.past_changes = PastChanges()
    app.state.past_books = PastBooks()
    app.state.past_prices = PastPrices()
    app.state.priced_slices = PricedSlices()
    app.state.live = LiveTotals(
        lambda onlooker: read_live(
            database, app.state.progress, app.state.closed, onlooker, datetime.now(UTC)
        )
    )
    problems.install(app)
    app.router.routes.extend(probe_routes(not_ready))
    for module in (*PARTS, assets):
        app.include_router(module.router)
    describe_problems(app, body_bytes_max)
    # No answer that holds a secret is compressed: they are all smaller.
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=COMPRESSION)
    if origins := settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Cache-Control",
                "Content-Type",
                "If-None-Match",
                "X-Spendmeter-Tenant",
            ],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Complete-Through"],
        )
    app.add_middleware(Edge, meters=Meters(), body_bytes_max=body_bytes_max)
    return app
