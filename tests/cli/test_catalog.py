"""`spendmeter catalog`, against the real api on a database of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import uvicorn
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database, prepare
from spendmeter.contracts.units import UNITS
from spendmeter.platform.catalog_store import record
from spendmeter.platform.keys import create_key, create_tenant
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from spendmeter.platform.settings import Settings
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.api.book import Book
from tests.databases import migrated_database
from tests.pricing.entries import model, price, terms, used

OLD = price("m", "input_tokens", "1")
FILE = """
source = "https://vendor.example"
recorded_at = 2026-11-20T00:00:00Z
[[price]]
provider = "openai"
sku = "m"
prices = { input_tokens = "1.25" }
"""


@pytest.fixture(scope="module")
async def owner(owner_url: str) -> str:
    return await migrated_database(owner_url, "cli")


@pytest.fixture(scope="module")
async def api(owner: str) -> AsyncIterator[tuple[str, str]]:
    """Its address and an operator's key."""
    connection = await asyncpg.connect(owner)
    await create_tenant(connection, "acme")
    await create_tenant(connection, "newco")
    key = await create_key(connection, "", ["admin"], name="test")
    await record(connection, [OLD, model("m", "m-latest")], by="migrate", note="first")
    await connection.close()
    pool = await create_pool(role_url(owner, "api", "test"), size_max=5, service="test", init=prepare)
    app = create_app(Settings(), Database(pool), BookProgress(), lambda: "")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", key
    server.should_exit = True
    await serving
    await pool.close()


