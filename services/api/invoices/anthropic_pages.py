"""Anthropic's reports of cost and of usage as rows of a bill, the admin API's and its analytics'. Pure.

Amounts are decimal strings in cents.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from services.api.invoices.billed import BillError, InvoiceLine, checked, utc_day
from services.api.invoices.vendor_words import ANTHROPIC, LEFT_OUT, context_of, region_of, tier_of
from spendmeter.contracts.money import EXACT

_CENTS = 2
"""Places that a cent lies behind the point."""
_GROUPS = ("model", "cost_type", "token_type", "service_tier", "context_window", "inference_geo", "speed")


class CacheCreation(Struct, frozen=True):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerToolUse(Struct, frozen=True):
    web_search_requests: int = 0


class AnthropicGroup(Struct, frozen=True):
    """What a result may be told apart by; null where it is not."""

    model: str | None = None
    cost_type: str | None = None
    token_type: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    description: str | None = None
    rbac_group_id: str | None = None


class AnthropicResult(AnthropicGroup, frozen=True):
    """Of costs where it has an amount, else of usage."""

    amount: Decimal | None = None
    list_amount: Decimal | None = None
    currency: str | None = None
    uncached_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation = CacheCreation()
    output_tokens: int | None = None
    server_tool_use: ServerToolUse = ServerToolUse()


class AnthropicBucket(Struct, frozen=True):
    """A bucket with its results; or, in the newer report, an item that is one itself."""

    starting_at: datetime
    ending_at: datetime
    results: list[AnthropicResult] = field(default_factory=list)
    cost: AnthropicResult | None = None
    usage: AnthropicResult | None = None
    group: AnthropicGroup | None = None

    @property
    def day(self) -> date:
        """In UTC. Raises BillError."""
        return utc_day(self.starting_at, self.ending_at)


def rows_of(bucket: AnthropicBucket) -> Iterator[InvoiceLine]:
    """Raises BillError."""
    day = bucket.day
    for result in bucket.results:
        yield from _rows(day, result, result)
    for one in (bucket.cost, bucket.usage):
        if one is not None:
            yield from _rows(day, one, bucket.group or AnthropicGroup())


def _rows(day: date, result: AnthropicResult, group: AnthropicGroup) -> Iterator[InvoiceLine]:
    if group.rbac_group_id is not None:
        raise BillError("is grouped by rbac_group_id: who is in several counts in each, so ask without it")
    told: dict[str, Any] = {
        "day": day,
        "tier": "fast" if group.speed == "fast" else tier_of(group.service_tier or group.speed),
        "context": context_of(group.context_window),
        "region": region_of(group.inference_geo),
    }
    if result.amount is not None:
        yield _cost(result, group, told)
    elif result.uncached_input_tokens is not None or result.output_tokens is not None:
        yield from _usage(result, group, told)
    else:
        raise BillError("has results that are neither of cost nor of usage")


def _cost(result: AnthropicResult, group: AnthropicGroup, told: dict[str, Any]) -> InvoiceLine:
    assert result.amount is not None
    amount, listed = checked(result.amount).scaleb(-_CENTS, EXACT), result.list_amount
    said: dict[str, Any] = {
        "amount": amount,
        "listed": None if listed is None else checked(listed).scaleb(-_CENTS, EXACT),
        "currency": (result.currency or "USD").upper(),
    }
    if all(getattr(group, name) is None for name in (*_GROUPS, "description")):
        return InvoiceLine(kind="total", day=told["day"], **said)
    fee = ANTHROPIC["cost_types"].get(group.cost_type or "", "")
    unit = fee or ANTHROPIC["token_types"].get(group.token_type or "", "")
    model = fee or group.model or group.description or group.cost_type or ""
    return InvoiceLine(kind="cost", model=model, unit=unit, **({"day": told["day"]} if fee else told), **said)


def _usage(result: AnthropicResult, group: AnthropicGroup, told: dict[str, Any]) -> Iterator[InvoiceLine]:
    if group.model is None:
        raise BillError("has usage that is not grouped by model: ask for group_by[]=model")
    if told["tier"] in LEFT_OUT["anthropic"]:
        return  # no cost report has it
    found = {
        "input_tokens": result.uncached_input_tokens,
        "cache_read_tokens": result.cache_read_input_tokens,
        "cache_write_5m_tokens": result.cache_creation.ephemeral_5m_input_tokens,
        "cache_write_1h_tokens": result.cache_creation.ephemeral_1h_input_tokens,
        "output_tokens": result.output_tokens,
    }
    for unit, quantity in found.items():
        if quantity:
            yield InvoiceLine(kind="usage", model=group.model, unit=unit, quantity=Decimal(quantity), **told)
    if searches := result.server_tool_use.web_search_requests:
        yield InvoiceLine(
            kind="usage", day=told["day"], model="searches", unit="searches", quantity=Decimal(searches)
        )
