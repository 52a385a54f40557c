"""`GET /v1/exports/focus`: the book in FOCUS, to the last digit. Amounts are worked out by hand."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from starlette.requests import ClientDisconnect

from services.api.exports import running, writer
from services.api.exports.routes import ExportResponse
from services.api.exports.running import BegunExport, RunningExports
from services.api.exports.writer import ExportQuestion
from services.api.http.problems import HttpRefusal
from services.api.imports.reader import HowToRead, read
from services.api.imports.rows import BadRow, BilledRow
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.catalog import FxRate
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Context, Labels, UsageEvent
from spendmeter.platform.bounded_process import BoundError
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.exported import ExportedBook, export_of, exported_book, rows_of, spent, sums_of
from tests.charges import charge
from tests.corrector.rerate_world import use
from tests.databases import SECRET
from tests.pricing.entries import RECORDED, adjustment, price

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
START, END = date(2026, 10, 1), date(2026, 11, 1)
PRICES = (
    price("gpt-4o", "input_tokens", "2.5"),
    price("gpt-4o", "output_tokens", "10"),
    price("gpt-4o", "cache_read_tokens", "1.25"),
)
"""In US dollars a million."""


@pytest.fixture
async def exported(api: FastAPI, book: Book, database_url: str) -> AsyncIterator[ExportedBook]:
    """An empty book with prices, and an api that writes exports of it."""
    api.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    async with exported_book(database_url, book.connection) as made:
        await made.world.publish(*PRICES)
        yield made


def tokens(id: str, *, at: datetime = AT, **said: Any) -> UsageEvent:
    """1,200,000 input, 400,000 output and 800,000 cached tokens of gpt-4o: 3 + 4 + 1 = 8 USD."""
    usage = {"input_tokens": 1_200_000, "output_tokens": 400_000, "cache_read_tokens": 800_000}
    return use(id, "gpt-4o", usage, at=at, **said)


async def test_a_row_is_one_meter_of_a_day_and_the_rows_are_the_book(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    await exported.world.book(tokens("e1"), tokens("e2"), tokens("e3", at=AT + timedelta(days=1)))
    await exported.fold()
    rows = await rows_of(acme, version="1.2")
    found = {(row["ChargePeriodStart"], row["SkuMeter"]): row for row in rows}
    assert len(rows) == len(found) == 6
    row = found["2026-10-05T00:00:00Z", "Input Tokens"]
    expected = {
        "BillingPeriodStart": "2026-10-01T00:00:00Z", "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "ChargePeriodEnd": "2026-10-06T00:00:00Z", "BillingAccountId": "acme", "BillingCurrency": "USD",
        "ConsumedQuantity": "2400000.0", "ConsumedUnit": "Tokens",
        "PricingQuantity": "2.4", "PricingUnit": "1000000 Tokens", "ListUnitPrice": "2.5", "ContractedUnitPrice": "2.5",
        "ServiceCategory": "AI and Machine Learning", "ServiceSubcategory": "Generative AI",
        "ServiceName": "AI models (openai)", "ProviderName": "openai", "PublisherName": "openai",
        "InvoiceIssuerName": "openai", "ChargeCategory": "Usage", "ChargeClass": "", "PricingCategory": "Standard",
        "SubAccountId": "team:payments", "x_PricingStatus": "priced", "x_Events": "2.0", "InvoiceId": "",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert Decimal(row["ListCost"]) == Decimal(row["BilledCost"]) == 6  # 2.4 x 2.5
    assert json.loads(row["SkuPriceDetails"]) == {
        "x_ModelDeveloper": "OpenAI", "x_ModelFamily": "gpt-o", "x_ModelId": "gpt-4o", "x_ModelVersion": "4.0",
        "x_TokenDirection": "Input", "x_TokenCacheAction": "Uncached",
    }  # fmt: skip
    assert json.loads(row["Tags"]) == {"team": "payments"}
    assert sums_of(rows) == {"USD": [Decimal(24)] * 3} == await spent(acme, START, END)


async def test_versions_differ_in_their_columns_alone(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    await exported.world.book(tokens("e1"))
    await exported.fold()
    older, newer = await rows_of(acme, version="1.2"), await rows_of(acme, version="1.4")
    assert {*newer[0]} - {*older[0]} == {"ServiceProviderName", "HostProviderName", "InvoiceDetailId"}
    assert {*older[0]} - {*newer[0]} == {"ProviderName", "PublisherName"}
    both = {*older[0]} & {*newer[0]}
    assert [{name: row[name] for name in both} for row in older] == [
        {name: row[name] for name in both} for row in newer
    ]


async def test_parquet_says_the_same_as_csv_with_decimals_and_instants(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    await exported.world.book(tokens("e1"), tokens("e2", team='a,b\n"c"'))
    await exported.fold()
    rows = await rows_of(acme)
    answer = await export_of(acme, format="parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert str(table.schema.field("ListCost").type) == "decimal128(38, 18)"
    assert str(table.schema.field("ChargePeriodStart").type) == "timestamp[us, tz=UTC]"
    read = table.to_pylist()
    assert [row["Tags"] for row in read] == [row["Tags"] for row in rows]
    for name in ("ListCost", "ListUnitPrice", "ConsumedQuantity", "x_Events"):
        assert [row[name] for row in read] == [Decimal(row[name]) for row in rows]
    assert {row["InvoiceId"] for row in read} == {None}
    assert read[0]["BillingPeriodStart"] == datetime(2026, 10, 1, tzinfo=UTC)


async def test_what_has_no_price_is_there_with_its_quantity_and_says_so(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    await exported.world.book(use("e1", "gpt-4o", {"gpu_hours": 3}, at=AT))
    await exported.fold()
    (row,) = await rows_of(acme)
    assert (row["ConsumedQuantity"], row["ConsumedUnit"], row["ListCost"]) == ("3.0", "Hours", "0.0")
    assert (row["x_PricingStatus"], row["PricingCategory"]) == ("unpriced", "Other")
    assert row["ChargeDescription"] == "Price unknown: GPU Hours of gpt-4o"
    assert row["SkuPriceId"].startswith("unpriced:") and row["x_StatusReason"]


async def test_currencies_have_rows_of_their_own_and_a_price_in_another_is_said_as_priced(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    world = exported.world
    await world.publish(
        price("euro", "input_tokens", "3", currency="EUR"),
        price("pound", "input_tokens", "3", currency="GBP"),
        identified(
            FxRate(
                base="EUR",
                quote="USD",
                rate="1.1",
                source="test",
                recorded_at=RECORDED,
                effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            )
        ),
    )
    await world.book(use("e1", "euro", at=AT), use("e2", "pound", at=AT))
    await exported.fold()
    rows = {row["x_Sku"]: row for row in await rows_of(acme)}
    euro, pound = rows["openai/euro"], rows["openai/pound"]
    assert (euro["BillingCurrency"], euro["PricingCurrency"]) == ("USD", "EUR")
    assert Decimal(euro["ListCost"]) == Decimal("3.3") and Decimal(euro["ListUnitPrice"]) == Decimal("3.3")
    assert Decimal(euro["PricingCurrencyListUnitPrice"]) == Decimal(euro["PricingCurrencyEffectiveCost"]) == 3
    # of pounds no rate is known: as priced it is 3, in the book nothing, and it says why
    assert (pound["x_PricingStatus"], Decimal(pound["ListCost"])) == ("unpriced", 0)
    assert Decimal(pound["PricingCurrencyEffectiveCost"]) == 3
    assert sums_of([*rows.values()]) == await spent(acme, START, END)


async def test_a_retraction_in_an_ended_month_is_a_correction_and_in_an_open_one_a_restatement(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    world = exported.world
    await world.book(tokens("e1"), tokens("e2"), tokens("e3"))
    await exported.recorded("true", "2026-10-05 12:01Z")
    await world.retract("e1")  # now: October is over
    await exported.fold()
    rows = [row for row in await rows_of(acme) if row["SkuMeter"] == "Input Tokens"]
    said = {row["ChargeClass"]: row for row in rows}
    # 3 events of 1.2 million tokens at 2.5 USD a million, and one of them taken back
    assert (said[""]["ConsumedQuantity"], Decimal(said[""]["ListCost"])) == ("3600000.0", 9)
    back = said["Correction"]
    assert (back["ConsumedQuantity"], Decimal(back["BilledCost"])) == ("-1200000.0", -3)
    assert (back["ListUnitPrice"], back["x_RowId"]) == ("2.5", f"{said['']['x_RowId']}/correction")
    assert sums_of(await rows_of(acme)) == {"USD": [Decimal(16)] * 3} == await spent(acme, START, END)

    await exported.recorded("origin_partition = -1", "2026-10-20 12:00Z")  # as if it had been while it ran
    rows = [row for row in await rows_of(acme) if row["SkuMeter"] == "Input Tokens"]
    assert [(row["ChargeClass"], row["ConsumedQuantity"]) for row in rows] == [("", "2400000.0")]


async def test_a_rerate_leaves_what_was_exported_and_corrects_it_at_both_prices(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    world = exported.world
    await world.publish(price("m", "input_tokens", "2"))
    await world.book(use("e1", at=AT), use("e2", at=AT))
    await exported.recorded("true", "2026-10-05 12:01Z")
    await exported.fold()
    before = await rows_of(acme)
    await world.rerate(await world.publish(adjustment("surcharge", "1.5")))
    await exported.fold()
    rows = await rows_of(acme)
    assert [row for row in rows if not row["ChargeClass"]] == before  # 2 x 2 USD, as it went out
    corrections = {Decimal(row["ListCost"]): row for row in rows if row["ChargeClass"]}
    assert {*corrections} == {Decimal(-4), Decimal(6)}
    assert corrections[Decimal(6)]["ListUnitPrice"] == "3.0"
    assert sums_of(rows) == {"USD": [Decimal(6)] * 3} == await spent(acme, START, END)


async def test_a_row_of_a_bill_goes_out_as_it_came(acme: httpx.AsyncClient, exported: ExportedBook) -> None:
    details = {
        "InvoiceIssuerName": "AWS", "InvoiceId": "INV-7", "ServiceName": "Amazon DynamoDB", "SkuId": "SKU1",
        "ServiceCategory": "Databases", "SubAccountId": "123", "SubAccountName": "prod", "RegionId": "eu-west-1",
        "ChargeFrequency": "Usage-Based",
    }  # fmt: skip
    bill = charge(
        "5", "c1", contracted="4", effective="3.5", billed="4", quantity="20", unit="Requests", description="reads",
        until="2026-11-21T12:00:00Z", details=details,
    )  # fmt: skip
    credit = charge("-1", "c2", category="credit", details=details)
    await exported.world.book(bill, credit)
    await exported.fold()
    rows = await rows_of(acme, **{"from": "2026-11-20", "to": "2026-11-21"})
    by_category = {row["ChargeCategory"]: row for row in rows}
    row = by_category["Usage"]
    expected = {
        "ListCost": "5.0", "ContractedCost": "4.0", "EffectiveCost": "3.5", "BilledCost": "4.0", "InvoiceId": "INV-7",
        "ServiceName": "Amazon DynamoDB", "ServiceCategory": "Databases", "ConsumedQuantity": "20.0",
        "ConsumedUnit": "Requests", "ListUnitPrice": "0.25", "ContractedUnitPrice": "0.2", "SkuId": "SKU1",
        "SubAccountId": "123", "SubAccountName": "prod", "RegionId": "eu-west-1", "ChargeDescription": "reads",
        "ChargePeriodStart": "2026-11-20T12:00:00Z", "ChargePeriodEnd": "2026-11-21T12:00:00Z",
        "x_PricingStatus": "reported",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    credited = by_category["Credit"]
    assert (credited["BilledCost"], credited["SkuPriceId"], credited["ListUnitPrice"]) == ("-1.0", "", "")
    assert len(rows) == 2
    assert sums_of(rows) == await spent(acme, date(2026, 11, 20), date(2026, 11, 21))
    assert sums_of(rows)["USD"] == [Decimal(4), Decimal(3), Decimal("2.5")]


async def test_a_bill_that_was_retracted_later_is_a_correction_with_the_same_words(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    bill = replace(charge("5", "c1", quantity="20", unit="Requests"), time=AT)
    await exported.world.book(bill)
    await exported.recorded("true", "2026-10-06 12:01Z")
    await exported.world.retract("c1")
    await exported.fold()
    rows = await rows_of(acme)
    assert [(row["ChargeClass"], row["BilledCost"], row["ConsumedQuantity"]) for row in rows] == [
        ("", "5.0", "20.0"),
        ("Correction", "-5.0", "-20.0"),
    ]
    assert len({row["x_RowId"] for row in rows}) == 2


HOSTILE = "=cmd|'/c calc'!A1"


async def test_nothing_that_a_spreadsheet_would_run_begins_a_cell_and_json_has_it_as_it_was(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    said = tokens("e1", team=HOSTILE)
    labels = Labels(team=HOSTILE, workflow='a,"b"\r\nc', agent="@x")
    context = Context(service_tier="standard", region="-eu")
    await exported.world.book(replace(said, data=replace(said.data, labels=labels, context=context)))
    await exported.fold()
    answer = await export_of(acme)
    for line in csv.reader(io.StringIO(answer.text, newline="")):
        for cell in line:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
            if cell.startswith("-"):
                Decimal(cell)
    row = next(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert json.loads(row["Tags"]) == {"team": HOSTILE, "workflow": 'a,"b"\r\nc', "agent": "@x"}
    assert (row["SubAccountId"], row["SubAccountName"]) == (f"team:{HOSTILE}", f"'{HOSTILE}")
    exact = parquet.read_table(io.BytesIO((await export_of(acme, format="parquet")).content)).to_pylist()[0]
    assert (exact["SubAccountName"], exact["RegionId"]) == (HOSTILE, "-eu")


async def test_another_tenants_days_are_empty(
    client: httpx.AsyncClient, exported: ExportedBook, book: Book
) -> None:
    await exported.world.book(tokens("e1"), tokens("e2", tenant="globex", team="secret"))
    await exported.fold()
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert {row["BillingAccountId"] for row in await rows_of(client)} == {"acme"}
    assert "secret" not in (await export_of(client)).text
    refused = await client.get("/v1/exports/focus", headers={"X-Spendmeter-Tenant": "globex"})
    assert refused.status_code == 403
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'ingest')}"
    assert (await export_of(client)).status_code == 403


async def test_days_that_are_not_folded_yet_are_refused_for_now(
    acme: httpx.AsyncClient, exported: ExportedBook, api: FastAPI
) -> None:
    await exported.world.book(tokens("e1"))
    await exported.fold()
    await exported.world.book(tokens("e2"))
    api.state.exports.folded_wait_s = 0.0
    answer = await export_of(acme)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert "not folded yet" in answer.text
    await exported.fold()
    assert (await export_of(acme)).status_code == 200  # and the room of the refused one is free again


async def test_an_answer_that_nobody_takes_leaves_room_for_the_next(
    acme: httpx.AsyncClient, exported: ExportedBook, api: FastAPI
) -> None:
    await exported.world.book(tokens("e1"))
    await exported.fold()
    exports = api.state.exports
    asked = ExportQuestion(database_url="", tenant="acme", version="1.4", form="csv", start=START, end=END)

    async def gone(_: Any) -> None:
        raise OSError("the client went away")

    begun = await exports.begin(asked)
    assert (await export_of(acme)).status_code == 503  # one of a tenant at a time
    with pytest.raises(ClientDisconnect):
        await ExportResponse(begun)({"type": "http", "asgi": {"spec_version": "2.4"}}, gone, gone)  # type: ignore[arg-type]
    begun = await exports.begin(asked)
    async for _ in begun.file():
        break
    await begun.aclose()
    assert (await export_of(acme)).status_code == 200


async def test_a_file_that_breaks_off_ends_in_an_error_and_one_that_never_began_may_be_had_later() -> None:
    async def output(*pieces: bytes) -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece
        raise BoundError("it ended with code -9")

    exports = RunningExports("")
    begun = BegunExport(
        output=output(b'{"type":"begins","totals":[],"rows_max":2}\na,b', b"\r\n1"),
        running=exports,
        tenant="acme",
    )
    await begun.read_beginning()
    came = b""
    with pytest.raises(BoundError):
        async for piece in begun.file():
            came += piece
    assert came == b"a,b\r\n1"
    with pytest.raises(HttpRefusal) as refused:
        await BegunExport(output=output(), running=exports, tenant="acme").read_beginning()
    assert refused.value.status == 503


async def test_who_was_turned_away_has_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def output(*_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        yield b'{"type":"begins","totals":[],"rows_max":0}\n'

    monkeypatch.setattr(running, "module_output", output)
    exports = RunningExports("")

    async def begin(tenant: str) -> BegunExport | None:
        asked = ExportQuestion(
            database_url="", tenant=tenant, version="1.4", form="csv", start=START, end=END
        )
        try:
            return await exports.begin(asked)
        except HttpRefusal as refused:
            assert refused.status == 503
            return None

    a, b = await begin("a"), await begin("b")
    assert a and b
    assert await begin("c") is None
    await a.aclose()
    assert await begin("a") is None, "c was turned away before"
    c = await begin("c")
    assert c
    assert await begin("b") is None, "its own is under way"
    await c.aclose()
    assert await begin("a")
    await b.aclose()
    assert await begin("c"), "nobody is turned away any more"
    monkeypatch.setattr(running, "PATIENCE_S", 0)
    assert await begin("d") is None
    exports.ended("c")
    assert await begin("e"), "who does not come back is not waited for"


async def test_who_takes_a_file_too_slowly_loses_it_and_others_have_the_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "LASTS_S_MAX", 0.05)
    ended = []

    async def output() -> AsyncGenerator[bytes, None]:
        try:
            yield b'{"type":"begins","totals":[],"rows_max":2}\n'
            while True:
                yield b"1\r\n"
        finally:
            ended.append("the process")

    begun = BegunExport(output=output(), running=RunningExports(""), tenant="acme")
    await begun.read_beginning()
    with pytest.raises(BoundError, match="too slowly"):
        async for _ in begun.file():
            await asyncio.sleep(0.02)
    await begun.aclose()
    assert ended == ["the process"]


async def test_where_rollups_are_too_coarse_entries_are_asked(
    exported: ExportedBook, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    await exported.world.book(tokens("e1"))
    await exported.fold()

    async def dropped(*_: Any) -> Any:
        raise MinutesDropped(AT, AT, BucketSpan(AT, AT))

    monkeypatch.setattr(writer, "spent_in", dropped)
    url, out = role_url(database_url, "api", SECRET), io.BytesIO()
    asked = ExportQuestion(database_url=url, tenant="acme", version="1.4", form="csv", start=START, end=END)
    await writer.export(asked, out)
    begins, _, file = out.getvalue().partition(b"\n")
    assert b'"effective":"8"' in begins and file.count(b"\n") == 4
    assert "postgres" not in repr(asked)


async def test_what_goes_out_can_come_in_as_a_bill_again(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    await exported.world.book(tokens("e1"), use("e2", "gpt-4o", {"gpu_hours": 3}, at=AT, team='a,"b"'))
    await exported.fold()
    for version in ("1.2", "1.4"):
        file = io.BytesIO((await export_of(acme, version=version)).content)
        rows = [*read(file, HowToRead(labels=("team=SubAccountName",)))]
        assert not [row for row in rows if isinstance(row, BadRow)]
        billed = [row for row in rows if isinstance(row, BilledRow)]
        assert (len(billed), sum(Decimal(row.effective) for row in billed)) == (4, 8)
        assert len({row.event_id for row in billed}) == 4


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"to": "2100-01-01"}, "to"),
        ({"from": "2026-11-01", "to": "2026-10-01"}, "from"),
        ({"from": "2024-01-01", "to": "2026-10-01"}, "from"),
        ({"version": "1.3"}, "version"),
        ({"format": "xlsx"}, "format"),
        ({"team": "a"}, "team"),
        ({"from": "2026-10-01T10:00:00Z"}, "from"),
    ],
)
async def test_what_no_export_can_be_of_is_refused(
    acme: httpx.AsyncClient, asked: dict[str, str], field: str
) -> None:
    answer = await export_of(acme, **asked)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_an_answer_says_what_its_rows_come_to(acme: httpx.AsyncClient, exported: ExportedBook) -> None:
    await exported.world.book(tokens("e1"))
    await exported.fold()
    answer = await export_of(acme)
    assert json.loads(answer.headers["X-Export-Totals"]) == [
        {"currency": "USD", "list": "8", "contracted": "8", "effective": "8"}
    ]
    assert answer.headers["X-Complete-Through"] == ""  # nobody has proven anything of this book
    assert answer.headers["Content-Encoding"] == "identity"  # nobody's answer waits for it to be compressed
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="focus-1.4-acme-2026-10-01-2026-11-01.csv"'
    )
    empty = await export_of(acme, **{"from": "2026-09-01", "to": "2026-10-01"})
    assert empty.text.count("\n") == 1 and empty.headers["X-Export-Totals"] == "[]"
