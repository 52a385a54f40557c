"""`GET /v1/models/compare`: own traffic on other models; `/v1/models/estimate`: traffic that is to come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import Caller, Reader
from services.api.access.sharing import answered_once, question_key
from services.api.accounting.completeness import Folded, folded, not_added_up
from services.api.choice.asked import candidates_of, decimal_of, figure_of, growth_of, usage_of, utc_days
from services.api.choice.comparing import (
    Worth,
    all_comparable,
    compared,
    left_out,
    sellers_of,
    traffic_answer,
    used_here,
)
from services.api.choice.estimating import StatedTraffic, estimated
from services.api.choice.models import ComparedModels, ModelEstimate
from services.api.choice.priced_slices import PricedSlice, PricedSlices, priced_since, priced_slice
from services.api.choice.slices import ROWS_MAX, SQL, slice_of
from services.api.choice.traffic import CallSums, added_up, traffic_of
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, filters_of
from services.api.http.models import NOT_MEASURED, Complete
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import JSON, Negotiated
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import SpanParameters, checked_range, span_of
from spendmeter.pricing.choice.reprice import Pricing
from spendmeter.pricing.price_book import PriceBook

DAYS = 30
DAYS_MAX = 100
TOP_MAX = 50
FIGURE_MAX, ATTEMPTS_MAX = 10**9, 100
PARAMETERS = "from to range tz candidates top growth price_per_error price_per_second".split()
PROJECTIONS = ("cells", "quality_hours")
NO_FILTER: Mapping[str, list[str]] = {}

router = APIRouter(tags=["models"], route_class=Negotiated)

_Price = Annotated[str, Query(max_length=32, description="in the currency of each row; 0: not asked for")]
_Candidates = Annotated[
    str,
    Query(
        max_length=4000,
        description="models as provider/sku, separated by commas; empty: of those of the sellers "
        "that you use that have a price for everything that was used the `top` that may cost least",
        examples=["anthropic/claude-sonnet-5,openai/gpt-5"],
    ),
]


@dataclass(frozen=True, kw_only=True)
class SliceRows:
    """What one transaction read about a slice of the tenant's traffic."""

    tenant: Tenant
    days: tuple[date, date]
    traffic: list[Any]
    own: dict[tuple[str, str], CallSums]
    everywhere: dict[tuple[str, str], CallSums]


