"""Entries of the catalog and changes of prices as lines of CSV. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.api.http.models import DecimalString

_RECORDED = (
    "says", "conditions", "version", "recorded_at", "recorded_by",
    "withdrawn_version", "withdrawn_at", "withdrawn_by", "withdrawn_why",
)  # fmt: skip


class EntryLine(BaseModel):
    """An entry as it was published. `kind`: price, model or adjustment; the amounts are of a price, and a
    model without one has a line that says so by their absence."""

    provider: str
    sku: str
    retired: bool
    kind: str
    unit: str
    price: DecimalString | None
    per: int | None
    currency: str
    says: str
    conditions: str
    id: str
    source: str
    note: str
    version: int | None
    recorded_at: datetime | None
    recorded_by: str
    withdrawn_version: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_why: str


class ChangeLine(BaseModel):
    """What a price was and what it is: for `per` units, in a currency; nothing = there was none, or is none
    any more."""

    change: str
    provider: str
    sku: str
    unit: str
    conditions: str
    holds_from: datetime | None
    holds_until: datetime | None
    before: DecimalString | None
    before_per: int | None
    before_currency: str
    after: DecimalString | None
    after_per: int | None
    after_currency: str
    ratio: DecimalString | None


def entry_line(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Of a recorded entry, as JSON has it: fields at their default are left out there."""
    entry = recorded["entry"]
    line = {name: entry.get(name, "") for name in ("provider", "sku", "unit", "id", "source", "note")}
    price, per, currency = _price(entry)
    return {
        **line,
        "kind": entry["type"].split(".")[-2],
        "price": price,
        "per": per,
        "currency": currency,
        **{name: recorded[name] for name in _RECORDED},
    }


def change_line(change: Mapping[str, Any]) -> dict[str, Any]:
    """Of a change of a price or of a factor, as JSON has it."""
    line = {name: change[name] for name in ("change", "provider", "sku", "unit", "conditions")}
    when = change["when"]
    line |= {"holds_from": when.get("effective_from"), "holds_until": when.get("effective_to")}
    for side in ("before", "after"):
        line[side], line[f"{side}_per"], line[f"{side}_currency"] = _price(change.get(side) or {})
    return line | {"ratio": change.get("ratio")}


def _price(entry: Mapping[str, Any]) -> tuple[Any, Any, str]:
    """(amount, per, currency); a factor has no currency."""
    if "price" not in entry:
        return entry.get("factor"), None, ""
    return entry["price"], entry.get("per", 1), entry.get("currency", "USD")
