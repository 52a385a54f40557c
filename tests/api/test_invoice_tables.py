"""AWS' cost and usage report and FOCUS in Parquet, by the dictionaries of their vendors, held against a book of two
million tokens in, 6 dollars, and one out, 15: what is not understood is named and unexplained, and nothing is dropped.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as arrow
import pytest
from msgspec import structs

from services.api.invoices import tables
from services.api.invoices.aws_meters import meter_of
from services.api.invoices.billed import BillError
from services.api.invoices.names import NamesThere
from spendmeter.contracts.money import total
from tests.api.aws_reports import CUR2, as_csv, as_parquet, used, written_as_parquet
from tests.api.test_invoice_causes import INPUT, OUTPUT, M, causes, held
from tests.api.vendor_bills import read_bill

IN, OUT = (
    used("USE1-m-input-tokens", "2000", "6.0000000000"),
    used("USE1-m-output-tokens", "1000", "15.0000000000"),
)
BOOK = [structs.replace(use, region="") for use in (INPUT, OUTPUT)]
"""Events on a cloud rarely say where it answered."""


@pytest.mark.parametrize(
    ("usage_type", "meter"),
    [
        ("USE1-Claude4.6Opus-input-tokens", ("Claude4.6Opus", "input_tokens", "", None, False)),
        ("USE1-Claude4.6Opus-output-tokens-cross-region-global", ("Claude4.6Opus", "output_tokens", "", None, True)),
        ("USW2-Claude4.6Sonnet-cache-write-input-token-count", ("Claude4.6Sonnet", "cache_write_5m_tokens", "", None, False)),
        ("USE1-KimiK2.5-mantle-input-tokens-standard", ("KimiK2.5", "input_tokens", "standard", None, False)),
        ("USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard",
         ("anthropic.claude-opus-4-8", "cache_write_5m_tokens", "standard", None, True)),
        ("EUC1-NovaPro-input-tokens-batch", ("NovaPro", "input_tokens", "batch", None, False)),
        ("APN1-Nova2.0Lite-output-tokens-priority", ("Nova2.0Lite", "output_tokens", "priority", None, False)),
        ("USE1-MP:USE1_InputTokenCount-Units", ("", "input_tokens", "", None, False)),
        ("USE1-MP:USE1_CacheReadInputTokenCount_Global-Units", ("", "cache_read_tokens", "", None, True)),
        ("USE1-MP:USE1_OutputTokenCount_LCtx-Units", ("", "output_tokens", "", "long", False)),
        ("USW2-MP:USW2_output_tokens_global_standard-Units", ("", "output_tokens", "standard", None, True)),
        ("USE1-NovaPro-input-tokens-custom-model", ("NovaPro", "input_tokens", "custom-model", None, False)),
        ("USE1-Nova2.0Pro-input-image-token-count", None),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_aws_calls_its_meters(usage_type: str, meter: tuple[Any, ...] | None) -> None:
    assert meter_of(usage_type) == meter


@pytest.mark.parametrize(
    ("billed", "event"),
    [
        ("claude4.6opus", "anthropic.claude-opus-4-6-v1:0"),
        ("claude3sonnet", "us.anthropic.claude-3-sonnet-20240229-v1:0"),
        ("nova2.0lite", "amazon.nova-2-lite-v1:0"),
        ("claude opus 4.6", "claude-opus-4-6"),
    ],
)
def test_a_model_is_the_one_of_the_same_words_and_numbers(billed: str, event: str) -> None:
    assert NamesThere([event, "other"]).as_booked(billed) == event
    assert NamesThere([event, f"eu.{event}"]).as_booked(billed) == billed  # nobody knows which


@pytest.mark.parametrize("written", [as_csv, as_parquet])
def test_a_report_that_is_the_book_has_no_cause(written: Any) -> None:
    other = used(
        "USE1-BoxUsage:m7i.large", "24", "2.4192", line_item_product_code="AmazonEC2", product_servicecode=""
    )
    whole = written(IN, OUT, other)
    for content in (whole, gzip.compress(whole)):
        assert causes(held("bedrock", content, book=BOOK)) == {}
        assert read_bill("bedrock", content).notes == ()


def test_the_report_before_has_the_same_columns_by_other_names() -> None:
    names = [name.replace("line_item_", "lineItem/").replace("pricing_", "pricing/") for name in CUR2]
    assert causes(held("bedrock", as_csv(IN, OUT, names=names), book=BOOK)) == {}


def test_all_four_kinds_of_tokens_are_counted() -> None:
    # "Summing input and output alone is the commonest gap": 1.5 million of the two were read from the cache.
    some = used("USE1-m-input-tokens", "500", "1.5000000000")
    read = used("USE1-m-cache-read-input-token-count", "1500", "0.4500000000")
    assert causes(held("bedrock", as_csv(some, read, OUT), book=BOOK)) == {
        "cache": "-4.05"
    }  # 1.5 at 3, now at 0.3


def test_a_model_of_the_marketplace_is_named_by_its_product() -> None:
    sold = {
        "bill_billing_entity": "AWS Marketplace", "line_item_product_code": "4vx8q2b1c9", "product_servicecode": "",
        "pricing_unit": "Units", "product": {"product_name": "m (Amazon Bedrock Edition)"},
    }  # fmt: skip
    rows = (
        used("USE1-MP:USE1_InputTokenCount-Units", "2", "6.0000000000", **sold),
        used("USE1-MP:USE1_OutputTokenCount-Units", "1", "15.0000000000", **sold),
    )
    for content in (as_csv(*rows), as_parquet(*rows)):
        assert causes(held("bedrock", content, book=BOOK)) == {}


def test_usage_that_a_commitment_covers_costs_what_is_its_share_and_the_commitment_is_told() -> None:
    covered = IN | {
        "line_item_line_item_type": "SavingsPlanCoveredUsage", "savings_plan_savings_plan_effective_cost": "4.5",
    }  # fmt: skip
    reserved = OUT | {
        "line_item_line_item_type": "DiscountedUsage", "line_item_unblended_cost": "0", "reservation_effective_cost": "12",
    }  # fmt: skip
    rest = [
        {"line_item_line_item_type": kind, "line_item_unblended_cost": cost}
        for kind, cost in (("SavingsPlanNegation", "-6"), ("SavingsPlanRecurringFee", "5"), ("RIFee", "12"), ("Tax", "1.2"),
                           ("Credit", "-3.5"))
    ]  # fmt: skip
    bill = as_csv(covered, reserved, *rest)
    assert causes(held("bedrock", bill, book=BOOK)) == {"discount": "-4.5"}  # 4.5 for 6, 12 for 15
    assert read_bill("bedrock", bill).notes == (
        "1 rows of credit are not compared: -3.5 USD",
        "2 rows of purchase are not compared: 17 USD",
        "1 rows of tax are not compared: 1.2 USD",
        "1 rows of what a savings plan takes off are not compared: -6 USD",
    )


def test_what_is_not_understood_is_counted_named_and_unexplained() -> None:
    guard = used("USE1-Guardrail-ContentPolicyUnitsConsumed", "3", "0.45", pricing_unit="TextUnits")
    odd = used("USE1-m-input-tokens", "5", "0.5", line_item_line_item_type="SomethingNew")
    month = used("USE1-m-output-tokens", "9", "0.25", line_item_usage_end_date="2026-12-01T00:00:00Z")
    content = as_csv(IN, OUT, guard, odd, month)
    found = held("bedrock", content, book=BOOK)
    assert {row.model: causes([row]) for row in found} == {
        "m": {},
        "use1-guardrail-contentpolicyunitsconsumed": {"unexplained": "0.45"},
        "somethingnew use1-m-input-tokens": {"unexplained": "0.5"},
        "use1-m-output-tokens": {"unexplained": "0.25"},
    }
    [note] = read_bill("bedrock", content).notes
    assert note.startswith("3 rows are in words that are not known here, or of several days")
    assert "Guardrail-ContentPolicyUnitsConsumed" in note
    assert total(row.billed for row in found) == Decimal("22.2")  # nothing of the file is dropped


def test_rows_that_differ_in_who_used_it_are_one_line() -> None:
    halves = [
        used("USE1-m-input-tokens", "1000", "3.0000000000", line_item_iam_principal=f"arn:{name}")
        for name in "ab"
    ]
    assert len(read_bill("bedrock", as_csv(*halves, OUT)).rows) == 2
    assert causes(held("bedrock", as_csv(*halves, OUT), book=BOOK)) == {}


def test_a_report_of_aws_is_of_nobody_else() -> None:
    with pytest.raises(BillError, match="provider=bedrock"):
        read_bill("vertex", as_csv(IN))


TEN = datetime(2026, 11, 10, 10)  # noqa: DTZ001 - as AWS writes it
AWS_FOCUS = {
    "ProviderName": "AWS", "PublisherName": "Anthropic", "ServiceName": "Amazon Bedrock", "ChargeCategory": "Usage",
    "BillingCurrency": "USD", "ChargePeriodStart": TEN, "ChargePeriodEnd": TEN + timedelta(hours=1),
    "ConsumedUnit": "1K tokens", "RegionId": "us-east-1",
}  # fmt: skip


def focus_parquet(*rows: dict[str, Any], usual: dict[str, Any] = AWS_FOCUS) -> bytes:
    """FOCUS 1.0 to 1.2: the provider's column has its old name."""
    names = dict.fromkeys(name for row in rows for name in usual | row)
    return written_as_parquet(
        arrow.table({name: [(usual | row).get(name) for row in rows] for name in names})
    )


