"""Statements in FOCUS, held against a validator and the book: every file of every cost centre of a month."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database, prepare
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.platform.keys import create_key
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import TEAM_READER, role_url
from spendmeter.platform.settings import Settings
from tests.benchmarks import focus_validators as validators
from tests.databases import SECRET

DATASETS = ("invoice_detail", "billing_period")
PLAN = {
    "first_day": "2026-10-15",
    "reason": "a pool of what all use",
    "pools": [
        {
            "name": "databases",
            "filter": {"cost_class": "database"},
            "rule": "proportional",
            "driver": {"measure": "input_tokens"},
        },
        {
            "name": "machines",
            "filter": {"cost_class": "compute"},
            "rule": "fixed",
            "weights": {"team1": 1, "team2": 1},
            "of": 3,
        },
    ],
}
Sums = dict[str, Decimal]


async def statements_checked(
    url: str, owner: Any, tenant: str, months: Mapping[str, Sums], folder: Path
) -> dict[str, str]:
    """What is wrong with them, by rule. `months`: what was booked of each, by currency. Statements have what came
    after a month's close in the next one, and what nobody bears has it in its own: all months together are the
    book."""
    pools = [
        await create_pool(role_url(url, role, SECRET), size_max=3, service="check", init=prepare)
        for role in ("api", TEAM_READER)
    ]
    try:
        app = create_app(Settings(), Database(*pools), BookProgress(), lambda: "")
        key = await create_key(owner, tenant, ["read", "govern"], name="check")
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://check.test",
            headers={"Authorization": f"Bearer {key}"},
            timeout=120,
        )
        async with client:
            (await client.put("/v1/allocation-plans/team", json=PLAN)).raise_for_status()
            found, billed = dict[str, str](), list[tuple[str, str]]()
            for month in months:
                broken, amounts = await _month(client, month, folder)
                found |= broken
                billed += amounts
            sums = _sums(billed)
            booked = _sums((name, str(amount)) for of in months.values() for name, amount in of.items())
            if sums != booked:
                found["statements are the book"] = f"{sums} and {booked}"
            return found
    finally:
        for pool in pools:
            await pool.close()


async def _month(
    client: httpx.AsyncClient, month: str, folder: Path
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """What is wrong with its statements; and all amounts of these, and what nobody bears, with their currency."""
    asked = {"from": f"{month}-01", "to": _next(month)}
    borne = (await client.get("/v1/allocations", params=asked)).raise_for_status().json()["rows"]
    nobodys = [(row["currency"], row["total"]) for row in borne if row["kind"] != "cost_centre"]
    found, billed = dict[str, str](), list[tuple[str, str]]()
    centres = sorted({row["cost_centre"] for row in borne if row["kind"] == "cost_centre"})
    for number, centre in enumerate(centres):
        for dataset in DATASETS:
            for form in ("csv", "parquet"):
                question = {"cost_centre": centre, "month": month, "dataset": dataset, "format": form}
                answer = (await client.get("/v1/exports/statement", params=question)).raise_for_status()
                file = folder / f"{dataset}-{month}-{number}.{form}"
                file.write_bytes(answer.content)
                said = validators.toolkit(file, dataset.replace("_", "-"))
                found |= {f"{dataset} {form}: {rule}": words for rule, words in said.items()}
                if (dataset, form) == ("invoice_detail", "csv"):
                    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
                    billed += [(row["BillingCurrency"], row["BilledCost"]) for row in rows]
                    found |= _broken(centre, rows)
    print(f"focus-data-toolkit asked of {len(centres)} statements of {month}: {len(billed):,} rows")
    return found, [*billed, *nobodys]


def _broken(centre: str, rows: list[dict[str, str]]) -> dict[str, str]:
    """What the toolkit does not look at."""
    ids = {row["InvoiceDetailId"] for row in rows}
    found = {}
    if len(ids) != len(rows):
        found["an InvoiceDetailId is of one row"] = centre
    if {row["x_ChargeClass"] for row in rows} - {"", "Correction"}:
        found["x_ChargeClass is one of its values"] = centre
    if len({row["InvoiceId"] for row in rows}) > 1:
        found["a statement is one invoice"] = centre
    return found


def _sums(amounts: Iterable[tuple[str, str]]) -> Sums:
    found: Sums = defaultdict(lambda: ZERO)
    for currency, amount in amounts:
        found[currency] = EXACT.add(found[currency], Decimal(amount))
    return {currency: amount for currency, amount in found.items() if amount}


def _next(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}-01"
