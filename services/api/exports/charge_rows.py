"""Rows of bills, which go out with what they came in with. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from services.api.exports.figures import Costs, negated, priced
from services.api.exports.layout import FocusRow, Layout
from services.api.exports.usage_rows import (
    WHOLE,
    BillingAccount,
    ChargeClass,
    SeriesPiece,
    as_json,
    figures_of,
    midnight,
    provider_columns,
    time_piece,
)
from services.api.exports.vocabulary import FocusService, service_of
from spendmeter.contracts.charges import Charge
from spendmeter.contracts.money import EXACT, divided, plain

_AS_BILLED = ("InvoiceId", "ResourceId", "RegionId")
_DAY = timedelta(days=1)
_PRICED = ("Usage", "Purchase")
_FREQUENCIES = ("One-Time", "Recurring", "Usage-Based")
_AMOUNTS = ("effective", "contracted", "list")


class _Stated(Struct, frozen=True, gc=False):
    charge: Charge | None = None


class _Event(Struct, frozen=True, gc=False):
    data: _Stated


_decode = msgspec.json.Decoder(_Event).decode


class CarriedDay(NamedTuple):
    """A day of the tenant, [since, until), of which something was booked in another accounting period."""

    since: datetime
    until: datetime
    period: date

    def holds(self, at: datetime, period: date) -> bool:
        """Whether an entry is of what was."""
        return self.since <= at < self.until and period == self.period


class ChargeEntry(NamedTuple):
    """An entry of the book, of a series that has rows of bills."""

    occurred_at: datetime
    identity: bytes
    seq: int
    series_id: bytes
    recorded_at: datetime
    status: str
    currency: str
    list: str
    contracted: str
    effective: str
    event: str | None
    accounting_period: date = date.min


class Billed(NamedTuple):
    """A row to be exported: an entry, with the charge that it is about."""

    entry: ChargeEntry
    charge: Charge
    correction: ChargeClass
    billed_in: date | None = None
    """The accounting period, where that is not its day's."""


def charge_of_text(event: str) -> Charge | None:
    """The charge that an event's JSON states; None = it is usage, or cannot be read."""
    try:
        return _decode(event).data.charge
    except msgspec.MsgspecError:
        return None


def billed(
    entries: Sequence[ChargeEntry], month_end: datetime, carried: Sequence[CarriedDay] = ()
) -> list[Billed]:
    """Of one event's entries, in their order: what counted when its month had ended, then what corrected it
    since, or came when it was closed."""
    found: list[Billed] = []
    charge: Charge | None = None
    for entry in entries:
        if entry.event is not None:
            charge = charge_of_text(entry.event)
        if charge is None:
            continue
        if any(each.holds(entry.occurred_at, entry.accounting_period) for each in carried):
            found.append(Billed(entry, charge, "Correction", entry.accounting_period))
        elif entry.seq and entry.recorded_at >= month_end:
            found.append(Billed(entry, charge, "Correction"))
        else:
            found = [] if entry.seq % 2 else [Billed(entry, charge, "")]
    return found


def charge_row(layout: Layout, account: BillingAccount, row: Billed, series: SeriesPiece) -> FocusRow:
    """In FOCUS again: the bill's own words, and amounts in the currency of the book."""
    entry, charge, correction, billed_in = row
    reverses = bool(entry.seq % 2)
    category = charge.category.title()
    costs = _costs(entry, charge, reverses)
    quantity = negated(charge.quantity) if reverses else charge.quantity
    prices = priced(quantity or "0", 1, costs)
    has_price = category in _PRICED
    if not has_price:
        prices = prices._replace(quantity="", list="", contracted="", list_priced="", contracted_priced="")
    is_consumed = category == "Usage"
    consumed = quantity or ("-1" if reverses else "1")  # FOCUS takes no usage without: the charge, once
    row_id = f"{entry.occurred_at.date()}/{entry.identity.hex()}" + (f"/{entry.seq}" if correction else "")
    until = charge.until if charge.until is not UNSET else midnight(entry.occurred_at.date() + _DAY)
    unit = WHOLE if prices.whole else charge.unit or WHOLE
    said = {
        **_meter(account, row, series),
        "ConsumedUnit": (charge.unit or WHOLE if quantity else WHOLE) if is_consumed else "",
        "PricingUnit": unit if has_price else "",
        "PricingCategory": "Standard" if has_price else "",
        "SkuId": _sku(charge, series) if has_price else "",
        "SkuMeter": charge.unit or "Charge" if has_price else "",
        "SkuPriceId": charge.details.get("SkuPriceId", "") or _sku(charge, series) if has_price else "",
    }
    events, billed_amount = -1 if reverses else 1, _billed_amount(entry, charge, reverses)
    figures = figures_of(consumed if is_consumed else "", prices, costs, billed_amount, events, row_id)
    time = time_piece(layout, entry.occurred_at, until, billed_in)
    return FocusRow(time, _sub_account(layout, charge, series), layout.piece("meter", said), figures)