@router.get(
    "/v1/models/compare",
    response_model=ComparedModels,
    responses=answers("compared_models"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def compare_models(
    request: Request,
    caller: Reader,
    span: SpanParameters,
    candidates: _Candidates = "",
    top: Annotated[int, Query(ge=1, le=TOP_MAX, description="candidates, where none are named")] = 10,
    growth: Annotated[
        str,
        Query(
            max_length=2000,
            description="so many times the tokens of text, at least and at most, by your own count",
            examples=["openai/gpt-5:1.05..1.2"],
        ),
    ] = "",
    price_per_error: _Price = "0",
    price_per_second: _Price = "0",
) -> Response:
    """Own traffic on other models: the same calls at today's prices, as contracted, with tiers, batches,
    caching and length of context as they were. By default of the last 30 days; days are those of UTC."""
    filters = filters_of(request.query_params.multi_items(), PARAMETERS)
    named, stated = candidates_of(candidates), growth_of(growth)
    worth = Worth(
        price_per_error=decimal_of("price_per_error", price_per_error),
        price_per_second=decimal_of("price_per_second", price_per_second),
    )
    now = datetime.now(UTC)
    snapshot = await request.app.state.price_books.newest()

    async def answer() -> bytes:
        async with database_of(request).reading(caller.tenant, spend=True) as connection:
            check_dimensions([], filters, await known_dimensions(connection, filters))
            tenant = await read_tenant(connection, caller.tenant)
            start, end = span_of(span, tenant.calendar(span.tz), now)
            end = now if end is None else end
            start = end - timedelta(days=DAYS) if start is None else start
            days = utc_days(*checked_range(start, end, DAYS_MAX))
            standing = await folded(request, connection, caller.onlooker, *PROJECTIONS)
            generation = await connection.fetchval(SQL["folded"], caller.tenant, *days)
            slice_key = (caller.tenant, days, generation, *question, snapshot.version, priced_since(now))
            if (found := kept.get(slice_key)) is None:
                rows = await read_slice(connection, tenant, days, filters)

        def work() -> PricedSlice:
            return _compared(caller, rows, snapshot.book, now, named, top, worth, stated)

        if found is None:
            found = await asyncio.to_thread(work)
            kept.put(slice_key, found)
        return _standing_now(found, standing, caller)

    kept: PricedSlices = request.app.state.priced_slices
    question = (
        tuple((name, tuple(values)) for name, values in sorted(filters.items())),
        (tuple(named), top, worth, tuple(sorted(stated.items()))),
    )
    asked = question_key(request, caller.onlooker, request.query_params.multi_items())
    key = asked, snapshot.version, now.replace(second=0, microsecond=0)
    content = await shared_answers_of(request).get(key, answer, fresh=wants_fresh(request))
    return Response(content, media_type=JSON)


async def read_slice(
    connection: TenantConnection,
    tenant: Tenant,
    days: tuple[date, date],
    filters: Mapping[str, list[str]],
) -> SliceRows:
    """Raises HttpRefusal (422) for a slice of more ways to be served and priced than one answer holds."""
    asked = await slice_of(connection, filters, days)
    if (traffic := await asked.used("traffic")) is None:
        raise invalid("filter", f"lets through more than {ROWS_MAX:,} prices and ways of serving: narrow it")
    own = await asked.calls()
    everywhere = await (await slice_of(connection, NO_FILTER, days)).calls() if filters else own
    return SliceRows(
        tenant=tenant,
        days=days,
        traffic=traffic,
        own=own,
        everywhere=everywhere,
    )


def _compared(
    caller: Caller,
    rows: SliceRows,
    book: PriceBook,
    now: datetime,
    named: list[Any],
    top: int,
    worth: Worth,
    stated: Mapping[str, Any],
) -> PricedSlice:
    models, traffic, beyond, lacking = [], [], 0, 0
    found = traffic_of(rows.traffic, rows.own)
    for currency, slice_ in found.items():
        pricing = Pricing(book=book, tenant=caller.tenant, currency=currency, at=now, growth=stated)
        left = left_out(slice_.uses, pricing)
        traffic.append(traffic_answer(currency, slice_, added_up(rows.own.values()), left))
        out = {each.name for each in left}
        uses = [use for use in slice_.uses if use.model.name not in out]
        own = added_up(sums for model, sums in rows.own.items() if "/".join(model) not in out)
        candidates, used = named, used_here(rows.everywhere, pricing)
        if not candidates:
            candidates, more, fewer = all_comparable(uses, sellers_of(used), pricing, top)
            beyond, lacking = beyond + more, lacking + fewer
        models += compared(currency, uses, candidates, pricing, own, used, worth)
    answer = ComparedModels(
        first_day=rows.days[0],
        last_day=rows.days[1] - timedelta(days=1),
        priced_at=now,
        catalog_version=book.version,
        traffic=traffic,
        models=models,
        not_shown=beyond,
        not_comparable=lacking,
        not_in_it=[],
        **vars(NOT_MEASURED),
    )
    content = answer.model_dump_json(by_alias=True, exclude=set(_StandingNow.model_fields))
    return priced_slice(content.encode(), len(found))


class _StandingNow(Complete):
    """What of `ComparedModels` is another one at each look."""

    not_in_it: list[str]


def _standing_now(found: PricedSlice, standing: Folded, caller: Caller) -> bytes:
    """The answer, with how complete it is."""
    said = ["which models take contexts as long as these is in no price list here: ask their vendors"]
    said += not_added_up(caller.onlooker, standing.unfolded)
    if found.currencies > 1:
        said.append("success and latency are of all currencies together, and context lengths too")
    if not found.currencies:
        said.append("nothing of these days is booked of a model in this slice")
    now = _StandingNow(not_in_it=said, **vars(standing.complete)).model_dump_json().encode()
    return now.removesuffix(b"}") + b"," + found.content.removeprefix(b"{")


@router.get("/v1/models/estimate", response_model=ModelEstimate, responses=answers("model_estimate"))
@answered_once
async def estimate_models(
    request: Request,
    caller: Reader,
    candidates: Annotated[str, Query(min_length=1, max_length=4000, description="as of compare")],
    calls_per_day: Annotated[str, Query(max_length=32)],
    input_tokens: Annotated[str, Query(max_length=32, description="of one attempt, cached or not")],
    output_tokens: Annotated[str, Query(max_length=32)],
    cache_share: Annotated[
        str, Query(max_length=32, description="of input that is read from a cache, 0 to 1")
    ] = "0",
    attempts: Annotated[
        str, Query(max_length=32, description="metered for one call, retries among them: 1 or more")
    ] = "1",
    service_tier: Annotated[str, Query(max_length=128)] = "standard",
    region: Annotated[str, Query(max_length=128)] = "",
    batch: bool = False,
) -> ModelEstimate:
    """What traffic that does not exist yet would cost a day and in 30 days, at today's prices, as contracted.
    The tokens are taken as stated for each model: count them with its own tokenizer."""
    shape = StatedTraffic(
        calls_per_day=figure_of("calls_per_day", calls_per_day, FIGURE_MAX),
        input_tokens=figure_of("input_tokens", input_tokens, FIGURE_MAX),
        output_tokens=figure_of("output_tokens", output_tokens, FIGURE_MAX),
        cache_share=figure_of("cache_share", cache_share, 1),
        attempts=figure_of("attempts", attempts, ATTEMPTS_MAX),
        tier=service_tier,
        region=region,
        batch=batch,
    )
    if shape.attempts < 1:
        raise invalid("attempts", "must be at least 1")
    named = candidates_of(candidates)
    if not named:
        raise invalid("candidates", "must name a model")
    now = datetime.now(UTC)
    snapshot = await request.app.state.price_books.newest()
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        days = utc_days(now - timedelta(days=DAYS), now)
        calls = await (await slice_of(connection, NO_FILTER, days)).calls()
    pricing = Pricing(book=snapshot.book, tenant=caller.tenant, currency=tenant.currency, at=now)
    return ModelEstimate(
        calls_per_day=shape.calls_per_day,
        attempts=shape.attempts,
        usage=usage_of(shape.usage().items()),
        priced_at=now,
        catalog_version=snapshot.version,
        models=estimated(shape, named, pricing, used_here(calls, pricing)),
    )
