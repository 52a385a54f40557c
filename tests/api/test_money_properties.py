"""What always holds of the money that views show: of rows drawn at random, through HTTP, against the book's own sums."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.ledger.roller import Roller
from spendmeter.contracts.catalog import Conditions
from spendmeter.contracts.events import Context
from spendmeter.contracts.money import EXACT, total
from spendmeter.contracts.terms import Terms, Timeline
from tests.api import test_changes_read, test_spend_rollups
from tests.api.book import Book
from tests.api.test_allocations import ask, statement
from tests.api.test_allocations_kept import PLAN
from tests.api.test_changes_read import globex, roller
from tests.api.test_models_compare import ALIKE, compare, pool
from tests.api.test_statement_export import rows_of
from tests.api.used_models import UsedModels
from tests.pricing.entries import price

__all__ = ["globex", "pool", "roller"]

BERLIN = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin"), currency="EUR"))])
SEEDS = pytest.mark.parametrize("seed", range(3))
LONG = Conditions(context_min=200_000)
PRICES = (
    price("m", "cache_read_tokens", "0.1"),
    price("m", "input_tokens", "2", when=LONG),
    price("m", "output_tokens", "5", when=LONG),
    price("m", "input_tokens", "0.5", when=Conditions(batch=True)),
    price("m", "input_tokens", "4", when=Conditions(tiers=("priority",))),
    price("n", "cache_read_tokens", "0.05"),
)


def by_currency(rows: Iterable[Any], amount: str) -> dict[str, Decimal]:
    found: defaultdict[str, list[Decimal]] = defaultdict(list)
    for row in rows:
        found[row["currency"]].append(Decimal(row[amount]))
    return {currency: total(amounts) for currency, amounts in found.items()}


@SEEDS
async def test_statements_of_all_and_what_nobody_bears_add_up_to_the_ledger_and_to_their_invoice_details(
    client: httpx.AsyncClient, book: Book, roller: Roller, seed: int
) -> None:
    chance = random.Random(seed)
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await client.put("/v1/allocation-plans/team", json=PLAN)).status_code == 200
    await test_spend_rollups.spend_some(book, chance, 60)
    for day in range(12, 18):  # of nobody, and taken back
        for shard, amount in enumerate(("0.123456789", "-0.1")):
            await book.spend("globex", f"2026-10-{day}T10:00Z", amount, sku="o3", currency="EUR", shard=shard)
    for _ in range(6):
        await test_spend_rollups.correct_some(book, chance, BERLIN)
    booked = await book.connection.fetch(
        "SELECT currency, sum(effective) AS amount FROM rollups_minute WHERE tenant = 'globex' "
        "AND bucket >= '2026-09-30T22:00Z' AND bucket < '2026-10-31T23:00Z' GROUP BY currency"
    )
    for _ in range(chance.randrange(4)):
        await roller.roll_up(datetime(2026, 12, 1, tzinfo=UTC))
    borne = (await ask(client, **{"from": "2026-10-01", "to": "2026-11-01"}))["rows"]
    of_nobody = [row for row in borne if row["kind"] != "cost_centre"]
    centres = {row["cost_centre"] for row in borne if row["kind"] == "cost_centre"}
    assert centres >= {"ads", "search", "ops"}
    assert of_nobody
    statements = [await statement(client, centre, "2026-10") for centre in sorted(centres)]
    wholes = [whole for each in statements for whole in each["totals"]]
    assert by_currency([*wholes, *of_nobody], "total") == {row["currency"]: row["amount"] for row in booked}
    for each in statements:
        lines = by_currency(each["lines"], "effective")
        assert lines == {whole["currency"]: Decimal(whole["total"]) for whole in each["totals"]}
        invoiced = await rows_of(client, each["cost_centre"], month="2026-10")
        billed = [{"currency": row["BillingCurrency"], "billed": row["BilledCost"]} for row in invoiced]
        assert by_currency(billed, "billed") == lines
        changed = [row for row in invoiced if row["x_ChargeClass"] == "Correction"]
        assert total(Decimal(row["BilledCost"]) for row in changed) == total(
            Decimal(whole["corrected"]) for whole in each["totals"]
        )


@SEEDS
async def test_parts_of_what_changed_sum_to_the_change_and_contributors_to_the_whole(
    globex: httpx.AsyncClient, book: Book, seed: int
) -> None:
    await test_changes_read.spend_some(book, random.Random(seed), 120)
    answer = await test_changes_read.ask(
        globex, group_by="team,sku", **{"from": "2026-10-25", "to": "2026-11-08"}
    )
    sides = (
        ("before", "2026-10-10T22:00Z", "2026-10-24T22:00Z"),
        ("amount", "2026-10-24T22:00Z", "2026-11-07T23:00Z"),
    )
    for side, since, until in sides:
        booked = await book.connection.fetch(
            "SELECT currency, sum(effective) AS amount FROM rollups_minute WHERE tenant = 'globex' "
            "AND bucket >= $1 AND bucket < $2 GROUP BY currency",
            datetime.fromisoformat(since),
            datetime.fromisoformat(until),
        )
        assert by_currency(answer["currencies"], side) == {row["currency"]: row["amount"] for row in booked}
    for row in (*answer["currencies"], *answer["contributors"]):
        change = EXACT.subtract(Decimal(row["amount"]), Decimal(row["before"]))
        assert total(map(Decimal, row["parts"].values())) == Decimal(row["change"]) == change
    assert by_currency(answer["contributors"], "change") == by_currency(answer["currencies"], "change")


@SEEDS
async def test_on_the_same_model_it_is_the_same_money_and_nobody_on_the_front_is_beaten(
    acme: httpx.AsyncClient, book: Book, pool: Any, seed: int
) -> None:
    """Calls of any tier, length and batch, some of them taken back. Once n is quick and never fails: it costs half."""
    chance, used = random.Random(seed), UsedModels(book, pool)
    await used.publish(*PRICES)
    for _ in range(150):
        units = {
            unit: chance.choice([0, 1, 77, 9_000, 150_000, 230_000])
            for unit in ("input_tokens", "output_tokens", "cache_read_tokens")
        }
        served = Context(service_tier=chance.choice(["standard", "priority"]), batch=chance.random() < 0.3)
        sku, slowest, ends = chance.choice("mmn"), 9_000, ["ok", "ok", "error"]
        if sku == "n" and not seed:
            slowest, ends = 90, ["ok"]
        await used.call(
            sku,
            usage=units,
            context=served,
            latency_ms=chance.randrange(50, slowest),
            status=chance.choice(ends),
        )
        if chance.random() < 0.1:
            await used.retract_last()
    await book.connection.execute("INSERT INTO corrector (topic, next_entry) VALUES ('corrections', 1000)")
    await used.fold()
    booked = await book.connection.fetchval(
        "SELECT sum(effective) FROM entries JOIN series USING (tenant, series_id) WHERE sku = 'm'"
    )
    found = await compare(acme, candidates="openai/m,openai/n", growth=ALIKE, **{"filter.sku": "m"})
    rows = {row["name"]: row for row in found["models"]}
    for name in ("", "openai/m"):
        assert Decimal(rows[name]["low"]) == Decimal(rows[name]["high"]) == booked, name
    assert {row["saving_low"] for name, row in rows.items() if name == "openai/m"} == {"0"}
    assert not rows["openai/n"]["missing"]
    for each in rows.values():
        beaten_by = [other["name"] for other in rows.values() if _beats(other, each)]
        assert (each["where"], each["dominated_by"]) == ("dominated" if beaten_by else "front", beaten_by)
    if not seed:
        assert rows[""]["dominated_by"] == ["openai/n"]


def _beats(one: Any, other: Any) -> bool:
    """By what the answer says: surely no worse in anything, and better in something."""
    pairs = [
        (Decimal(one["per_call_high"]), Decimal(other["per_call_low"])),
        (Decimal(one["quality"]["p95_ms"]), Decimal(other["quality"]["p95_ms"])),
        (-Decimal(one["quality"]["success"]), -Decimal(other["quality"]["success"])),
    ]
    return all(mine <= its for mine, its in pairs) and any(mine < its for mine, its in pairs)
