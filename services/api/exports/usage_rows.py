"""What was used, as rows of FOCUS: one a day, series, unit, way of serving and price. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, Self

import msgspec

from services.api.exports.figures import Costs, RowPrices, UnitPrice, priced
from services.api.exports.layout import FocusRow, Layout, RowPiece, pointed
from services.api.exports.vocabulary import (
    consumed_unit,
    meter_words,
    model_details,
    pricing_unit,
    service_name,
    service_of,
)
from spendmeter.contracts.periods import add_months
from spendmeter.contracts.rated import PriceStatus
from spendmeter.contracts.true_ups import SKU, UNIT

WHOLE = "Charges"
"""The unit of what is priced as a whole."""
METERS_KEPT_MAX = 20_000
_UNKNOWN_TAGS = ("cost_class", "provider", "sku", "key_id")
_SAID_FIRST: Mapping[str, str] = {"unpriced": "Price unknown: ", "provisional": "Upper bound: "}
_PRICING: Mapping[str, str] = {"priced": "Standard", "free": "Standard", "reported": "Standard"}
_FREQUENCY = {"hardware": "Recurring", "licence": "Recurring"}

ChargeClass = Literal["", "Correction"]


class BillingAccount(NamedTuple):
    """Whose book it is."""

    tenant: str
    name: str


class MeterPrice(NamedTuple):
    """By what cells are told apart beside their day and series, as in the table `cells`."""

    tier: str
    region: str
    batch: bool
    currency: str
    unit: str
    status: PriceStatus
    entry: str
    factors: str
    contracted_entry: str
    reason: str
    priced_in: str
    contracted_in: str


_decode_price = msgspec.json.Decoder(MeterPrice).decode


@dataclass(slots=True, eq=False)
class CellPricing:
    """A way of pricing, and what rows that have it have alike."""

    price: MeterPrice
    per: int
    in_one_currency: bool
    last: UnitPrice | None = None
    pieces: dict[tuple[str, ...], RowPiece] = field(default_factory=dict)

    @classmethod
    def of(cls, price: MeterPrice) -> Self:
        """One that no row has yet."""
        per, _ = pricing_unit(consumed_unit(price.unit))
        return cls(price, per, price.priced_in == price.contracted_in)


class CellUsage(NamedTuple):
    """What is to be exported of one cell."""

    day: date
    cell_id: str
    """In hex."""
    events: int
    quantity: str
    costs: Costs
    pricing: CellPricing
    correction: ChargeClass = ""
    billed_in: date | None = None
    """The accounting period in which it was booked; None = the month of its day."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPiece:
    """A series: what rows say of it, and what its meters are made of."""

    cost_class: str
    provider: str
    sku: str
    piece: RowPiece


def series_piece(layout: Layout, dimensions: Mapping[str, str]) -> SeriesPiece:
    """Ids are said with their kind: nothing that somebody else made up stands first in such a cell."""
    team, agent = dimensions.get("team", ""), dimensions.get("agent", "")
    tags = {name: said for name, said in dimensions.items() if said and name not in _UNKNOWN_TAGS}
    said = {
        "SubAccountId": f"team:{team}" if team else "",
        "SubAccountName": team,
        "SubAccountType": "Team" if team else "",
        "Tags": as_json(tags),
        "x_PrincipalId": f"team:{team}" if team else "",
        "x_CredentialId": dimensions.get("key_id", ""),
        "x_ConsumerId": f"agent:{agent}" if agent else "",
    }
    cost_class, provider, sku = (dimensions.get(name, "") for name in ("cost_class", "provider", "sku"))
    return SeriesPiece(cost_class, provider, sku, layout.piece("series", said))


def time_piece(layout: Layout, start: datetime, end: datetime, billed_in: date | None = None) -> RowPiece:
    """The billing period is the calendar month, in UTC, in which it was used, or in which it was booked after
    that was closed."""
    month = billed_in or start.date().replace(day=1)
    said = {
        "BillingPeriodStart": instant(midnight(month)),
        "BillingPeriodEnd": instant(midnight(add_months(month, 1))),
        "ChargePeriodStart": instant(start),
        "ChargePeriodEnd": instant(end),
    }
    return layout.piece("time", said)