def test_focus_of_aws_in_parquet_has_doubles_and_times_without_a_zone() -> None:
    bill = focus_parquet(
        {"x_UsageType": "USE1-m-input-tokens", "ConsumedQuantity": 2000.0, "BilledCost": 6.0, "ListCost": 6.0},
        {"x_UsageType": "USE1-m-output-tokens", "ConsumedQuantity": 500.0, "BilledCost": 7.5, "ListCost": 7.5},
        # The other half was paid with a commitment: it is billed at nothing, and its share of that is 6 for 7.5.
        {"x_UsageType": "USE1-m-output-tokens", "ConsumedQuantity": 500.0, "BilledCost": 0.0, "ListCost": 7.5,
         "EffectiveCost": 6.0, "CommitmentDiscountStatus": "Used"},
        {"x_UsageType": "USE1-m-output-tokens", "BilledCost": 0.0, "CommitmentDiscountStatus": "Unused"},
        {"ServiceName": "m (Amazon Bedrock Edition)", "x_UsageType": "USE1-MP:USE1_InputTokenCount-Units",
         "ConsumedUnit": "Units", "ConsumedQuantity": 1.0, "BilledCost": 3.0, "ListCost": 3.0},
    )  # fmt: skip
    more = structs.replace(BOOK[0], quantity=BOOK[0].quantity + M, contracted=Decimal(9), listed=Decimal(9))
    assert causes(held("bedrock", bill, book=[more, BOOK[1]])) == {"discount": "-1.5"}


