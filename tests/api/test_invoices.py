"""A provider's bill in, and held against the book: by the API, on calls that the corrector's own code has folded."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.invoices import arriving
from services.api.invoices.billed import BillError
from services.api.invoices.coverage import SpokenOf, shortfalls
from spendmeter.platform.bounded_process import ProcessBounds
from spendmeter.platform.roles import role_url
from spendmeter.platform.service_keys import ACCRUALS, key_id
from tests.api.aws_reports import as_parquet
from tests.api.aws_reports import used as aws_used
from tests.api.book import Book
from tests.api.used_models import YESTERDAY, UsedModels
from tests.api.vendor_bills import openai_costs, openai_line, openai_usage
from tests.databases import SECRET

DAY = YESTERDAY.date()
ASKED = {"provider": "openai", "from": str(DAY), "to": str(DAY + timedelta(days=1))}


@pytest.fixture
async def used(book: Book, database_url: str) -> AsyncIterator[UsedModels]:
    """40 calls of m: 40,000 tokens in at 1 a million and 20,000 out at 2: 0.04 + 0.04."""
    url = role_url(database_url, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        used = UsedModels(book, pool)
        await used.publish()
        await used.call(calls=40)
        await used.fold()
        yield used


@pytest.fixture
async def bills(client: httpx.AsyncClient, book: Book) -> dict[str, str]:
    """Headers of a key that imports."""
    return {"Authorization": f"Bearer {await book.key('acme', 'read', 'import')}"}


def bill(tokens_in: int, tokens_out: int) -> bytes:
    lines = [
        openai_line("m, input", tokens_in / 1_000_000, tokens_in),
        openai_line("m, output", 2 * tokens_out / 1_000_000, tokens_out),
    ]
    return openai_costs({DAY: lines})


async def sent(
    client: httpx.AsyncClient, headers: dict[str, str], content: bytes, status: int = 201, **query: str
) -> dict[str, Any]:
    answer = await client.post(
        "/v1/invoices", params={"provider": "openai"} | query, content=content, headers=headers
    )
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def variance(client: httpx.AsyncClient, headers: dict[str, str], **more: str) -> dict[str, Any]:
    answer = await client.get("/v1/invoices/variance", params=ASKED | more, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_bill_is_held_against_the_book_by_day_and_model_and_books_nothing(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    before = await used.book.connection.fetchval("SELECT count(*) FROM entries")
    said = await sent(client, bills, bill(50_000, 20_000), file="costs.json")
    assert (said["rows"], said["first_day"], said["amounts"]) == (
        2, str(DAY), [{"kind": "cost", "currency": "USD", "amount": "0.09"}]
    )  # fmt: skip
    found = await variance(client, bills)
    sums = {
        "billed": "0.09",
        "booked": "0.08",
        "variance": "0.01",
        "causes": {"unseen": "0.01"},
        "unexplained": "0",
    }
    assert {name: found["totals"][name] for name in sums} == sums
    assert found["rows"] == [{"day": str(DAY), "model": "m", **sums, "note": ""}]
    assert (found["days_billed"], found["days_without_bill"], found["currency"]) == (1, [], "USD")
    assert [each["cause"] for each in found["meanings"]][:3] == ["timing", "unseen", "unbilled"]
    assert await used.book.connection.fetchval("SELECT count(*) FROM entries") == before


async def test_of_a_day_the_newest_import_counts_and_the_same_again_changes_nothing(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    first = await sent(client, bills, bill(50_000, 20_000))
    await sent(
        client, bills, openai_usage({DAY: [{"model": "m", "input_tokens": 50_000, "output_tokens": 20_000}]})
    )
    assert (await sent(client, bills, bill(50_000, 20_000), status=200))["import_id"] == first["import_id"]
    await sent(client, bills, bill(40_000, 20_000))
    assert (await variance(client, bills))["totals"]["variance"] == "0"
    listed = (await client.get("/v1/invoices", headers=bills)).json()["imports"]
    assert [each["superseded"] for each in listed] == [False, False, True]
    again = await sent(client, bills, bill(50_000, 20_000))  # what was superseded counts again
    assert again["import_id"] != first["import_id"]
    assert (await variance(client, bills))["totals"]["variance"] == "0.01"


async def test_bills_of_several_accounts_add_up(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    await sent(client, bills, bill(30_000, 20_000), account="org-a")
    await sent(client, bills, bill(10_000, 0), account="org-b")
    assert (await variance(client, bills))["totals"]["variance"] == "0"
    one = await variance(client, bills, account="org-b")
    assert one["totals"]["causes"] == {"unbilled": "-0.07"}


async def test_a_bill_of_nothing_is_in_the_currency_of_the_book(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    await sent(client, bills, openai_costs({DAY: []}))
    found = await variance(client, bills)
    assert (found["currency"], found["not_compared"]) == ("USD", 0)
    assert found["totals"]["causes"] == {"unbilled": "-0.08"}


async def test_what_bills_lack_and_what_was_said_when_they_came_in_is_told_with_the_variance(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    ahead = DAY + timedelta(days=2)  # it is not over, were it midnight by now
    line = openai_line("m, input", 0.04, 40_000)
    await sent(client, bills, openai_costs({DAY: [line], ahead: []}, more=True), account="org-a")
    assert (await variance(client, bills))["notes"] == [
        "the last page says that there are more: days behind it are not in the file"
    ]
    await sent(client, bills, openai_costs({ahead: []}), account="org-b")
    both = (await variance(client, bills, to=str(ahead + timedelta(days=1))))["notes"]
    assert [note.split(" when ")[0].split(" of ")[0] for note in both] == [
        f"{ahead} was not over", "account 'org-b' has no bill",
        "the last page says that there are more: days behind it are not in the file",
    ]  # fmt: skip


async def test_seats_that_accrue_are_on_no_bill_of_usage(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    await used.call(key=key_id(ACCRUALS))
    await used.fold()
    await sent(client, bills, bill(40_000, 20_000))
    assert (await variance(client, bills))["totals"]["variance"] == "0"


async def test_a_provider_is_the_one_that_the_catalog_or_a_bill_knows_by_the_name(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    await used.call(provider="OpenAI")
    await used.call(provider="elsewhere")
    await used.fold()
    await sent(client, bills, bill(41_000, 20_500))
    assert (await variance(client, bills))["totals"]["variance"] == "0"


async def test_what_one_tenant_imports_no_other_sees(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str], book: Book
) -> None:
    await sent(client, bills, bill(50_000, 20_000))
    others = {"Authorization": f"Bearer {await book.key('globex', 'read', 'import')}"}
    assert (await client.get("/v1/invoices", headers=others)).json()["imports"] == []
    found = await variance(client, others)
    assert (found["rows"], found["currency"], found["days_without_bill"]) == ([], None, [str(DAY)])


async def test_who_may_not_import_is_refused_and_what_is_no_bill_is_told_why(
    client: httpx.AsyncClient, bills: dict[str, str], book: Book
) -> None:
    reads = {"Authorization": f"Bearer {await book.key('acme', 'read')}"}
    assert (await sent(client, reads, bill(1, 1), status=403))["status"] == 403
    refused = await sent(client, bills, b'{"data": 1}', status=422)
    assert "is no page of openai's" in refused["errors"][0]["reason"]


async def test_a_variance_is_a_table_too(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    await sent(client, bills, bill(50_000, 20_000))
    answer = await client.get("/v1/invoices/variance", params=ASKED, headers=bills | {"Accept": "text/csv"})
    assert answer.text.splitlines() == [
        "day,model,billed,booked,variance,causes.unseen,unexplained,note", f"{DAY},m,0.09,0.08,0.01,0.01,0,"
    ]  # fmt: skip


async def test_a_report_of_aws_comes_in_as_parquet_and_is_held_against_the_book(
    used: UsedModels, client: httpx.AsyncClient, bills: dict[str, str]
) -> None:
    # 50,000 tokens in at 1 a million, of which 40,000 are booked; 20,000 out at 2.
    day = {"line_item_usage_start_date": f"{DAY}T10:00:00Z", "line_item_usage_end_date": f"{DAY}T11:00:00Z"}
    await used.call(provider="bedrock", calls=40)
    await used.fold()
    content = as_parquet(
        aws_used("USE1-m-input-tokens", "50", "0.05", **day),
        aws_used("USE1-m-output-tokens", "20", "0.04", **day),
    )
    await sent(client, bills, content, provider="bedrock")
    found = (await variance(client, bills, provider="bedrock"))["totals"]
    assert (found["billed"], found["booked"], found["causes"]) == (
        "0.09", "0", {"unseen": "0.01", "unpriced": "0.08"}  # nobody has a price of it by this provider
    )  # fmt: skip


async def test_a_file_that_takes_too_much_to_read_is_refused_with_the_bound(
    client: httpx.AsyncClient, bills: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = ProcessBounds(seconds_max=60, memory_bytes_max=24 * 1024**2, output_bytes_max=1024)
    monkeypatch.setattr(arriving, "BOUNDS", tight)
    refused = await sent(client, bills, bill(1, 1), status=422)
    assert "more than 60 s of computing to read, or 24 MiB" in refused["errors"][0]["reason"]


async def test_one_file_of_a_tenant_comes_in_at_a_time_and_two_of_all_and_none_is_kept_before_its_turn(
    client: httpx.AsyncClient, bills: dict[str, str], api: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: arriving.BillTurns = api.state.bill_turns
    with monkeypatch.context() as patched:
        patched.setattr("tempfile.TemporaryFile", None)  # a call of it would be a TypeError
        with turns.turn("acme"):
            await sent(client, bills, bill(1, 1), status=429)
    with turns.turn("acme"):
        assert "of this tenant" in (await sent(client, bills, bill(1, 1), status=429))["detail"]
    with turns.turn("globex"), turns.turn("initech"):
        assert "of other tenants" in (await sent(client, bills, bill(1, 1), status=503))["detail"]
    await sent(client, bills, bill(1, 1))


async def test_of_two_files_that_came_in_one_is_read_and_the_other_waits(
    client: httpx.AsyncClient, bills: dict[str, str], api: FastAPI
) -> None:
    turns: arriving.BillTurns = api.state.bill_turns
    async with turns.reader:
        waiting = asyncio.create_task(sent(client, bills, bill(1, 1)))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    await waiting


async def test_a_file_that_does_not_come_gives_up_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    monkeypatch.setattr(arriving, "ARRIVAL_S_MAX", 0.05)
    with pytest.raises(BillError, match=r"did not come within 0\.05 s"):
        await arriving.kept(never(), io.BytesIO())


def test_of_many_accounts_without_a_bill_a_few_are_named_and_the_rest_is_counted() -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    spoken = [SpokenOf(DAY, "cost", f"org-{number:02}", at) for number in range(15)]
    spoken.append(SpokenOf(DAY - timedelta(days=1), "cost", "org-99", at))
    notes = shortfalls(spoken, (DAY - timedelta(days=1), DAY + timedelta(days=1)))
    # All sixteen lack one of the two days.
    assert len(notes) == 11
    assert notes[-1] == "and 6 more accounts have no bill of some of these days"
