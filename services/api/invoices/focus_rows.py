"""A bill in FOCUS (1.0 and later) as rows to be held against the book: those of the one provider that is
asked about. Pure.

Its model and meter are what SkuPriceDetails say (by the names of the 1.5 draft), or a meter in the words of
AWS; else the row is of its meter's name, and of a unit that nobody here knows.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.api.imports.focus import RULES, MeteredRule, columns_of
from services.api.invoices.aws_meters import AwsMeter, meter_of, model_sold
from services.api.invoices.billed import TEXT_CHARACTERS_MAX, UNKNOWN, InvoiceLine
from services.api.invoices.table_cells import Beside, RowCells, amount_in, decimal_in, span_in
from services.api.invoices.vendor_words import ANYWHERE, AWS, FOCUS, counted_as, region_of, tier_of
from spendmeter.contracts.money import EXACT

RULE_OF: Mapping[str, MeteredRule] = {rule.name: rule for rule in RULES}
NEEDED = ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd",
          "ServiceName", "ServiceProviderName")  # fmt: skip
_WANTED = (
    *NEEDED, "EffectiveCost", "ListCost", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity",
    "PricingUnit", "RegionId", "SkuMeter", "SkuPriceDetails", "ChargeClass", "ChargeDescription",
    "CommitmentDiscountStatus", "x_Unit", "x_ServiceTier", "x_Batch", "x_UsageType", "x_SkuMeterName",
    "x_SkuDescription",
)  # fmt: skip
_NAMES = ("x_UsageType", "SkuMeter", "x_SkuMeterName", "x_SkuDescription", "ChargeDescription")


def columns(header: Sequence[str]) -> dict[str, str]:
    """By FOCUS' name of a column the file's."""
    return columns_of(header, _WANTED)


def read_row(rule: MeteredRule, cells: RowCells) -> InvoiceLine | Beside | None:
    """None = of another provider or service. Raises BillError."""
    if not rule.is_about(cells["ServiceProviderName"], cells["ServiceName"]):
        return None
    currency, commitment = cells["BillingCurrency"].upper(), cells.get("CommitmentDiscountStatus", "").lower()
    category = cells["ChargeCategory"].lower()
    if beside := _beside(cells, category, commitment):
        return Beside(beside, amount_in(cells, "BilledCost"), currency)
    # What a commitment covers was paid with it, and is billed at nothing: it cost what is its share.
    amount = amount_in(cells, *(("EffectiveCost",) if commitment == "used" else ()), "BilledCost")
    first, last = span_in(cells["ChargePeriodStart"], cells["ChargePeriodEnd"])
    named = next((said for name in _NAMES if (said := cells.get(name))), "")[:TEXT_CHARACTERS_MAX]
    details = _details(cells.get("SkuPriceDetails", ""))
    meter = meter_of(named)
    sold = model_sold(cells["ServiceName"]) if meter else ""
    unit = cells.get("x_Unit") or _unit_of(details) or (meter.unit if meter else "")
    model = details.get("ModelId") or (meter.model or sold if meter else "") or named or cells["ServiceName"]
    if category != "usage" or first != last or not unit:
        named = model if category == "usage" else f"{category or 'no category'}: {model}"
        return InvoiceLine(
            day=first, kind="cost", model=named, unit=UNKNOWN, amount=amount, currency=currency
        )
    tier = cells.get("x_ServiceTier") or (meter.tier if meter else "")
    is_batch = cells.get("x_Batch", "").lower() == "true"
    return InvoiceLine(
        day=first,
        kind="cost",
        model=model,
        unit=counted_as(unit),
        tier=tier_of(tier, is_batch or None),
        context=meter.context if meter else None,
        region=_region(cells, meter),
        quantity=_quantity(cells, is_sold=bool(sold)),
        amount=amount,
        listed=decimal_in(cells, "ListCost"),
        currency=currency,
    )


def _beside(cells: RowCells, category: str, commitment: str) -> str:
    """What a row is of that is no usage of the days of this bill; '' = it is usage, or nobody knows. Tax and
    credits may be of a month; and a correction is of a bill before, whose days it would stand for alone."""
    if category in FOCUS["beside"]:
        return category
    if cells.get("ChargeClass", "").lower() == "correction":
        return "corrections of bills before"
    return "what no usage took of a commitment" if commitment == "unused" else ""


def _region(cells: RowCells, meter: AwsMeter | None) -> str | None:
    return ANYWHERE if meter and meter.is_global else region_of(cells.get("RegionId") or None)


def _details(text: str) -> dict[str, str]:
    """By the draft's names, with or without `x_` before them."""
    if not text:
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return (
        {str(name).removeprefix("x_"): str(value) for name, value in said.items()}
        if isinstance(said, dict)
        else {}
    )


def _unit_of(details: Mapping[str, str]) -> str:
    found: str = (
        FOCUS["directions"]
        .get(details.get("TokenDirection", ""), {})
        .get(details.get("TokenCacheAction", ""), "")
    )
    return found


def _quantity(cells: RowCells, *, is_sold: bool) -> Decimal | None:
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        said = cells.get(unit, "").lower()
        factor = FOCUS["quantities"].get(said) or (AWS["sold_units"].get(said) if is_sold else None)
        if factor and (stated := decimal_in(cells, quantity)) is not None:
            return EXACT.multiply(stated, Decimal(factor))
    return None
