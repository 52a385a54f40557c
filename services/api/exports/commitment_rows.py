"""Commitments whose period is over, as rows of FOCUS. Pure.

The book has of a commitment what its true-ups change: its fee, less what the usage that it pays for was
booked at. Rows say both instead, so that billed and effective cost are the true-ups' to the last digit:

    purchase  billed: the fee     effective: 0
    used      billed: 0           effective: what is used of the fee
    unused    billed: 0           effective: what is not
    covered   billed: - booked    effective: - booked, for rows of usage have it
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.api.exports.commitments import (
    MONEY,
    CommitmentParts,
    SettledCommitment,
    standing_words,
)
from services.api.exports.figures import Costs, priced
from services.api.exports.layout import FocusRow, Layout
from services.api.exports.usage_rows import (
    WHOLE,
    BillingAccount,
    account_columns,
    figures_of,
    midnight,
    provider_columns,
    series_piece,
    time_piece,
)
from services.api.exports.vocabulary import service_name, service_of
from spendmeter.contracts.money import EXACT, ZERO, plain
from spendmeter.contracts.true_ups import SKU, UNIT

CHARGES_MAX = 4
"""Of a commitment, in one billing period."""


class _Charge(NamedTuple):
    """A row of a commitment."""

    kind: str
    category: str
    status: str
    said: str
    quantity: str
    list: Decimal
    effective: Decimal
    billed: Decimal


def commitment_rows(layout: Layout, account: BillingAccount, of: SettledCommitment) -> list[FocusRow]:
    """Of its own month, then of each period in which something of it was booked after that was closed."""
    return [
        _row(layout, account, of, charge, billed_in)
        for billed_in in sorted(of.parts, key=lambda each: each or date.min)
        for charge in _charges(of, of.parts[billed_in])
    ]


def _charges(of: SettledCommitment, parts: CommitmentParts) -> Iterator[_Charge]:
    """Those that come to something. List and contracted cost of what was used is in its own rows."""
    committed = Decimal(of.term.quantity)
    used = min(parts.counted, committed)
    whole, kept, idle = map(plain, (committed, used, EXACT.subtract(committed, used)))
    fee, covered = parts.fee, EXACT.minus(parts.covered)
    if fee:
        words = f"Commitment: {whole} {of.unit} for {of.term.amount} {of.term.currency}"
        yield _Charge("purchase", "Purchase", "", words, whole, fee, ZERO, fee)
    if parts.used:
        words = f"Used of the commitment of {whole} {of.unit}"
        yield _Charge("used", "Usage", "Used", words, kept, ZERO, parts.used, ZERO)
    if parts.unused:
        words = f"Unused of the commitment of {whole} {of.unit}"
        yield _Charge("unused", "Usage", "Unused", words, idle, ZERO, parts.unused, ZERO)
    if covered:
        words = "What the commitment pays for, taken back as it was booked in rows of usage"
        yield _Charge("covered", "Usage", "", words, "", ZERO, covered, covered)


def _row(
    layout: Layout, account: BillingAccount, of: SettledCommitment, charge: _Charge, billed_in: date | None
) -> FocusRow:
    standing = of.standing
    start, end = midnight(standing.period_start), midnight(standing.period_end)
    series = series_piece(
        layout, {"cost_class": standing.cost_class, "provider": standing.provider, "sku": SKU}
    )
    listed, effective, billed = map(plain, (charge.list, charge.effective, charge.billed))
    costs = Costs(listed, listed, effective, listed, listed, effective)
    consumed = "0" if charge.category == "Usage" and charge.status != "Unused" else ""
    row_id = "/".join(filter(None, (
        str(standing.period_start), standing.term, charge.kind, f"{billed_in:%Y-%m}" if billed_in else "",
    )))  # fmt: skip
    return FocusRow(
        time_piece(layout, start, end, billed_in),
        series.piece,
        layout.piece("meter", _said(account, of, charge, consumed, is_correction=billed_in is not None)),
        figures_of(consumed, priced("1", 1, costs), costs, billed, 0, row_id),
    )


def _said(
    account: BillingAccount, of: SettledCommitment, charge: _Charge, consumed: str, *, is_correction: bool
) -> dict[str, str]:
    standing, service = of.standing, service_of(of.standing.cost_class)
    sku = f"{standing.provider}/{SKU}/commitment"
    return {
        **account_columns(account),
        **provider_columns(standing.provider),
        **(_discount(of, charge, is_correction=is_correction) if charge.kind != "covered" else {}),
        "BillingCurrency": standing.currency,
        "ChargeCategory": charge.category,
        "ChargeClass": "Correction" if is_correction else "",
        "ChargeDescription": charge.said,
        "ChargeFrequency": "Recurring" if charge.category == "Purchase" else "Usage-Based",
        "ConsumedUnit": WHOLE if consumed else "",
        "InvoiceIssuerName": standing.provider,
        "PricingCategory": "Committed" if charge.status else "Standard",
        "PricingCurrency": standing.currency,
        "PricingUnit": WHOLE,
        "ServiceCategory": service.category,
        "ServiceSubcategory": service.subcategory,
        "ServiceName": service_name(standing.cost_class, standing.provider),
        "SkuId": f"sku:{sku}",
        "SkuMeter": "Commitment",
        "SkuPriceId": f"price:{sku}/{standing.term}",
        "x_CostClass": standing.cost_class,
        "x_Sku": f"{standing.provider}/{SKU}",
        "x_Unit": UNIT,
        "x_PricingStatus": "priced",
        "x_StatusReason": standing_words(standing),
        "x_PriceEntry": standing.term,
        "x_Batch": "false",
    }


def _discount(of: SettledCommitment, charge: _Charge, *, is_correction: bool) -> dict[str, str]:
    """A correction has no quantity: it says what became of money."""
    return {
        "CommitmentDiscountCategory": "Spend" if of.standing.effect == MONEY else "Usage",
        "CommitmentDiscountId": of.standing.term,
        "CommitmentDiscountName": f"{of.standing.provider}: {of.term.quantity} {of.unit} a {of.term.period}",
        "CommitmentDiscountQuantity": "" if is_correction else charge.quantity,
        "CommitmentDiscountStatus": charge.status,
        "CommitmentDiscountType": of.standing.effect,
        "CommitmentDiscountUnit": "" if is_correction else of.unit,
    }
