"""Providers' bills as tests need them, built with the vendors' own typed models: what these do not know is no bill."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from anthropic.pagination import SyncReportPageCursor
from anthropic.types.beta.beta_cache_creation import BetaCacheCreation
from anthropic.types.beta.organization.analytics.beta_analytics_cost_group import BetaAnalyticsCostGroup
from anthropic.types.beta.organization.analytics.beta_analytics_cost_item import BetaAnalyticsCostItem
from anthropic.types.beta.organization.analytics.beta_analytics_cost_metrics import BetaAnalyticsCostMetrics
from anthropic.types.beta.organization.beta_analytics_cost_bucketed_result import (
    BetaAnalyticsCostBucketedResult,
)
from anthropic.types.beta.organization.beta_analytics_cost_report_time_bucket import (
    BetaAnalyticsCostReportTimeBucket,
)
from anthropic.types.beta.organization.beta_analytics_server_tool_use import BetaAnalyticsServerToolUse
from anthropic.types.beta.organization.beta_analytics_usage_bucketed_result import (
    BetaAnalyticsUsageBucketedResult,
)
from anthropic.types.beta.organization.beta_analytics_usage_report_time_bucket import (
    BetaAnalyticsUsageReportTimeBucket,
)
from openai.types.admin.organization.usage_completions_response import (
    Data as UsageBucket,
)
from openai.types.admin.organization.usage_completions_response import (
    DataResultOrganizationUsageCompletionsResult,
    UsageCompletionsResponse,
)
from openai.types.admin.organization.usage_costs_response import (
    Data,
    DataResultOrganizationCostsResult,
    DataResultOrganizationCostsResultAmount,
    UsageCostsResponse,
)

from services.api.invoices import pages
from services.api.invoices.billed import ProviderBill

DAY = date(2026, 11, 10)


def read_bill(provider: str, content: bytes) -> ProviderBill:
    """What a file of this content says."""
    return pages.read_bill(provider, io.BytesIO(content))


_ONE = timedelta(days=1)


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _unix(day: date) -> int:
    return int(_start(day).timestamp())


def openai_line(
    line: str | None,
    value: float,
    quantity: float | None = None,
    currency: str = "usd",
    unit: str | None = "tokens",
) -> DataResultOrganizationCostsResult:
    return DataResultOrganizationCostsResult(
        object="organization.costs.result",
        amount=DataResultOrganizationCostsResultAmount(value=value, currency=currency),
        line_item=line,
        quantity=quantity,
        quantity_unit=None if quantity is None else unit,
    )


def openai_costs(
    of_days: dict[date, list[DataResultOrganizationCostsResult]], *, more: bool = False
) -> bytes:
    buckets = [
        Data(object="bucket", start_time=_unix(day), end_time=_unix(day + _ONE), results=list(results))
        for day, results in of_days.items()
    ]
    return UsageCostsResponse(object="page", data=buckets, has_more=more).model_dump_json().encode()


def openai_usage(of_days: dict[date, list[dict[str, Any]]]) -> bytes:
    buckets = [
        UsageBucket(
            object="bucket",
            start_time=_unix(day),
            end_time=_unix(day + _ONE),
            results=[
                DataResultOrganizationUsageCompletionsResult(
                    object="organization.usage.completions.result", num_model_requests=1, **result
                )
                for result in results
            ],
        )
        for day, results in of_days.items()
    ]
    return UsageCompletionsResponse(object="page", data=buckets, has_more=False).model_dump_json().encode()


def anthropic_cost(cents: str, listed: str | None = None, **group: Any) -> BetaAnalyticsCostBucketedResult:
    return BetaAnalyticsCostBucketedResult(amount=cents, list_amount=listed or cents, currency="USD", **group)


def anthropic_costs(of_days: dict[date, list[BetaAnalyticsCostBucketedResult]]) -> bytes:
    buckets = [
        BetaAnalyticsCostReportTimeBucket(
            starting_at=_start(day), ending_at=_start(day + _ONE), results=list(results)
        )
        for day, results in of_days.items()
    ]
    page = SyncReportPageCursor[BetaAnalyticsCostReportTimeBucket](data=buckets, has_more=False)
    return page.model_dump_json().encode()


def anthropic_items(of_days: dict[date, list[tuple[str, dict[str, Any]]]]) -> bytes:
    """The newer report: an item a group."""
    items = [
        BetaAnalyticsCostItem(
            starting_at=_start(day),
            ending_at=_start(day + _ONE),
            cost=BetaAnalyticsCostMetrics(amount=cents, list_amount=cents, currency="USD"),
            group=BetaAnalyticsCostGroup(**group),
        )
        for day, results in of_days.items()
        for cents, group in results
    ]
    page = SyncReportPageCursor[BetaAnalyticsCostItem](data=items, has_more=False)
    return page.model_dump_json().encode()


def anthropic_used(
    uncached: int = 0, *, read: int = 0, written: int = 0, hour: int = 0, output: int = 0, **group: Any
) -> BetaAnalyticsUsageBucketedResult:
    return BetaAnalyticsUsageBucketedResult(
        uncached_input_tokens=uncached,
        cache_read_input_tokens=read,
        cache_creation=BetaCacheCreation(ephemeral_5m_input_tokens=written, ephemeral_1h_input_tokens=hour),
        output_tokens=output,
        server_tool_use=BetaAnalyticsServerToolUse(web_search_requests=0),
        **group,
    )


def anthropic_usage(of_days: dict[date, list[BetaAnalyticsUsageBucketedResult]]) -> bytes:
    buckets = [
        BetaAnalyticsUsageReportTimeBucket(
            starting_at=_start(day), ending_at=_start(day + _ONE), results=list(results)
        )
        for day, results in of_days.items()
    ]
    page = SyncReportPageCursor[BetaAnalyticsUsageReportTimeBucket](data=buckets, has_more=False)
    return page.model_dump_json().encode()


def usage_rows(of_days: dict[date, list[tuple[int, int, dict[str, str]]]]) -> bytes:
    """The admin API's usage report, which has service tiers; the SDK has no type of it: as its reference shows it."""
    buckets = [
        {
            "starting_at": _start(day).isoformat(),
            "ending_at": _start(day + _ONE).isoformat(),
            "results": [
                {
                    "uncached_input_tokens": uncached,
                    "cache_read_input_tokens": 0,
                    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                    "output_tokens": output,
                    "server_tool_use": {"web_search_requests": 0},
                    **group,
                }
                for uncached, output, group in results
            ],
        }
        for day, results in of_days.items()
    ]
    return json.dumps({"data": buckets, "has_more": False, "next_page": None}).encode()
