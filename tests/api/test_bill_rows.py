"""A row of a bill in FOCUS, in any of its versions and forms, becomes one charge: or is bad, and says where."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as arrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from services.api.imports import bill_files
from services.api.imports.bill_files import FileError, read_bill
from services.api.imports.focus import RULES, cost_class, rules_in_force
from services.api.imports.label_sources import SourceError, label_sources
from services.api.imports.reader import HowToRead, NoBill, read
from services.api.imports.rows import (
    CUT,
    FLOATS,
    LIKE_CONTRACTED,
    LIKE_EFFECTIVE,
    NO_TAGS,
    ROUNDED,
    BadRow,
    BilledRow,
    RowReader,
)
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError
from spendmeter.contracts.gate import check_rules

ROW: dict[str, Any] = {
    "BilledCost": "1.50", "EffectiveCost": "-0.000022", "ListCost": "2", "ContractedCost": "1.75",
    "BillingCurrency": "USD", "BillingAccountId": "123", "BillingPeriodStart": "2026-10-01 00:00:00",
    "ChargePeriodStart": "2026-10-05T10:00:00Z", "ChargePeriodEnd": "2026-10-05 11:00:00", "ChargeCategory": "Usage",
    "InvoiceIssuerName": "Amazon Web Services, Inc.", "ServiceName": "Amazon DynamoDB", "ServiceProviderName": "AWS",
    "ServiceCategory": "Databases", "SkuId": "SKU1", "ConsumedQuantity": "44.0", "ConsumedUnit": "Requests",
    "ChargeDescription": "Write request units", "Tags": '{"CostCenter": "4711", "owner": null, "n": 3}',
}  # fmt: skip


def one(labels: Sequence[str] = (), **changed: Any) -> BilledRow | BadRow:
    *_, found = RowReader(label_sources(labels), RULES).read("line 2", ROW | changed)
    assert isinstance(found, BilledRow | BadRow)
    return found


def taken(labels: Sequence[str] = (), **changed: Any) -> BilledRow:
    found = one(labels, **changed)
    assert isinstance(found, BilledRow), found
    return found


def data_of(row: BilledRow) -> Any:
    return msgspec.json.decode(row.data)


def csv_of(*rows: dict[str, Any], delimiter: str = ",") -> bytes:
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    return ("\r\n".join(quoted) + "\r\n").encode()


def rows_of(file: bytes) -> list[Any]:
    return list(read_bill(io.BytesIO(file)))


def test_a_row_is_a_charge_that_the_contract_takes_digit_by_digit() -> None:
    row = taken(["team=tag:costcenter", "project=SubAccountName", "feature=ServiceCategory"])
    event = {
        "specversion": "1.0", "type": "spendmeter.charge.v1", "id": row.event_id, "source": row.source,
        "subject": "AWS", "time": row.time, "data": row.data,
    }  # fmt: skip
    read_back = read_event(msgspec.json.encode(event))
    charge = read_back.data.charge
    assert (charge.list, charge.contracted, charge.effective, charge.billed) == (
        "2",
        "1.75",
        "-0.000022",
        "1.5",
    )
    assert (charge.quantity, charge.unit, charge.category) == ("44", "Requests", "usage")
    assert (read_back.data.provider, read_back.data.sku, read_back.data.cost_class) == (
        "AWS", "Amazon DynamoDB", "database",
    )  # fmt: skip
    assert (read_back.data.labels.team, read_back.data.labels.feature) == ("4711", "Databases")
    assert row.time == datetime(2026, 10, 5, 10, tzinfo=UTC)
    assert row.source == "focus:Amazon Web Services, Inc./123"
    assert row.event_id.startswith("2026-10/")


def test_a_row_is_the_same_row_whatever_it_costs_is_called_or_is_tagged() -> None:
    row = taken()
    restated = taken(
        EffectiveCost="9",
        ListCost="9",
        ConsumedQuantity="9",
        Tags="{}",
        ChargeDescription="new",
        InvoiceId="I-1",
    )
    assert (restated.row_id, restated.event_id) == (row.row_id, row.event_id)
    assert restated.hash != row.hash
    assert taken(ServiceProviderName="AWS", ServiceCategory="Other").row_id == row.row_id
    for name in ("ChargePeriodStart", "SkuId", "ResourceId", "BillingPeriodStart", "BillingAccountId"):
        assert taken(**{name: "2026-10-06"}).row_id != row.row_id, name


def test_rows_that_are_alike_are_numbered_in_the_order_of_the_file() -> None:
    reader = RowReader((), ())
    ids = [reader.read(f"line {n}", ROW | {"EffectiveCost": cost})[-1] for n, cost in enumerate("123")]
    assert [each.event_id.rpartition("/")[2] for each in ids if isinstance(each, BilledRow)] == [
        "0",
        "1",
        "2",
    ]
    assert len({each.row_id for each in ids if isinstance(each, BilledRow)}) == 3


@pytest.mark.parametrize(
    ("written", "booked"),
    [("1e-7", "0.0000001"), ("-0.0", "0"), ("+3.", "3"), (Decimal("1.10"), "1.1"), (2, "2"), (0.1, "0.1")],
)
def test_an_amount_is_what_was_written(written: Any, booked: str) -> None:
    assert taken(EffectiveCost=written).effective == booked


def test_floating_point_numbers_are_taken_by_their_shortest_digits_and_that_is_said() -> None:
    row = taken(EffectiveCost=0.1 + 0.2)
    assert (row.effective, row.notes) == ("0.30000000000000004", (FLOATS,))
    row = taken(EffectiveCost=4.440892098500626e-16)
    # 31 places: to 24, half-even
    assert row.effective == "0.000000000000000444089210".rstrip("0")
    assert row.notes == (FLOATS, ROUNDED)


def test_a_cost_that_is_missing_is_taken_from_the_next_one_and_that_is_said() -> None:
    row = taken(ContractedCost="NULL", ListCost=None)
    assert (row.list, row.contracted, row.notes) == (
        "-0.000022",
        "-0.000022",
        (LIKE_EFFECTIVE, LIKE_CONTRACTED),
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("EffectiveCost", "NULL"), ("EffectiveCost", "1,5"), ("EffectiveCost", "NaN"), ("EffectiveCost", float("inf")),
        ("EffectiveCost", "1e40"), ("BilledCost", ""), ("BillingCurrency", "usd"), ("BillingCurrency", "TOKENS"),
        ("ChargePeriodStart", "yesterday"), ("BillingPeriodStart", None), ("ChargeCategory", "Refund"),
        ("InvoiceIssuerName", ""), ("ServiceProviderName", None), ("ConsumedQuantity", "lots"),
        ("SkuId", "\udcff"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_said_by_its_column_and_never_quoted(column: str, value: Any) -> None:
    found = one(**{column: value})
    assert isinstance(found, BadRow)
    assert (found.place, found.field) == ("line 2", column)
    assert not value or value == "" or str(value) not in found.reason


def test_labels_come_from_tags_and_columns_in_any_form_that_files_have() -> None:
    wanted = ["team=tag:CostCenter", "team=SubAccountId"]
    assert data_of(taken(wanted))["labels"] == {"team": "4711"}
    assert data_of(taken(wanted, Tags=[("CostCenter", "x")]))["labels"] == {"team": "x"}
    assert data_of(taken(wanted, Tags={"costcenter": True}))["labels"] == {"team": "true"}
    assert data_of(taken(wanted, Tags=None, SubAccountId="s1"))["labels"] == {"team": "s1"}
    row = taken(wanted, Tags="[broken")
    assert (data_of(row)["labels"], row.notes) == ({}, (NO_TAGS,))
    row = taken(wanted, Tags='{"CostCenter": "' + "x" * 200 + '\u200b"}')
    assert (data_of(row)["labels"], row.notes) == ({"team": "x" * 128}, (CUT,))


@pytest.mark.parametrize("wrong", ["team", "team=", "user=tag:owner", "Team=tag:x", "team=NoColumn"])
def test_what_maps_no_label_is_said(wrong: str) -> None:
    with pytest.raises(SourceError):
        label_sources([wrong])


def test_what_the_tenant_meters_itself_is_held_back_by_its_rule() -> None:
    assert taken(ServiceName="Amazon Bedrock Runtime").held == "bedrock"
    assert taken().held == ""
    assert [rule.name for rule in rules_in_force(["AWS.Bedrock", "openai"], ["openai"])] == ["bedrock"]
    assert rules_in_force(["groq"], []) == ()


def test_a_service_counts_in_the_class_of_its_subcategory_or_category() -> None:
    assert cost_class("AI and Machine Learning", "Generative AI") == "model"
    assert cost_class("AI and Machine Learning", "Machine Learning") == "training"
    assert cost_class("Quantum Gardening", "") == "other"


@pytest.mark.parametrize(
    "header",
    [
        {"ProviderName": "AWS", "PublisherName": "Red Hat"},  # 1.0 to 1.2
        {"ProviderName": "old", "ServiceProviderName": "AWS", "HostProviderName": "AWS"},  # 1.3
        {"SERVICE_PROVIDER_NAME": "AWS", "hostprovidername": "AWS"},  # 1.4, as a warehouse writes it
    ],
)
def test_a_provider_is_named_by_whichever_column_the_version_has(header: dict[str, str]) -> None:
    row = {name: value for name, value in ROW.items() if name != "ServiceProviderName"} | header
    ((place, cells),) = rows_of(csv_of(row))
    assert (place, cells["ServiceProviderName"]) == ("line 2", "AWS")


def test_the_same_bill_is_the_same_rows_in_csv_gzip_zip_and_parquet() -> None:
    file = csv_of(ROW, ROW | {"SkuId": "SKU2"})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("1.csv", csv_of(ROW))
        zipped.writestr("2.csv.gz", gzip.compress(csv_of(ROW | {"SkuId": "SKU2"})))
    typed = ROW | {
        "EffectiveCost": Decimal("-0.000022"), "BilledCost": Decimal("1.50"), "Tags": [("CostCenter", "4711")],
        "ChargePeriodStart": datetime(2026, 10, 5, 10, tzinfo=UTC),
    }  # fmt: skip
    table = arrow.Table.from_pylist([typed, typed | {"SkuId": "SKU2"}])
    table = table.set_column(
        table.schema.get_field_index("Tags"), "Tags",
        arrow.array([[("CostCenter", "4711")]] * 2, arrow.map_(arrow.string(), arrow.string())),
    )  # fmt: skip
    columnar = io.BytesIO()
    parquet.write_table(table, columnar)
    found = []
    for body in (file, csv_of(ROW, ROW | {"SkuId": "SKU2"}, delimiter=";"), gzip.compress(file),
                 archive.getvalue(), columnar.getvalue()):  # fmt: skip
        reader = RowReader(label_sources(["team=tag:CostCenter"]), ())
        rows = [reader.read(*each)[-1] for each in rows_of(body)]
        found.append([(row.row_id, row.hash) for row in rows if isinstance(row, BilledRow)])
    assert len(found[0]) == 2
    assert all(each == found[0] for each in found)


def test_a_row_is_found_by_the_line_on_which_it_begins() -> None:
    rows = [ROW | {"ChargeDescription": "two\r\nlines"}, ROW | {"EffectiveCost": "x"}]
    file = csv_of(*rows) + b'"short"\r\n\r\n'
    places = [each.place if isinstance(each, BadRow) else each[0] for each in rows_of(file)]
    assert places == ["line 2", "line 4", "line 5"]


@pytest.mark.parametrize(
    "file",
    [b"", b"a,b\r\n1,2\r\n", b"PAR1 no parquet", b"PK\x03\x04 no zip", gzip.compress(csv_of(ROW))[:-9]],
)
def test_a_file_that_is_no_bill_is_refused_whole(file: bytes) -> None:
    with pytest.raises(FileError):
        rows_of(file)


_CELLS = st.one_of(
    st.none(), st.text(max_size=40), st.floats(), st.integers(), st.decimals(allow_nan=True), st.datetimes(),
    st.sampled_from(["NULL", "-0.1e-30", "9" * 19, "\u0000", "2026-10-05T10:00:00+14:00", "0001-01-01", '{"a": [1]}']),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*ROW, "ResourceId", "ChargeClass"]), _CELLS, max_size=4))
def test_whatever_stands_in_a_bill_is_a_charge_that_the_gate_takes_or_is_bad_by_its_column(
    cells: dict[str, Any],
) -> None:
    row = one(["team=tag:CostCenter", "feature=ResourceId"], **cells)
    if isinstance(row, BadRow):
        assert row.field in ROW or row.field == "ResourceId"
        return
    event = {
        "specversion": "1.0", "type": "spendmeter.charge.v1", "id": row.event_id, "source": row.source,
        "subject": "AWS", "time": row.time, "data": row.data,
    }  # fmt: skip
    try:
        check_rules(read_event(msgspec.json.encode(event)), plain=False)
    except EventError as error:  # a name of which nothing is left that can be seen
        assert error.field in ("data.provider", "data.sku")


def test_packed_parquet_has_a_bound_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill_files, "PACKED_PARQUET_BYTES_MAX", 100)
    columnar, archive = io.BytesIO(), io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist([ROW]), columnar)
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("1.parquet", columnar.getvalue())
    with pytest.raises(FileError, match="by itself"):
        rows_of(archive.getvalue())
    assert len(rows_of(columnar.getvalue())) == 1


def test_the_reader_says_where_a_file_ends_early() -> None:
    *_, last = read(io.BytesIO(gzip.compress(csv_of(*[ROW] * 5000))[:-20]), HowToRead())
    assert isinstance(last, NoBill)
