"""AWS' cost and usage report as tests need it: columns and words of its dictionary (Data Exports, CUR 2.0)."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet

CUR2 = [
    "bill_bill_type", "bill_billing_entity", "bill_billing_period_start_date", "bill_payer_account_id", "discount",
    "identity_line_item_id", "line_item_iam_principal", "line_item_line_item_description", "line_item_line_item_type",
    "line_item_net_unblended_cost", "line_item_operation", "line_item_product_code", "line_item_resource_id",
    "line_item_currency_code", "line_item_unblended_cost", "line_item_unblended_rate", "line_item_usage_account_id",
    "line_item_usage_amount", "line_item_usage_end_date", "line_item_usage_start_date", "line_item_usage_type",
    "pricing_public_on_demand_cost", "pricing_term", "pricing_unit", "product", "product_product_family",
    "product_region_code", "product_servicecode", "reservation_effective_cost", "reservation_net_effective_cost",
    "savings_plan_net_savings_plan_effective_cost", "savings_plan_savings_plan_effective_cost", "resource_tags",
]  # fmt: skip
_DOUBLES = ("_cost", "usage_amount")
_USUAL = {
    "bill_bill_type": "Anniversary", "bill_billing_entity": "AWS", "line_item_line_item_type": "Usage",
    "line_item_product_code": "AmazonBedrock", "line_item_currency_code": "USD", "pricing_unit": "1K tokens",
    "line_item_usage_start_date": "2026-11-10T10:00:00Z", "line_item_usage_end_date": "2026-11-10T11:00:00Z",
    "product_region_code": "us-east-1", "product_servicecode": "AmazonBedrock",
    "line_item_operation": "InvokeModelInference",
}  # fmt: skip


def used(usage_type: str, amount: str, cost: str, **more: Any) -> dict[str, Any]:
    """A row of usage, in thousands of tokens."""
    return {
        "line_item_usage_type": usage_type, "line_item_usage_amount": amount, "line_item_unblended_cost": cost,
        "pricing_public_on_demand_cost": cost,
    } | more  # fmt: skip


def as_csv(*rows: dict[str, Any], names: list[str] = CUR2) -> bytes:
    """As Data Exports writes it: maps are JSON."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    for row in rows:
        cells = _USUAL | row
        writer.writerow([_written(cells.get(name, "")) for name in CUR2])
    return written.getvalue().encode()


def _written(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def as_parquet(*rows: dict[str, Any], **options: Any) -> bytes:
    """As Data Exports writes it: doubles, timestamps, maps."""
    cells = [_USUAL | row for row in rows]
    columns: dict[str, Any] = {}
    for name in CUR2:
        said = [row.get(name) for row in cells]
        if name.endswith(_DOUBLES):
            columns[name] = arrow.array(
                [None if each in (None, "") else float(each) for each in said], arrow.float64()
            )
        elif name.endswith("_date"):
            times = [None if each is None else datetime.fromisoformat(each).astimezone(UTC) for each in said]
            columns[name] = arrow.array(
                [each and each.replace(tzinfo=None) for each in times], arrow.timestamp("ms")
            )
        elif name in ("product", "discount", "resource_tags"):
            maps = [list((each or {}).items()) for each in said]
            columns[name] = arrow.array(maps, arrow.map_(arrow.string(), arrow.string()))
        else:
            columns[name] = arrow.array(said, arrow.string())
    return written_as_parquet(arrow.table(columns), **options)


def written_as_parquet(table: arrow.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table, out, **options)
    return out.getvalue()
