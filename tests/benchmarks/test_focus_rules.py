"""`focus_rules`: each of a validator's blind spots is seen."""

from __future__ import annotations

import pytest

from tests.benchmarks.focus_rules import broken

ROW = {
    "BillingPeriodStart": "2026-10-01T00:00:00Z", "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-05T00:00:00Z", "ChargePeriodEnd": "2026-10-06T00:00:00Z", "BillingCurrency": "USD",
    "PricingCurrency": "USD", "ChargeCategory": "Usage", "ChargeClass": "", "ChargeFrequency": "Usage-Based",
    "ChargeDescription": "Input Tokens of gpt-4o", "PricingCategory": "Standard", "x_PricingStatus": "priced",
    "ServiceCategory": "AI and Machine Learning", "ServiceName": "AI models (openai)", "SkuId": "s", "SkuPriceId": "p",
    "ConsumedQuantity": "2400000.0", "ConsumedUnit": "Tokens", "PricingQuantity": "2.4", "PricingUnit": "1000000 Tokens",
    "ListUnitPrice": "2.5", "ContractedUnitPrice": "2.5", "ListCost": "6.0", "ContractedCost": "6.0", "EffectiveCost": "6.0",
    "BilledCost": "6.0", "RegionId": "", "RegionName": "", "Tags": "", "SkuPriceDetails": "", "x_BillDetails": "",
    "x_RowId": "1", "CommitmentDiscountId": "", "CommitmentDiscountName": "", "CommitmentDiscountCategory": "",
    "CommitmentDiscountType": "", "CommitmentDiscountQuantity": "", "CommitmentDiscountUnit": "", "CommitmentDiscountStatus": "",
}  # fmt: skip


OF_COMMITMENT = {
    "CommitmentDiscountId": "c", "CommitmentDiscountName": "n", "CommitmentDiscountCategory": "Usage",
    "CommitmentDiscountType": "commitment", "CommitmentDiscountQuantity": "4.0", "CommitmentDiscountUnit": "Tokens",
    "CommitmentDiscountStatus": "Used", "PricingCategory": "Committed", "BilledCost": "0.0",
}  # fmt: skip


def test_a_right_row_breaks_nothing() -> None:
    assert broken([ROW, ROW | {"x_RowId": "2"}]) == {}


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"ListCost": "6.1"}, "ListCost is ListUnitPrice x PricingQuantity"),
        ({"ContractedUnitPrice": "2.4"}, "ContractedCost is ContractedUnitPrice x PricingQuantity"),
        ({"ChargeFrequency": "Often"}, "ChargeFrequency is one of its values"),
        ({"BillingPeriodStart": "2026-10-01"}, "BillingPeriodStart is an instant in UTC"),
        (
            {"ChargePeriodStart": "2026-11-01T00:00:00Z"},
            "a charge begins within its billing period, or corrects one before",
        ),
        ({"ConsumedQuantity": "2400000"}, "ConsumedQuantity is a decimal with a point"),
        ({"PricingUnit": ""}, "PricingUnit is there exactly with PricingQuantity"),
        ({"BilledCost": ""}, "BilledCost is there"),
        ({"ServiceName": "=cmd"}, "no spreadsheet runs ServiceName"),
        ({"Tags": "[]"}, "Tags is an object"),
        ({"x_PricingStatus": "unpriced"}, "what has no price says so"),
        ({"CommitmentDiscountId": "c"}, "a commitment has an id, a name, a category and a type"),
        (OF_COMMITMENT | {"CommitmentDiscountStatus": ""}, "usage of a commitment is used or unused"),
        (OF_COMMITMENT | {"PricingCategory": "Standard"}, "what a commitment pays for is priced by it"),
        (OF_COMMITMENT | {"BilledCost": "6.0"}, "a commitment is billed as purchased, and costs as used"),
        (OF_COMMITMENT | {"CommitmentDiscountQuantity": ""}, "a commitment has a quantity"),
        (OF_COMMITMENT | {"CommitmentDiscountStatus": "Unused"}, "what is unused was not consumed"),
    ],
)
def test_what_is_wrong_is_said(said: dict[str, str], rule: str) -> None:
    assert rule in broken([ROW | said])


def test_what_was_used_and_what_was_not_are_what_was_purchased() -> None:
    used = ROW | OF_COMMITMENT
    bought = {"ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "CommitmentDiscountStatus": ""}
    priced = {"PricingCategory": "Standard", "EffectiveCost": "0.0", "BilledCost": "10.0"}
    purchase = used | bought | priced | {"CommitmentDiscountQuantity": "7.0", "x_RowId": "2"}
    unused = used | {"CommitmentDiscountStatus": "Unused", "ConsumedQuantity": "", "ConsumedUnit": ""}
    unused |= {"EffectiveCost": "4.0", "CommitmentDiscountQuantity": "3.0", "x_RowId": "3"}
    assert broken([purchase, used, unused]) == {}
    assert {*broken([purchase, used])} == {
        "used + unused costs as the purchase",
        "used + unused is so many as the purchase",
    }


def test_rows_are_held_against_each_other() -> None:
    other = ROW | {"x_RowId": "2", "ServiceCategory": "Compute", "SkuId": "t"}
    assert {*broken([ROW, ROW])} == {"no row is there twice"}
    assert {*broken([ROW, other])} == {
        "a ServiceName has one ServiceCategory",
        "a SkuPriceId has one SkuId",
    }
