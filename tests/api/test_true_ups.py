"""Terms of whole periods over HTTP: how they stand, the receipt of each true-up, and that nobody sees another's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import msgspec
import pytest

from services.corrector.true_ups.due import TermStanding
from services.corrector.true_ups.keeper import _period_row
from services.corrector.true_ups.statements import SQL
from services.corrector.true_ups.written import write
from spendmeter.contracts.true_ups import SOURCE
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.true_up import true_up_id
from tests.api.book import Book

TERM = "pqbf25alugk3o"
START = datetime(2026, 11, 1, tzinfo=UTC)
STANDING = TermStanding(
    term=TERM, effect="commitment", provider="openai", units=("input_tokens",), cost_class="model",
    period=(date(2026, 11, 1), date(2026, 12, 1)), covered_to=date(2026, 11, 25),
    at=datetime(2026, 11, 24, 23, 59, tzinfo=UTC), ended=False, currency="USD", quantity=Decimal(4_000_000),
    booked=Decimal(10), due=Decimal(8), trued_up=Decimal(-2), used=Decimal(8), unused=Decimal(12), amount=Decimal(-2),
    identity=true_up_id("acme", TERM, START, 0), explanation=("8 due - 10 booked = -2 USD",),
)  # fmt: skip


@pytest.fixture
async def trued_up(book: Book) -> None:
    prices = PriceBook([], 14)
    await write(book.connection, "acme", prices, 0, [STANDING])
    await book.connection.execute(SQL["put_period"], *_period_row("acme", STANDING, 14))


@pytest.mark.usefixtures("trued_up")
async def test_a_period_says_what_is_booked_due_used_and_unused(acme: httpx.AsyncClient) -> None:
    [period] = (await acme.get("/v1/true-ups?from=2026-11-01&to=2026-12-01")).json()["periods"]
    said = {name: period[name] for name in ("booked", "due", "trued_up", "used", "unused", "covered_to")}
    assert said == {
        "booked": "10", "due": "8", "trued_up": "-2", "used": "8", "unused": "12", "covered_to": "2026-11-25",
    }  # fmt: skip
    [entry] = period["true_ups"]
    assert (entry["amount"], entry["explanation"]) == ("-2", ["8 due - 10 booked = -2 USD"])
    assert (await acme.get("/v1/true-ups?from=2026-12-01&to=2026-12-31")).json()["periods"] == []
    assert (await acme.get("/v1/true-ups?to=0001-02-01")).json()[
        "periods"
    ] == []  # no calendar goes back further
    table = await acme.get("/v1/true-ups", headers={"Accept": "text/csv"})
    assert table.text.splitlines()[1].startswith(f"{TERM},commitment,openai")


@pytest.mark.usefixtures("trued_up")
async def test_a_true_up_has_a_receipt_and_is_listed_among_what_was_booked(acme: httpx.AsyncClient) -> None:
    asked = {"source": SOURCE, "id": f"{TERM}/2026-11-01/0"}
    answer = await acme.get("/v1/events", params=asked)
    assert answer.status_code == 200, answer.text
    [entry] = answer.json()["entries"]
    assert (entry["kind"], entry["seq"], entry["effective"], entry["list"]) == ("true_up", -2, "-2", "0")
    assert entry["arithmetic"] == "8 due - 10 booked = -2 USD"
    assert answer.json()["identity"] == STANDING.identity.hex()
    [listed] = (await acme.get("/v1/events?from=2026-11-24&to=2026-11-25")).json()["events"]
    assert (listed["kind"], listed["source"], listed["effective"]) == ("true_up", SOURCE, "-2")
    assert (await acme.get("/v1/events", params=asked | {"id": f"{TERM}/2026-11-01/1"})).status_code == 404


@pytest.mark.usefixtures("trued_up")
async def test_nobody_sees_another_tenants(client: httpx.AsyncClient, book: Book) -> None:
    await book.tenant("globex")
    key = await book.key("globex", "read")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await client.get("/v1/true-ups", headers=headers)).json()["periods"] == []
    asked = {"source": SOURCE, "id": f"{TERM}/2026-11-01/0"}
    assert (await client.get("/v1/events", params=asked, headers=headers)).status_code == 404


async def test_where_nothing_can_be_worked_out_no_figure_is_zero(acme: httpx.AsyncClient, book: Book) -> None:
    refused = msgspec.structs.replace(
        STANDING,
        amount=Decimal(0),
        trued_up=Decimal(0),
        used=None,
        unused=None,
        refused="No rate from JPY to USD",
    )
    await book.connection.execute(SQL["put_period"], *_period_row("acme", refused, 14))
    [period] = (await acme.get("/v1/true-ups")).json()["periods"]
    assert (period["due"], period["booked"], period["refused"]) == (None, None, "No rate from JPY to USD")
