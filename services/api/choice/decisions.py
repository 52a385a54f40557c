"""`/v1/models/decisions`: who moved which calls to which model, what that was to save, and what it saved."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import Governing, Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import being_added_up
from services.api.choice.asked import candidates_of, growth_of
from services.api.choice.comparing import ModelKey, key_of
from services.api.choice.decision_models import (
    DecisionWithdrawal,
    ModelDecision,
    ModelDecisions,
    NewDecision,
    SavingForecast,
)
from services.api.choice.realised import Move, credits_of, forecast_of, overlap, realised_of, unread
from services.api.choice.slices import ROWS_MAX, slice_of
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.filters import check_dimensions
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found, too_many
from services.api.http.representation import Negotiated
from spendmeter.contracts.gate import as_booked
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.choice.reprice import Pricing
from spendmeter.pricing.choice.traffic import CandidateModel
from spendmeter.pricing.price_book import PriceBook

DECISIONS_MAX = 50
WITHDRAWN_MAX = 50
EVIDENCE = timedelta(days=30)
REACH = timedelta(days=366)
"""How far before or after today a decision may take effect; savings are counted for as long."""

PROJECTIONS = ("cells", "quality_hours")
AGAIN = "what was booked is being added up anew"
TOO_MUCH = (
    f"its slice has more than {ROWS_MAX:,} days, prices and ways of serving: more than one answer holds"
)

SQL = load_sql(Path(__file__).with_name("decisions.sql"))
router = APIRouter(tags=["models"], route_class=Negotiated)


@router.get("/v1/models/decisions", responses=answers("model_decisions"))
@answered_once
async def list_decisions(
    request: Request, caller: Reader, owner: Annotated[str, Query(max_length=128)] = ""
) -> ModelDecisions:
    """Every decision in force, with its forecast and realised saving, and what each owner's have saved."""
    book = await _book(request)
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        rows = [
            *await connection.fetch(SQL["in_force"], owner),
            *await connection.fetch(SQL["withdrawn"], owner, WITHDRAWN_MAX),
        ]
        again = await being_added_up(connection, *PROJECTIONS)
        decisions = [await _answer(connection, caller.tenant, row, book, again=again) for row in rows]
    return ModelDecisions(decisions=decisions, credits=credits_of(decisions))


@router.get("/v1/models/decisions/{id}", responses=answers("model_decision", missing="no such decision"))
async def get_decision(request: Request, caller: Reader, id: UUID) -> ModelDecision:
    """One decision, in force or withdrawn."""
    book = await _book(request)
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        row = await connection.fetchrow(SQL["one"], id)
        if row is None:
            raise not_found(f"there is no decision {id}")
        again = await being_added_up(connection, *PROJECTIONS)
        return await _answer(connection, caller.tenant, row, book, again=again)


@router.post("/v1/models/decisions", status_code=201, responses=answers("model_decision", status=201))
async def decide(request: Request, response: Response, caller: Governing, body: NewDecision) -> ModelDecision:
    """Write down that a slice moves to another model. What it is to save is worked out now, from the 30
    complete days before it takes effect, and kept with its inputs; while what was booked is added up anew, it
    is refused (503). A call's saving is one decision's: a second one to the same model for a slice that may
    hold the same calls is refused (409)."""
    book, now = await _book(request), datetime.now(UTC)
    move = _move(body.from_model, body.to_model, body.growth)
    if abs(body.effective_day - now.date()) > REACH:
        raise invalid("effective_day", f"may be at most {REACH.days} days from today")
    scope = {name: as_booked(name, value) for name, value in body.filter.items()}
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        check_dimensions([], scope, await known_dimensions(connection, scope))
        tenant = await read_tenant(connection, caller.tenant)
        said = {move.new.name: move.growth} if move.growth else {}
        pricing = Pricing(book=book, tenant=caller.tenant, currency=tenant.currency, at=now, growth=said)
        if key_of(move.old, pricing) == key_of(move.new, pricing):
            raise invalid("to_model", "is the model that it moves from")
        await _refuse_overlap(connection, scope, move, pricing)
        if await being_added_up(connection, *PROJECTIONS):
            raise HttpRefusal(
                503, "Not added up yet", f"{AGAIN}: decide it in some minutes", retry_after_s=60
            )
        forecast = await _forecast(connection, move, scope, pricing, min(body.effective_day, now.date()))
        growth = (move.growth.low, move.growth.high) if move.growth else (None, None)
        made = await connection.fetchval(
            SQL["decide"], caller.tenant, body.title, body.reason, scope, move.old.name, move.new.name,
            body.owner, body.effective_day, *growth, forecast.model_dump(mode="json"), caller.by,
        )  # fmt: skip
    response.headers["Location"] = f"/v1/models/decisions/{made}"
    return await get_decision(request, caller, made)


