"""AWS' cost and usage report (2.0, as Data Exports writes it, and the one before) as rows of a bill: those of
Bedrock. Pure.

Of usage that a commitment covers the amount is its effective cost; the commitment itself is a purchase. Where
a discount has rows of its own, each is less of what its meter cost (`net_costs.py`: or is in that already).
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal

from services.api.imports.focus import alike, columns_of
from services.api.invoices.aws_meters import meter_of, model_sold
from services.api.invoices.billed import UNKNOWN, InvoiceLine
from services.api.invoices.net_costs import Costed
from services.api.invoices.table_cells import Beside, RowCells, amount_in, decimal_in, span_in
from services.api.invoices.vendor_words import ANYWHERE, AWS, FOCUS, region_of, tier_of
from spendmeter.contracts.money import EXACT, ZERO

PROVIDER = "bedrock"
NEEDED = (
    "line_item_line_item_type", "line_item_usage_type", "line_item_usage_start_date",
    "line_item_usage_end_date", "line_item_product_code", "line_item_currency_code",
    "line_item_unblended_cost",
)  # fmt: skip
_UNBLENDED, _NET, _LISTED = (
    "line_item_unblended_cost", "line_item_net_unblended_cost", "pricing_public_on_demand_cost",
)  # fmt: skip
_WANTED = (
    *NEEDED, _NET, _LISTED, "line_item_usage_amount", "line_item_line_item_description", "pricing_unit",
    "product", "product_product_name", "product_servicecode", "product_region_code",
    *(name for names in AWS["effective"].values() for name in names),
)  # fmt: skip
_CODE = "amazonbedrock"
_SOLD = "amazon bedrock edition"


def is_report(header: Iterable[str]) -> bool:
    """Whether it is one, and no bill in FOCUS."""
    return alike(NEEDED[0]) in map(alike, header)


def columns(header: Sequence[str]) -> dict[str, str]:
    """By Data Exports' name of a column the file's."""
    return columns_of(header, _WANTED)


def read_row(cells: RowCells) -> Costed | Beside | None:
    """None = of something else than Bedrock. Raises BillError."""
    product = _product(cells)
    if not _is_bedrock(cells, product):
        return None
    said = cells["line_item_line_item_type"]
    currency = cells["line_item_currency_code"].upper()
    if beside := AWS["beside"].get(said):
        return Beside(beside, amount_in(cells, _NET, _UNBLENDED), currency)
    kind = AWS["usage"].get(said, "")
    net, gross = _after_and_before_discounts(cells, kind)
    amount = amount_in(cells, *AWS["effective"].get(kind, ()), _NET, _UNBLENDED)
    return Costed(_line(cells, product, kind, amount), gross, net, kind == "discount")


def _after_and_before_discounts(cells: RowCells, kind: str) -> tuple[Decimal | None, Decimal | None]:
    """What the row says that it costs; None = it does not."""
    said = [
        (decimal_in(cells, after), decimal_in(cells, before))
        for after, before in (AWS["effective"].get(kind, (_NET, _UNBLENDED)), (_NET, _UNBLENDED))
    ]
    return next((each for each in said if each != (None, None)), said[-1])


def _line(cells: RowCells, product: str, kind: str, amount: Decimal) -> InvoiceLine:
    said, currency = cells["line_item_line_item_type"], cells["line_item_currency_code"].upper()
    first, last = span_in(cells["line_item_usage_start_date"], cells["line_item_usage_end_date"])
    named = cells["line_item_usage_type"] or cells.get("line_item_line_item_description", "")
    meter = meter_of(named)
    model = (meter.model or model_sold(product)) if meter else ""
    if meter is None or not (kind and model) or first != last:
        named = named if kind else f"{said} {named}"
        return InvoiceLine(
            day=first, kind="cost", model=named, unit=UNKNOWN, amount=amount, currency=currency
        )
    return InvoiceLine(
        day=first,
        kind="cost",
        model=model,
        unit=meter.unit,
        tier=tier_of(meter.tier),
        context=meter.context,
        region=ANYWHERE if meter.is_global else region_of(cells.get("product_region_code") or None),
        quantity=ZERO if kind == "discount" else _quantity(cells, is_sold=not meter.model),
        amount=amount,
        listed=ZERO if kind == "discount" else amount_in(cells, _LISTED, _UNBLENDED),
        currency=currency,
    )


def _product(cells: RowCells) -> str:
    """Its name, which 2.0 has in a map."""
    if named := cells.get("product_product_name"):
        return named
    try:
        said = json.loads(cells.get("product") or "{}")
    except (ValueError, RecursionError):
        return ""
    return str(said.get("product_name", "")) if isinstance(said, dict) else ""


def _is_bedrock(cells: RowCells, product: str) -> bool:
    codes = (cells["line_item_product_code"], cells.get("product_servicecode", ""))
    return (
        any(code.lower().startswith(_CODE) for code in codes)
        or bool(model_sold(product))
        or _SOLD in cells.get("line_item_line_item_description", "").lower()
    )


def _quantity(cells: RowCells, *, is_sold: bool) -> Decimal | None:
    unit = cells.get("pricing_unit", "").lower()
    factor = FOCUS["quantities"].get(unit) or (AWS["sold_units"].get(unit) if is_sold else None)
    amount = decimal_in(cells, "line_item_usage_amount")
    return EXACT.multiply(amount, Decimal(factor)) if factor and amount is not None else None