def test_focus_of_azure_and_of_google_in_parquet() -> None:
    azure = {
        "ProviderName": "Microsoft", "ServiceName": "Azure OpenAI", "ChargeCategory": "Usage", "BillingCurrency": "EUR",
        "ChargePeriodStart": "2026-11-10T00:00:00Z", "ChargePeriodEnd": "2026-11-11T00:00:00Z",
    }  # fmt: skip
    cost = Decimal("6.000000000000")
    bill = focus_parquet({"BilledCost": cost, "x_SkuMeterName": "gpt 4o 0806 Inp glbl Tokens"}, usual=azure)
    [row] = read_bill("azure-openai", bill).rows
    assert (row.model, row.unit, row.amount, row.currency) == (
        "gpt 4o 0806 Inp glbl Tokens",
        "unknown",
        6,
        "EUR",
    )
    google = azure | {"ProviderName": "Google Cloud", "ServiceName": "Vertex AI"}
    [row] = read_bill(
        "vertex", focus_parquet({"BilledCost": cost, "SkuMeter": "Gemini 3 Input"}, usual=google)
    ).rows
    assert (row.model, row.amount) == ("Gemini 3 Input", 6)


def zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_parts_of_a_month_come_in_a_zip_and_are_one_bill() -> None:
    bill = zipped(one=as_parquet(IN), two=as_parquet(OUT))
    assert causes(held("bedrock", bill, book=BOOK)) == {}


def bomb_of_parquet() -> bytes:
    """A row of three million characters, in some hundred bytes."""
    table = arrow.table({name: ["x" * 3_000_000] for name in ("BilledCost",)})
    for name in (
        "BillingCurrency",
        "ChargeCategory",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "ServiceName",
        "ProviderName",
    ):
        table = table.append_column(name, [["1"]])
    return written_as_parquet(table, compression="zstd", use_dictionary=False)


def test_what_is_packed_is_unpacked_no_farther_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_BYTES_MAX", 2_000_000)
    with pytest.raises(BillError, match="rows of more than"):
        read_bill("bedrock", bomb_of_parquet())
    monkeypatch.setattr(tables, "UNPACKED_MAX", 1_000_000)
    many = as_csv(*[IN] * 10_000)
    for content in (
        gzip.compress(many),
        zipped(one=many),
        zipped(**{str(at): gzip.compress(as_csv(*[IN] * 1_000)) for at in range(20)}),
    ):
        with pytest.raises(BillError, match="unpacks to more than"):
            read_bill("bedrock", content)
    monkeypatch.setattr(tables, "PARQUET_BYTES_MAX", 1_000)
    with pytest.raises(BillError, match="unpacks to more than 1,000 bytes"):
        read_bill("bedrock", gzip.compress(as_parquet(IN)))


@pytest.mark.parametrize(
    "content",
    [
        b"PAR1 but no more",
        b"PK\x03\x04 but no more",
        gzip.compress(b"PAR1", mtime=0)[:-9],
        b"\x1f\x8b\x08\x00" + b"\xff" * 40,
    ],
)
def test_a_file_that_is_broken_says_so(content: bytes) -> None:
    with pytest.raises(BillError, match=r"can be read|ends early"):
        read_bill("bedrock", content)
