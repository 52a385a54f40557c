"""OpenAI's pages of costs and of usage as rows of a bill. Pure.

Amounts are JSON numbers: their digits are taken as they are written, never by way of a float.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from services.api.invoices.billed import NO_YEAR, UNKNOWN, BillError, InvoiceLine, checked, utc_day
from services.api.invoices.vendor_words import LONG, OPENAI, SHORT, tier_of
from spendmeter.contracts.money import EXACT

_ASKER = re.compile(rf"^(?:{'|'.join(OPENAI['before']['askers'])}) \| ", re.IGNORECASE)
COSTS = "organization.costs.result"
USAGE = ("organization.usage.completions.result", "organization.usage.embeddings.result")
_LINE = re.compile(
    r"(?:(?P<tier>[\w -]+) \| )?(?P<model>[^,|]+?)(?: (?P<content>text|audio|image))?, (?P<meter>[\w ]+?)"
    r"(?P<long>, long context)?"
)


class OpenAIAmount(Struct, frozen=True):
    value: Decimal | None = None
    currency: str | None = None


class OpenAIResult(Struct, frozen=True):
    """Of costs, and of usage; which of them its `object` says."""

    object: str
    amount: OpenAIAmount | None = None
    line_item: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    model: str | None = None
    batch: bool | None = None
    service_tier: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_text_tokens: int | None = None
    input_uncached_tokens: int | None = None
    input_cached_tokens: int | None = None
    input_cached_text_tokens: int | None = None
    input_cache_write_tokens: int | None = None
    input_cache_write_30m_tokens: int | None = None
    input_cache_write_12h_tokens: int | None = None
    output_text_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_cached_audio_tokens: int | None = None
    input_cached_image_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None


class OpenAIBucket(Struct, frozen=True):
    start_time: int
    end_time: int
    results: list[OpenAIResult] = field(default_factory=list)

    @property
    def day(self) -> date:
        """In UTC. Raises BillError."""
        try:
            start, end = (datetime.fromtimestamp(at, UTC) for at in (self.start_time, self.end_time))
        except (ValueError, OverflowError, OSError):
            raise BillError(NO_YEAR) from None
        return utc_day(start, end)


def rows_of(bucket: OpenAIBucket) -> Iterator[InvoiceLine]:
    """Raises BillError for results that are neither costs nor usage of tokens."""
    day = bucket.day
    for result in bucket.results:
        if result.object == COSTS:
            yield _cost(day, result)
        elif result.object in USAGE:
            yield from _usage(day, result)
        else:
            raise BillError(
                f"has results of {result.object[:80]!r}: costs, or usage of completions and embeddings"
            )


def _cost(day: date, result: OpenAIResult) -> InvoiceLine:
    if result.amount is None or result.amount.value is None or not result.amount.currency:
        raise BillError("has a cost without an amount or a currency")
    value = checked(result.amount.value)
    said: dict[str, Any] = {
        "day": day,
        "amount": value,
        "currency": result.amount.currency.upper(),
    }
    line = result.line_item
    if line is None:
        return InvoiceLine(kind="total", **said)
    quantity = None
    factor = OPENAI["quantities"].get(result.quantity_unit or "", None)
    if result.quantity is not None and (factor or result.quantity_unit is None):
        quantity = EXACT.multiply(checked(result.quantity), factor or 1)
    line = _ASKER.sub("", line.strip())
    read = _LINE.fullmatch(line)
    unit = OPENAI["meters"].get(read["meter"].lower(), "") if read else ""
    if read and read["tier"] and read["tier"].lower() not in OPENAI["before"]["tiers"]:
        unit = ""
    if read is None or not unit:
        begun = [unit for begins, unit in OPENAI["lines"].items() if line.lower().startswith(begins)]
        fee = begun[0] if begun else UNKNOWN if read else ""
        if fee == UNKNOWN:
            return InvoiceLine(kind="cost", model=line, unit=UNKNOWN, **said)
        return InvoiceLine(kind="cost", model=fee or line, unit=fee, quantity=quantity, **said)
    unit = OPENAI["of_content"].get(read["content"] or "", {}).get(unit, unit)
    return InvoiceLine(
        kind="cost",
        model=read["model"].strip(),
        unit=unit,
        tier=tier_of(read["tier"] or ""),
        context=LONG if read["long"] else SHORT,
        quantity=quantity,
        **said,
    )


def _usage(day: date, result: OpenAIResult) -> Iterator[InvoiceLine]:
    if result.model is None:
        raise BillError("has usage that is not grouped by model: ask for group_by=model")
    if result.object != USAGE[0]:
        found = {"input_tokens": result.input_tokens}
    else:
        found = {unit: _first(result, fields) for unit, fields in OPENAI["usage"].items()}
        if found["input_tokens"] is None:  # older answers tell what is cached, and the whole
            inside = sum(found[unit] or 0 for unit in ("cache_read_tokens", "cache_write_5m_tokens"))
            found["input_tokens"] = (result.input_tokens or 0) - inside
    for unit, quantity in found.items():
        if quantity:
            yield InvoiceLine(
                day=day,
                kind="usage",
                model=result.model,
                unit=unit,
                tier=tier_of(result.service_tier, result.batch),
                quantity=Decimal(quantity),
            )


def _first(result: OpenAIResult, fields: list[str]) -> int | None:
    return next((found for name in fields if (found := getattr(result, name)) is not None), None)