def _meter(account: BillingAccount, row: Billed, series: SeriesPiece) -> dict[str, str]:
    entry, charge, correction, _ = row
    details = charge.details
    service = service_of(series.cost_class)
    category = details.get("ServiceCategory", "") or service.category
    frequency = details.get("ChargeFrequency", "")
    if frequency not in _FREQUENCIES or (charge.category == "purchase" and frequency == "Usage-Based"):
        frequency = "One-Time" if charge.category != "usage" else "Usage-Based"
    return {
        "BillingAccountId": account.tenant,
        "BillingAccountName": account.name or account.tenant,
        **provider_columns(series.provider),
        **{name: details.get(name, "") for name in _AS_BILLED},
        "BillingCurrency": entry.currency,
        "ChargeCategory": charge.category.title(),
        "ChargeClass": "Correction" if correction or charge.correction else "",
        "ChargeDescription": charge.description or details.get("ServiceName", "") or series.sku,
        "ChargeFrequency": frequency,
        "InvoiceIssuerName": details.get("InvoiceIssuerName", "") or series.provider,
        "PricingCurrency": charge.currency,
        "RegionName": details.get("RegionId", ""),
        "ServiceCategory": category,
        "ServiceSubcategory": _subcategory(category, service),
        "ServiceName": details.get("ServiceName", "") or series.sku,
        "x_CostClass": series.cost_class,
        "x_Sku": f"{series.provider}/{series.sku}",
        "x_Unit": charge.unit,
        "x_PricingStatus": entry.status,
        "x_BillDetails": as_json(_details(charge)),
    }


def _subcategory(category: str, service: FocusService) -> str:
    """No bill's is kept: that of the cost class where it is one of the category, else the rest of it."""
    return service.subcategory if category == service.category else f"Other ({category})"


def _details(charge: Charge) -> dict[str, str]:
    """What the bill says by its own names, and what columns of ours have in another form."""
    said = {"Quantity": charge.quantity, "BilledCost": charge.billed, "Currency": charge.currency}
    return {**charge.details, **{f"Stated{name}": text for name, text in said.items() if text}}


def _sub_account(layout: Layout, charge: Charge, series: SeriesPiece) -> Any:
    """The team that the bill was mapped to; without one, whose the bill says that it is."""
    of_team = dict(zip((each.name for each in layout.scopes["series"]), series.piece.cells, strict=True))
    if of_team["SubAccountId"]:
        return series.piece
    own = {name: charge.details.get(name, "") for name in ("SubAccountId", "SubAccountName")}
    if not own["SubAccountId"]:
        return series.piece
    own["SubAccountName"] = own["SubAccountName"] or own["SubAccountId"]
    return layout.piece("series", of_team | own | {"SubAccountType": "Sub account"})


def _sku(charge: Charge, series: SeriesPiece) -> str:
    return charge.details.get("SkuId", "") or f"sku:{series.provider}/{series.sku}/charge"


def _costs(entry: ChargeEntry, charge: Charge, reverses: bool) -> Costs:
    stated = [charge.list, charge.contracted, charge.effective]
    if reverses:
        stated = [negated(amount) for amount in stated]
    return Costs(entry.list, entry.contracted, entry.effective, *stated)


def _billed_amount(entry: ChargeEntry, charge: Charge, reverses: bool) -> str:
    """What the invoice asks for, in the currency of the book: of another currency by the rate that the charge
    was booked at, which its amounts show. Without a rate nothing is booked, and nothing said."""
    stated = charge.billed or charge.effective
    if charge.currency != entry.currency:
        return _converted(Decimal(stated), entry, charge)
    return negated(stated) if reverses else stated


def _converted(stated: Decimal, entry: ChargeEntry, charge: Charge) -> str:
    for name in _AMOUNTS:
        if amount := Decimal(getattr(charge, name)):
            booked = Decimal(getattr(entry, name))
            return plain(booked if stated == amount else divided(EXACT.multiply(booked, stated), amount))
    return "0"
