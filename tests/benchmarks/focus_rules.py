"""What the validators of FOCUS do not look at, asked of a file: every broken rule with an example. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

Row = Mapping[str, str]
ENUMS = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "CommitmentDiscountCategory": {"", "Spend", "Usage"},
    "CommitmentDiscountStatus": {"", "Used", "Unused"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "x_PricingStatus": {"priced", "free", "reported", "provisional", "unpriced"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile",
        "Multicloud", "Networking", "Other", "Security", "Storage", "Web",
    },
}  # fmt: skip
"""Every value of each row, where the validators are content with some."""
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_CURRENCY = re.compile("[A-Z]{3}")
_TOLERANCE = Decimal("1e-12")
"""Of a cost, or of 1: a thousandth of what the official validator lets pass."""
_PRODUCTS = (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost"))
_PAIRS = (
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("RegionId", "RegionName"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
)
_COSTS = ("ListCost", "ContractedCost", "EffectiveCost", "BilledCost")
_OF_COMMITMENT = ("CommitmentDiscountCategory", "CommitmentDiscountName", "CommitmentDiscountType")
_RUN = ("=", "+", "-", "@", "\t", "\r")


def broken(rows: Sequence[Row]) -> dict[str, str]:
    """Every rule that a row breaks, with the first example."""
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        for rule, said in _of_row(row):
            found.setdefault(rule, f"row {number}: {said}")
    for rule, said in (*_repeated(rows), *_two_categories(rows), *_two_parents(rows), *_unpaid(rows)):
        found.setdefault(rule, said)
    return found


def _of_row(row: Row) -> Iterator[tuple[str, str]]:
    for check in (_enums, _instants, _decimals, _products, _pairs, _texts, _statuses, _commitments):
        yield from check(row)


def _enums(row: Row) -> Iterator[tuple[str, str]]:
    for name, allowed in ENUMS.items():
        if row[name] not in allowed:
            yield f"{name} is one of its values", row[name]
    for name in ("BillingCurrency", "PricingCurrency"):
        if not _CURRENCY.fullmatch(row[name]):
            yield f"{name} is a currency", row[name]


def _instants(row: Row) -> Iterator[tuple[str, str]]:
    names = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    for name in names:
        if not _INSTANT.fullmatch(row[name]):
            yield f"{name} is an instant in UTC", row[name]
    begins_before = row["ChargePeriodStart"] < row["BillingPeriodStart"]
    if (begins_before and not row["ChargeClass"]) or row["ChargePeriodStart"] >= row["BillingPeriodEnd"]:
        yield "a charge begins within its billing period, or corrects one before", row["ChargePeriodStart"]


def _decimals(row: Row) -> Iterator[tuple[str, str]]:
    for name, text in row.items():
        if name.endswith(("Cost", "Quantity", "UnitPrice")) and text and not _DECIMAL.fullmatch(text):
            yield f"{name} is a decimal with a point", text
    for name in _COSTS:
        if not row[name]:
            yield f"{name} is there", ""


def _products(row: Row) -> Iterator[tuple[str, str]]:
    for price, cost in _PRODUCTS:
        if row[price] and row["PricingQuantity"]:
            product = Decimal(row[price]) * Decimal(row["PricingQuantity"])
            if abs(product - Decimal(row[cost])) > _TOLERANCE * max(abs(Decimal(row[cost])), Decimal(1)):
                yield f"{cost} is {price} x PricingQuantity", f"{product} and {row[cost]}"
            if Decimal(row[price]) < 0:
                yield f"{price} is not negative", row[price]


def _pairs(row: Row) -> Iterator[tuple[str, str]]:
    for one, other in _PAIRS:
        if bool(row[one]) != bool(row[other]):
            yield f"{other} is there exactly with {one}", f"{row[one]!r} and {row[other]!r}"


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    for name, text in row.items():
        if text.startswith(_RUN) and not _is_decimal(text):
            yield f"no spreadsheet runs {name}", text
    for name in ("Tags", "SkuPriceDetails", "x_BillDetails"):
        if row[name] and not isinstance(json.loads(row[name]), dict):
            yield f"{name} is an object", row[name]


def _statuses(row: Row) -> Iterator[tuple[str, str]]:
    """Unknown is not free."""
    unknown = row["x_PricingStatus"] == "unpriced"
    if unknown and row["ChargeCategory"] == "Usage" and not row["x_BillDetails"]:
        if row["PricingCategory"] != "Other" or not row["ChargeDescription"].startswith("Price unknown"):
            yield "what has no price says so", row["ChargeDescription"]
        if not row["ConsumedQuantity"]:
            yield "what has no price has its quantity", row["ChargeDescription"]


def _commitments(row: Row) -> Iterator[tuple[str, str]]:
    """What is of a commitment says all of it, and is paid for once: as it was purchased."""
    category, status, words = row["ChargeCategory"], row["CommitmentDiscountStatus"], row["ChargeDescription"]
    if any(bool(row["CommitmentDiscountId"]) != bool(row[name]) for name in _OF_COMMITMENT):
        yield "a commitment has an id, a name, a category and a type", words
    if bool(status) != bool(row["CommitmentDiscountId"] and category == "Usage"):
        yield "usage of a commitment is used or unused", words
    if bool(status) != (row["PricingCategory"] == "Committed"):
        yield "what a commitment pays for is priced by it", words
    if row["CommitmentDiscountId"]:
        paid = row["EffectiveCost"] if category == "Purchase" else row["BilledCost"]
        if Decimal(paid):
            yield "a commitment is billed as purchased, and costs as used", words
        if not row["CommitmentDiscountQuantity"] and not row["ChargeClass"]:
            yield "a commitment has a quantity", words
    if status == "Unused" and row["ConsumedQuantity"]:
        yield "what is unused was not consumed", words


def _unpaid(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Used and unused are together what was purchased, in money and in quantity."""
    money, quantities = (defaultdict[tuple[str, ...], Decimal](Decimal) for _ in range(2))
    for row in rows:
        if row["CommitmentDiscountId"]:
            names = "CommitmentDiscountId", "ChargePeriodStart", "BillingPeriodStart", "BillingCurrency"
            key = tuple(row[name] for name in names)
            sign = -1 if row["ChargeCategory"] == "Purchase" else 1
            money[key] += sign * Decimal(row["BilledCost" if sign < 0 else "EffectiveCost"])
            quantities[key] += sign * Decimal(row["CommitmentDiscountQuantity"] or 0)
    for what, sums in (("costs", money), ("is so many", quantities)):
        for key, amount in sums.items():
            if amount:
                yield f"used + unused {what} as the purchase", f"{key}: {amount} more"


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _repeated(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row_id, count in Counter(row["x_RowId"] for row in rows).items():
        if count > 1:
            yield "no row is there twice", f"{row_id}: {count} times"


def _two_categories(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for name, categories in _seen(rows, lambda row: row["ServiceName"], "ServiceCategory").items():
        if len(categories) > 1:
            yield "a ServiceName has one ServiceCategory", f"{name}: {sorted(categories)}"


def _two_parents(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for name, skus in _seen(rows, lambda row: row["SkuPriceId"], "SkuId").items():
        if name and len(skus) > 1:
            yield "a SkuPriceId has one SkuId", f"{name}: {sorted(skus)}"


def _seen(rows: Iterable[Row], key: Callable[[Row], str], name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[key(row)].add(row[name])
    return found