@pytest.fixture(autouse=True)
def chosen(api: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDMETER_API_URL", api[0])
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", api[1])


async def run(*arguments: str | Path, code: int = 0) -> str:
    """What the command prints."""
    done: Result = await asyncio.to_thread(
        CliRunner().invoke, build(["catalog"]), ["catalog", *map(str, arguments)]
    )
    assert done.exit_code == code, done.output
    return done.output


async def test_a_price_from_its_file_to_its_history(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(FILE)
    assert f"entries {OLD.id} (1 USD per 1,000,000 input_tokens of openai/m) and" in await run(
        "propose", file, code=1
    )
    said = await run("diff", file, "--withdraw", OLD.id)
    assert "changed: openai/m input_tokens: 1 USD per 1,000,000 -> 1.25 USD per 1,000,000 (x 1.25)" in said
    assert "what it does: usage from now on; nothing booked since" in said
    assert "were they priced again: 0 of 0 events since" in said
    assert "open" not in await run("proposals")
    made = json.loads(await run("propose", file, "--replace", "--note", "as of November", "--json"))
    number = str(made["id"])
    assert "1.25 USD" in await run("diff", number)
    assert f"proposal {number} is in force as version 2: usage from now on; nothing booked" in await run(
        "approve", number, "--reason", "checked"
    )
    assert "is approved" in await run("approve", number, code=1)
    assert "1.25 USD per 1,000,000 input_tokens of openai/m" in await run("list", "latest")
    shown = await run("show", "openai/m")
    assert "also: m-latest" in shown
    assert OLD.id not in shown
    told = await run("history", "openai/m")
    assert "withdrawn" in told
    assert ": as of November" in told
    assert "changed: openai/m input_tokens" in await run("changes", "1")
    assert "no price changes" in await run("changes", "2")
    assert "changed: openai/m input_tokens" not in await run("changes", "2020-01-01", "2020-02-01")
    assert "nothing in the catalog" in await run(
        "list", "latest", "--at", "2020-01-01", "--provider", "nobody"
    )
    assert "is a version" in await run("changes", "yesterday", code=1)
    assert "approved" in await run("proposals")


async def test_lint_ends_with_1_where_anything_looks_wrong_and_a_finding_must_be_confirmed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(FILE.replace('"m"', '"fine"'))
    assert "nothing looks wrong" in await run("lint", file)
    await run("import", file)
    fine = json.loads(await run("proposals", "--json"))["proposals"][0]["id"]
    await run("approve", str(fine))
    file.write_text(FILE.replace('"m"', '"fine"').replace("1.25", "125"))
    assert "confirm" in await run("lint", file, "--replace", code=1)
    number = str(json.loads(await run("import", file, "--json"))["id"])
    assert "confirm" in await run("approve", number, code=1)
    assert "is rejected" in await run("reject", number, "--reason", "dollars and cents")
    assert "rejected" in await run("proposals", "--state", "rejected")


async def test_a_tenants_own_price_and_an_empty_inbox(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "provider,sku,unit,price,per,layer,tenant\nopenai,m,input_tokens,0.9,1000000,organisation,acme\n"
    )
    made = json.loads(await run("propose", file, "--tenant", "acme", "--json"))
    await run("approve", str(made["id"]), "--tenant", "acme")
    assert "0.9 USD" in await run("show", "openai/m", "--tenant", "acme")
    assert "0.9 USD" not in await run("show", "openai/m")
    assert "everything that is used has a price" in await run("inbox")
    assert "is not in the inbox" in await run("inbox", "--accept", "openai/x", code=1)


async def spend(owner: str, tenant: str, sku: str, usage: dict[str, int], **said: Any) -> None:
    """An event of yesterday, as booked by what stood when this module began."""
    at = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    event = msgspec.structs.replace(used("openai", sku, usage, at=at, tenant=tenant), id=sku)
    connection = await asyncpg.connect(owner)
    rating = rate(event, PriceBook([OLD, *said.pop("known", ())]))
    book = Book(connection)
    await book.entry(
        event, str(rating.effective), list(rating.lines), currency=rating.currency, status=rating.status
    )
    await book.spend(
        tenant, at.isoformat(), str(rating.effective), currency=rating.currency, provider="openai", sku=sku,
        unpriced=int(rating.status == "unpriced"), cost_class="model",
        provisional=str(rating.effective) if rating.status == "provisional" else "0",
        usage={unit: quantity for unit, quantity in usage.items() if unit in UNITS},
    )  # fmt: skip
    await connection.close()


async def test_the_inbox_names_what_is_missing_and_what_to_type(owner: str, tmp_path: Path) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    euro = terms("euro", currency="EUR")
    connection = await asyncpg.connect(owner)
    await create_tenant(connection, "euro")
    await record(connection, [euro], by="test", note="")
    await connection.close()
    await spend(owner, "euro", "m", {"input_tokens": 1000}, known=(euro,))
    await spend(owner, "acme", "M-2027-01-31", {"input_tokens": 1000})
    await spend(owner, "acme", "m-typo", {"input_token": 7})
    said = await run("inbox")
    assert "input_token is no unit: did you mean input_tokens? (sent for openai/m-typo by acme)" in said
    rate, alias = (
        said[said.index("openai/m  first seen") :],
        said[said.index("openai/m-2027-01-31  first seen") :],
    )
    assert re.match(r"openai/m  first seen (\d+ (s|min)|under a second) ago, 1 events\n", rate)
    assert "  no rate USD → EUR\n" in rate
    assert f"  next: spendmeter catalog inbox --rate USD/EUR=RATE --since {yesterday}\n" in rate
    ready = "  next: spendmeter catalog inbox --accept openai/m-2027-01-31  (m-2027-01-31 is another name of openai/m)"
    assert ready in alias
    assert "m-2027-01-31 means openai/m" in await run("inbox", "--accept", "openai/m-2027-01-31")
    assert "no rate USD → EUR: state the rate" in await run("inbox", "--accept", "openai/m", code=1)
    assert "BASE/QUOTE=RATE" in await run("inbox", "--rate", "0.9", code=2)
    made = json.loads(await run("inbox", "--rate", "usd/eur=0.9", "--source", "the ECB", "--json"))
    assert made["name"] == f"USD-EUR-{yesterday}.yaml"
    await run("approve", str(made["id"]))
    told = await run("inbox")
    assert "openai/m  unpriced; booked before its rate was stated; keeps no amount until re-rated" in told
    assert "  in the book: 0 EUR provisional, 1 events unpriced" in told


async def test_the_inbox_names_what_was_priced_without_regard_to_how_it_was_served(owner: str) -> None:
    connection = await asyncpg.connect(owner)
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    await Book(connection).under_remarks("acme", "18.5", at, events=1412, region="eu-west-9")
    await connection.close()
    said = await run("inbox")
    assert "openai  no price is for region eu-west-9: this one is for any\n" in said
    assert "  in the book: 1,412 events, 18.5 USD, since 2026-11-20, of acme\n" in said
    assert "  next: state what openai charges in region eu-west-9, or to which regions it belongs" in said


async def test_a_file_of_a_hundred_megabytes_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "huge.toml"
    with file.open("wb") as sparse:
        sparse.truncate(100 * 1024 * 1024)
    for command in ("consensus", "propose", "import", "lint", "diff"):
        said = await run(command, file, code=1)
        assert "104,857,600 bytes, and a price file has at most 10,485,760" in said


async def test_a_wrong_argument_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PROVIDER/SKU" in await run("show", "gpt-4o", code=2)
    assert "neither" in await run("diff", "nothing.toml", code=2)
    assert "there is no openai/x" in await run("show", "openai/x", code=1)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://127.0.0.1:9")
    assert "does not answer" in await run("list", code=1)


async def test_a_refusal_names_the_flag_that_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(FILE.replace('"m"', '"flagged"'))
    await run("approve", str(json.loads(await run("propose", file, "--json"))["id"]))
    file.write_text(FILE.replace('"m"', '"flagged"').replace("1.25", "125"))
    for command in ("propose", "lint", "diff"):
        assert "add --replace to withdraw whatever else is in force" in await run(command, file, code=1)
    number = str(json.loads(await run("propose", file, "--replace", "--json"))["id"])
    said = await run("approve", number, code=1)
    assert "is 100.0 times 1.25 USD" in said
    assert "add --confirm where all of that is meant" in said


async def test_an_error_is_json_where_json_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = json.loads(await run("show", "openai/nothing", "--json", code=1))
    assert (problem["status"], problem["detail"]) == (404, "there is no openai/nothing in the catalog")
    assert "PROVIDER/SKU" in json.loads(await run("show", "gpt-4o", "--json", code=2))["detail"]
    file = tmp_path / "wrong.toml"
    file.write_text(FILE.replace("prices =", "price ="))
    for command in ("propose", "import", "lint", "diff", "consensus"):
        problem = json.loads(await run(command, file, "--json", code=1))
        assert (problem["status"], problem["title"]) == (422, "Refused")
        assert "unknown field 'price': did you mean prices? allowed are when, per" in problem["detail"]
    file.write_text(FILE.replace('"m"', '"asked-twice"'))
    await run("approve", str(json.loads(await run("propose", file, "--json"))["id"]))
    file.write_text(file.read_text().replace("1.25", "1.26"))
    assert "--replace" in json.loads(await run("propose", file, "--json", code=1))["flag"]
    monkeypatch.setenv("SPENDMETER_API_URL", "http://127.0.0.1:9")
    assert "does not answer" in json.loads(await run("list", "--json", code=1))["detail"]


async def test_what_a_file_of_another_vendor_loses_is_named(tmp_path: Path) -> None:
    file = tmp_path / "litellm.json"
    model = {
        "litellm_provider": "openai",
        "input_cost_per_token": 1e-6,
        "provider_specific_entry": {"moon": 1.1},
    }
    file.write_text(json.dumps({f"model-{number}": model for number in range(5)}))
    said = await run("diff", file)
    assert "not taken over: provider_specific_entry.moon of model-0, model-1, model-2 and 2 more" in said
    assert "not taken over: provider_specific_entry.moon of model-0" in await run("consensus", file)
    assert json.loads(await run("diff", file, "--json"))["review"]["not_taken"] == [
        {
            "field": "provider_specific_entry.moon",
            "models": 5,
            "of": [f"model-{number}" for number in range(5)],
        }
    ]


async def test_another_source_is_compared(tmp_path: Path) -> None:
    stated = tmp_path / "stated.toml"
    stated.write_text(FILE.replace('"m"', '"of-two-minds"'))
    await run("approve", str(json.loads(await run("propose", stated, "--json"))["id"]))
    theirs = tmp_path / "theirs.toml"
    more = '\n[[price]]\nprovider = "openai"\nsku = "else"\nprices = {output_tokens = "1"}\n'
    theirs.write_text(stated.read_text().replace("1.25", "1.5") + more)
    said = await run("consensus", theirs, code=1)
    assert "1 models in both" in said
    assert "openai/of-two-minds input_tokens: here 1.25 USD, there 1.5 USD per 1,000,000" in said
    assert "1 there alone: openai/else" in said
    assert "they agree" in await run("consensus", stated)


async def test_terms_are_shown(tmp_path: Path) -> None:
    assert "none: US dollars" in await run("terms", "--tenant", "newco")
    file = tmp_path / "deal.toml"
    file.write_text(
        FILE.split("[[")[0] + '[[terms]]\ntenant = "newco"\ncurrency = "EUR"\ncontracts = ["deal"]\n'
    )
    await run("approve", str(json.loads(await run("propose", file, "--json"))["id"]))
    said = await run("terms", "--tenant", "newco")
    assert "newco: EUR, UTC, from the beginning (now)" in said
    assert '{"contracts": ["deal"]}' in said
    assert "none: US dollars" in await run("terms", "--tenant", "globex")
    file.write_text(file.read_text().replace("EUR", "CHF"))
    assert "newco has terms already" in await run("propose", file, code=1)
    assert "confirm: terms of newco: currency 'EUR' becomes 'CHF'" in await run("diff", file, "--replace")


async def test_a_change_of_currency_asks_for_each_budget(api: tuple[str, str], tmp_path: Path) -> None:
    """What the command prints is what it takes."""
    key = {"Authorization": f"Bearer {api[1]}", "X-Spendmeter-Tenant": "newco"}
    async with httpx.AsyncClient(base_url=api[0], headers=key) as client:
        made = await client.post("/v1/budgets", json={"name": "All of it", "amount": "1000"})
        assert made.status_code == 201, made.text
    budget = made.json()["id"]
    file = tmp_path / "swiss.toml"
    file.write_text(FILE.split("[[")[0] + '[[terms]]\ntenant = "newco"\ncurrency = "SEK"\n')
    proposal = json.loads(await run("propose", file, "--replace", "--json"))
    number = str(proposal["id"])
    shown = await run("diff", number)
    assert "terms: newco counts in SEK, with days of UTC, for all time: nothing is booked yet" in shown
    assert f"approve with --budget {budget}=AMOUNT (in SEK) or =close" in shown
    refused = await run("approve", number, "--confirm", code=1)
    assert "add --budget ID=AMOUNT, or --budget ID=close, for each of these" in refused
    assert "write ID=AMOUNT or ID=close" in await run("approve", number, "--budget", "nonsense", code=2)
    await run("approve", number, "--confirm", "--budget", f"{budget}=9500")
    assert f"budget {budget} 'All of it'" in await run("diff", number)
    assert "becomes 9500 SEK" in await run("diff", number)
    assert "newco: EUR, UTC, from the beginning (withdrawn)" in await run("terms", "--history")


async def test_what_the_other_lists_of_the_release_say_is_told_without_a_file() -> None:
    """The catalog of the test has none of their models."""
    assert "genai-prices and LiteLLM beside catalog version" in await run("consensus")
    report = json.loads(await run("consensus", "--state", "open", "--json"))
    assert (report["total"], report["opinions"]) == (0, [])