class UsageRows:
    """Makes rows; what they have alike it makes once."""

    def __init__(self, layout: Layout, account: BillingAccount) -> None:
        self._layout, self._account = layout, account
        self._pricings: dict[str, CellPricing] = {}
        self._pieces = 0
        self._day = (date.min, "", layout.piece("time", {}))

    def pricing(self, said: str) -> CellPricing:
        """The one that a list of `MeterPrice`'s fields in JSON says; the same again, while there is room."""
        if (found := self._pricings.get(said)) is None:
            if self._pieces + len(self._pricings) >= METERS_KEPT_MAX:
                self._pricings.clear()
                self._pieces = 0
            found = self._pricings[said] = CellPricing.of(_decode_price(said))
        return found

    def row(self, used: CellUsage, series: SeriesPiece) -> FocusRow:
        """Of one cell."""
        day, cell_id, events, quantity, costs, pricing, correction, billed_in = used
        quantity = quantity if pricing.price.unit else str(events)
        if not pricing.in_one_currency:  # in two: both in the book's
            costs = costs._replace(
                list_priced=costs.list, contracted_priced=costs.contracted, effective_priced=costs.effective
            )
        prices = priced(quantity, pricing.per, costs, pricing.last)
        if prices.list and (pricing.last is None or prices.list is not pricing.last.text):
            pricing.last = UnitPrice(Decimal(prices.list), prices.list)
        day_text, time = self._time(day)
        row_id = f"{day_text}/{cell_id}/correction" if correction else f"{day_text}/{cell_id}"
        if billed_in is not None:
            row_id = f"{row_id}/{billed_in:%Y-%m}"
            time = time_piece(self._layout, midnight(day), midnight(day + timedelta(days=1)), billed_in)
        return FocusRow(
            time,
            series.piece,
            self._meter(used, series, prices.whole),
            figures_of(quantity, prices, costs, costs.effective, events, row_id),
        )

    def _time(self, day: date) -> tuple[str, RowPiece]:
        if self._day[0] != day:
            start = midnight(day)
            self._day = day, str(day), time_piece(self._layout, start, start + timedelta(days=1))
        return self._day[1:]

    def _meter(self, used: CellUsage, series: SeriesPiece, whole: bool) -> RowPiece:
        key = (series.cost_class, series.provider, series.sku, used.correction, "whole" if whole else "")
        if (found := used.pricing.pieces.get(key)) is None:
            found = used.pricing.pieces[key] = self._layout.piece("meter", self._said(used, series, whole))
            self._pieces += 1
        return found

    def _said(self, used: CellUsage, series: SeriesPiece, whole: bool) -> dict[str, str]:
        price, status = used.pricing.price, used.pricing.price.status
        service = service_of(series.cost_class)
        meter, consumed = meter_words(price.unit) or "Events", consumed_unit(price.unit)
        sku = f"{series.provider}/{series.sku}/{price.unit or 'event'}"
        by = "/".join(filter(None, (price.entry, price.factors.replace(" ", "*"), price.contracted_entry)))
        priced_in = price.priced_in if price.priced_in == price.contracted_in else price.currency
        is_true_up = price.unit == UNIT and series.sku == SKU
        return {
            **account_columns(self._account),
            **provider_columns(series.provider),
            "BillingCurrency": price.currency,
            "ChargeCategory": "Usage",
            "ChargeClass": used.correction,
            "ChargeDescription": (
                f"What the term {price.entry} of a whole period changes of what its usage was booked at"
                if is_true_up
                else f"{_SAID_FIRST.get(status, '')}{meter} of {series.sku}"
            ),
            "ChargeFrequency": _FREQUENCY.get(series.cost_class, "Usage-Based"),
            "ConsumedUnit": consumed,
            "InvoiceIssuerName": series.provider,
            "PricingCategory": _PRICING.get(status, "Other"),
            "PricingCurrency": priced_in or price.currency,
            "PricingUnit": WHOLE if whole else pricing_unit(consumed)[1],
            "RegionId": price.region,
            "RegionName": price.region,
            "ServiceCategory": service.category,
            "ServiceSubcategory": service.subcategory,
            "ServiceName": service_name(series.cost_class, series.provider),
            "SkuId": f"sku:{sku}",
            "SkuMeter": meter,
            "SkuPriceId": f"{'price' if price.entry else status}:{sku}" + (f"/{by}" if by else ""),
            "SkuPriceDetails": as_json(model_details(series.sku, price.unit))
            if series.cost_class == "model" and not is_true_up
            else "",
            "x_CostClass": series.cost_class,
            "x_Sku": f"{series.provider}/{series.sku}",
            "x_Unit": price.unit,
            "x_PricingStatus": status,
            "x_StatusReason": price.reason,
            "x_PriceEntry": price.entry,
            "x_ServiceTier": price.tier,
            "x_Batch": "true" if price.batch else "false",
        }


def account_columns(account: BillingAccount) -> dict[str, str]:
    """Who the bill is for."""
    return {"BillingAccountId": account.tenant, "BillingAccountName": account.name or account.tenant}


def provider_columns(provider: str) -> dict[str, str]:
    """Who provides the service, by the names of every version."""
    names = ("ProviderName", "PublisherName", "ServiceProviderName", "HostProviderName")
    return dict.fromkeys(names, provider)


def figures_of(
    quantity: str, prices: RowPrices, costs: Costs, billed: str, events: int, row_id: str
) -> Sequence[str]:
    """In the order of the columns of their scope (`FIGURES`), each with a point."""
    if (
        costs.list is costs.effective_priced
        and costs.effective is billed is costs.list
        and prices.list is prices.list_priced
    ):
        price, cost = pointed(prices.list), pointed(billed)  # all are alike, as in nearly every row
        return (
            pointed(quantity), pointed(prices.quantity), price, price, cost, cost, cost, cost, price, price,
            cost, f"{events}.0", row_id,
        )  # fmt: skip
    figures = (
        quantity, prices.quantity, prices.list, prices.contracted, costs.list, costs.contracted,
        costs.effective, billed, prices.list_priced, prices.contracted_priced, costs.effective_priced,
    )  # fmt: skip
    return (*map(pointed, figures), f"{events}.0", row_id)


FIGURES = (
    "ConsumedQuantity PricingQuantity ListUnitPrice ContractedUnitPrice ListCost ContractedCost "
    "EffectiveCost BilledCost PricingCurrencyListUnitPrice PricingCurrencyContractedUnitPrice "
    "PricingCurrencyEffectiveCost x_Events x_RowId"
).split()


def as_json(said: Mapping[str, str]) -> str:
    """An object in the order of its names; '' where it says nothing."""
    return msgspec.json.encode(said, order="sorted").decode() if said else ""


def midnight(day: date) -> datetime:
    """Where a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def instant(at: datetime) -> str:
    """As FOCUS writes it: in UTC, to the second or finer."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