@router.post(
    "/v1/models/decisions/{id}/withdraw", responses=answers("model_decision", missing="no such decision")
)
async def withdraw(request: Request, caller: Governing, id: UUID, body: DecisionWithdrawal) -> ModelDecision:
    """Say that a decision holds no longer: it stays, and what it saves is nobody's. Asked again, the first
    withdrawal stands."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        if await connection.fetchrow(SQL["one"], id) is None:
            raise not_found(f"there is no decision {id}")
        await connection.execute(SQL["withdraw"], caller.tenant, id, body.reason, caller.by)
    return await get_decision(request, caller, id)


async def _book(request: Request) -> PriceBook:
    snapshot = await request.app.state.price_books.newest()
    book: PriceBook = snapshot.book
    return book


def _move(old: str, new: str, growth: str) -> Move:
    """Raises HttpRefusal (422)."""
    models = [candidates_of(name, field) for field, name in (("from_model", old), ("to_model", new))]
    if any(len(named) != 1 for named in models):
        raise invalid("to_model", "must be one model as provider/sku, and so must from_model")
    [[left], [right]] = models
    said = growth_of(f"{right.name}:{growth}").get(right.name) if growth else None
    if growth and said is None:
        raise invalid("growth", "must be as 1.05..1.2")
    return Move(old=left, new=right, growth=said)


async def _refuse_overlap(
    connection: TenantConnection, scope: Mapping[str, str], move: Move, pricing: Pricing
) -> None:
    rows = await connection.fetch(SQL["in_force"], "")
    if len(rows) >= DECISIONS_MAX:
        raise too_many("decisions in force", DECISIONS_MAX)
    key = key_of(move.new, pricing)
    for row in rows:
        if overlap(scope, row["filter"]) and _key(row["to_model"], pricing) == key:
            about = f"decision {row['id']} ({row['title']}) is about some of the same calls"
            raise HttpRefusal(409, "Already decided", about)


def _key(name: str, pricing: Pricing) -> ModelKey:
    provider, _, sku = name.partition("/")
    return key_of(CandidateModel(provider=provider, sku=sku), pricing)


async def _forecast(
    connection: TenantConnection, move: Move, scope: Mapping[str, str], pricing: Pricing, until: date
) -> SavingForecast:
    days = until - EVIDENCE, until
    filters = await _filters(connection, scope, [move.old, move.new], pricing)
    asked = await slice_of(connection, filters, days)
    if (rows := await asked.used("traffic")) is None:
        raise invalid("filter", "lets through more prices and ways of serving than one forecast holds")
    calls = await asked.calls()
    return await asyncio.to_thread(forecast_of, move, rows, calls, pricing, days)


async def _filters(
    connection: TenantConnection, scope: Mapping[str, str], models: list[CandidateModel], pricing: Pricing
) -> dict[str, list[str]]:
    """The slice, and of it what events call these models."""
    keys = {key_of(model, pricing) for model in models}
    names = [
        (row["provider"], row["sku"])
        for row in await connection.fetch(SQL["names"])
        if key_of(CandidateModel(provider=row["provider"], sku=row["sku"]), pricing) in keys
    ]
    asked = {name: [value] for name, value in scope.items()}
    for place, name in enumerate(("provider", "sku")):
        mean = {each[place] for each in names}
        asked[name] = sorted(mean & set(asked[name]) if name in asked else mean)
    return asked


async def _answer(
    connection: TenantConnection, tenant: str, row: Any, book: PriceBook, *, again: bool
) -> ModelDecision:
    """`again`: sums are of a part of the book alone, just now."""
    fields = {name: row[name] for name in ModelDecision.model_fields if name in row}
    if row["withdrawn_at"] is not None:
        return ModelDecision(**fields, realised=None)
    forecast = SavingForecast(**row["forecast"])
    low, high = row["growth_low"], row["growth_high"]
    move = _move(row["from_model"], row["to_model"], "" if low is None else f"{low:f}..{high:f}")
    today = datetime.now(UTC).date()
    days = row["effective_day"], min(today, row["effective_day"] + REACH)
    pricing = Pricing(book=book, tenant=tenant, currency=forecast.currency, at=datetime.now(UTC))
    rows, calls = [], {}
    if again:
        return ModelDecision(**fields, realised=unread(forecast.currency, days, AGAIN))
    if days[0] < days[1]:
        filters = await _filters(connection, row["filter"], [move.old, move.new], pricing)
        asked = await slice_of(connection, filters, days)
        if (found := await asked.used("daily")) is None:
            return ModelDecision(**fields, realised=unread(forecast.currency, days, TOO_MUCH))
        rows, calls = found, await asked.calls()

    def work() -> ModelDecision:
        realised = realised_of(move, rows, calls, book=book, tenant=tenant, forecast=forecast, days=days)
        return ModelDecision(**fields, realised=realised)

    return await asyncio.to_thread(work)
