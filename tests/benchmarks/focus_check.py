"""Whether exports in FOCUS are right, and how fast and how large they are.

Method: on a real Postgres two months with every cost class, price, term of a period and correction are booked, trued up,
closed, corrected and folded by the services' own code (focus_month.py), and exported in 1.2 and 1.4, as CSV and Parquet. The official validator
(focus-validator 2.2.1, in a Python 3.12 of its own) is asked of 1.2, focus-data-toolkit of 1.4, and of every file
what neither looks at (focus_rules.py), whether it adds up to the book in each currency and billing period, and whether Parquet says what
CSV says. Of every cost centre's statement the toolkit is asked of both datasets, and whether all of them, with what
nobody bears, are the book (focus_statements.py). What is known to be no fault is in focus_known.toml, with the
reason. Then as many cells as --rows says are put into a database, and exported by the process that the api starts, to
nowhere: rows a second are those of the whole export, from its check against the book to its end, and rows_per_cpu_s
those of a second of the process' own work, which a busy machine does not slow down; the peak is that process' memory.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import tempfile
import time
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pyarrow.parquet as parquet

from services.api.exports.running import WRITER, RunningExports
from services.api.exports.writer import ExportQuestion
from spendmeter.platform.keys import create_tenant
from spendmeter.platform.migrate import migrate
from spendmeter.platform.roles import role_url
from spendmeter.platform.sql import load_sql
from tests.api.exported import exported_book
from tests.benchmarks import focus_validators as validators
from tests.benchmarks.focus_month import BEYOND, CHANGE, FIRST, book_months
from tests.benchmarks.focus_rules import broken
from tests.benchmarks.focus_statements import statements_checked
from tests.databases import SECRET
from tests.stack import Stack

SQL = load_sql(Path(__file__).with_name("focus_rows.sql"))
SUMS = ("list", "contracted", "effective")
BENCH = "bench"
BENCH_DAYS = (date(2026, 8, 1), date(2026, 10, 30))
SERIES = 5_000
LOOK_S = 0.1


async def database(stack: Stack, name: str) -> tuple[str, Any]:
    """A migrated one, and its owner's hand in it."""
    url = f"{stack.owner_url.rpartition('/')[0]}/{name}"
    await migrate(url, SECRET)
    return url, await asyncpg.connect(url, command_timeout=3600)


async def checked(stack: Stack, folder: Path) -> dict[str, str]:
    """Every rule that is broken, and how."""
    url, owner = await database(stack, "focus")
    await create_tenant(owner, "acme")
    async with exported_book(url, owner) as book:
        await book_months(book, url)
    exports, found = RunningExports(role_url(url, "api", SECRET)), {}
    for version in ("1.2", "1.4"):
        rows: list[dict[str, str]] = []
        for form in ("csv", "parquet"):
            file = folder / f"{version}.{form}"
            asked = ExportQuestion(
                database_url="", tenant="acme", version=version, form=form, start=FIRST.date(), end=BEYOND.date()
            )  # fmt: skip
            begun = await exports.begin(asked)
            file.write_bytes(b"".join([piece async for piece in begun.file()]))
            await begun.aclose()
            if form == "csv":
                rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
                print(f"FOCUS {version}: {len(rows):,} rows")
                found |= {f"{version}: {rule}": said for rule, said in broken(rows).items()}
                unequal = *await _unequal(owner, rows), *await _unequal_periods(owner, rows)
                found |= {f"{version}: {each}": "" for each in (*unequal, *_lacking(rows))}
            else:
                found |= {f"{version}: {each}": "" for each in _differing(rows, file)}
            found |= {f"{version} {form}: {rule}": said for rule, said in _validated(version, file).items()}
    months: dict[str, dict[str, Decimal]] = {f"{month:%Y-%m}": {} for month in (FIRST, CHANGE)}
    for row in await owner.fetch(SQL["booked_by_period"]):
        months[f"{row['accounting_period']:%Y-%m}"][row["currency"]] = row["effective"]
    found |= await statements_checked(url, owner, "acme", months, folder)
    await owner.close()
    return found


async def _unequal(owner: Any, rows: list[dict[str, str]]) -> list[str]:
    """Currencies in which rows and entries do not come to the same."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal()] * len(SUMS))
    for row in rows:
        if row["ChargeCategory"] == "Purchase" and row["CommitmentDiscountId"]:
            continue  # its list and contracted cost is in the usage that it pays for; it has no effective one
        amounts = (Decimal(row[f"{name.title()}Cost"]) for name in SUMS)
        sums[row["BillingCurrency"]] = [
            sum(pair) for pair in zip(sums[row["BillingCurrency"]], amounts, strict=True)
        ]
    booked = {
        row["currency"]: [row[name] for name in SUMS]
        for row in await owner.fetch(SQL["booked"], FIRST, BEYOND)
    }
    names = sorted(sums.keys() | booked.keys())
    return [
        f"{name} is {sums.get(name)}, booked {booked.get(name)}"
        for name in names
        if sums.get(name) != booked.get(name)
    ]


async def _unequal_periods(owner: Any, rows: list[dict[str, str]]) -> list[str]:
    """Billing periods in which rows and entries do not come to the same, or in which something is billed that
    the book does not have: but for rows of bills, which say what theirs asked for."""
    booked = {
        (f"{row['accounting_period']}T00:00:00Z", row["currency"]): row["effective"]
        for row in await owner.fetch(SQL["booked_by_period"])
    }
    effective, beyond = (defaultdict[tuple[str, str], Decimal](Decimal) for _ in range(2))
    for row in rows:
        place = row["BillingPeriodStart"], row["BillingCurrency"]
        effective[place] += Decimal(row["EffectiveCost"])
        if not row["x_BillDetails"]:
            beyond[place] += Decimal(row["BilledCost"]) - Decimal(row["EffectiveCost"])
    found = [
        f"{place} is {effective.get(place)}, booked {booked.get(place)}"
        for place in sorted(effective.keys() | booked.keys())
        if effective.get(place, 0) != booked.get(place, 0)
    ]
    return found + [
        f"{place} is billed {amount} more than it costs" for place, amount in beyond.items() if amount
    ]


def _lacking(rows: list[dict[str, str]]) -> list[str]:
    """What the months must have, for its rules to be asked of something."""
    has = {
        "a commitment": any(
            row["ChargeCategory"] == "Purchase" and row["CommitmentDiscountId"] for row in rows
        ),
        "money that is committed": any(row["CommitmentDiscountCategory"] == "Spend" for row in rows),
        "what is used": any(row["CommitmentDiscountStatus"] == "Used" for row in rows),
        "what is unused": any(row["CommitmentDiscountStatus"] == "Unused" for row in rows),
        "another true-up": any(
            row["x_Unit"] == "true-up" and row["SkuMeter"] != "Commitment" for row in rows
        ),
        "a correction in its own month": any(row["ChargeClass"] and _is_in_month(row) for row in rows),
        "a correction after the close": any(row["ChargeClass"] and not _is_in_month(row) for row in rows),
        "a commitment that is corrected then": any(
            row["ChargeClass"] and row["CommitmentDiscountStatus"] for row in rows
        ),
    }
    return [f"{what} is missing in the months" for what, is_there in has.items() if not is_there]


def _is_in_month(row: dict[str, str]) -> bool:
    return row["BillingPeriodStart"][:7] == row["ChargePeriodStart"][:7]


def _differing(rows: list[dict[str, str]], file: Path) -> list[str]:
    """Columns in which Parquet says something else than CSV."""
    found = []
    table = parquet.read_table(file).to_pylist()
    for name in rows[0]:
        for row, other in zip(rows, table, strict=True):
            if not _same(row[name], other[name]):
                found.append(f"{name} is {row[name]!r} as CSV and {other[name]!r} as Parquet")
                break
    return found


def _same(text: str, value: Any) -> bool:
    if value is None:
        return not text
    if isinstance(value, Decimal):
        return Decimal(text) == value
    return (
        text.removeprefix("'") == value
        if isinstance(value, str)
        else text == value.isoformat().replace("+00:00", "Z")
    )


def _validated(version: str, file: Path) -> dict[str, str]:
    if version == "1.4":
        print(f"focus-data-toolkit asked of {file.name}")
        return validators.toolkit(file)
    if not validators.OFFICIAL.exists():
        print("there is no Python 3.12 with the official validator here: 1.2 has our own checks alone")
        return {}
    failed, passed = validators.official(file, file.parent)
    said = ", ".join(sorted(failed.keys() & validators.KNOWN["artefacts"].keys())) or "none"
    print(f"focus-validator asked of {file.name}: {passed} rules pass; known artefacts: {said}")
    return validators.unknown(failed)


async def measured(stack: Stack, rows: int) -> dict[str, Any]:
    """Rows a second and peak memory of exports of so many cells."""
    url, owner = await database(stack, BENCH)
    await create_tenant(owner, BENCH)
    days = (BENCH_DAYS[1] - BENCH_DAYS[0]).days
    await owner.execute(SQL["series"], BENCH, SERIES)
    await owner.execute(SQL["cells"], BENCH, *BENCH_DAYS, max(1, rows // days), SERIES)
    await owner.execute(SQL["rollups"], BENCH)
    await owner.execute("ANALYZE cells")
    await owner.execute("CHECKPOINT")
    await owner.close()
    exports, found = RunningExports(role_url(url, "api", SECRET)), {}
    for form in ("csv", "parquet"):
        found |= await _timed(exports, form)
    return {
        "rows": found["csv_rows"],
        "rows_per_s": min(found["csv_rows_per_s"], found["parquet_rows_per_s"]),
        "peak_mib": max(found["csv_peak_mib"], found["parquet_peak_mib"]),
        **found,
    }


async def _timed(exports: RunningExports, form: Any) -> dict[str, Any]:
    asked = ExportQuestion(
        database_url="", tenant=BENCH, version="1.4", form=form, start=BENCH_DAYS[0], end=BENCH_DAYS[1]
    )
    began_s = time.perf_counter()
    begun = await exports.begin(asked)
    begun_s = time.perf_counter()
    size, peak_mib, cpu_s, looked_s = 0, 0.0, 0.0, 0.0
    async for piece in begun.file():
        size += len(piece)
        if time.perf_counter() - looked_s > LOOK_S:
            looked_s = time.perf_counter()
            peak_mib, cpu_s = map(max, (peak_mib, cpu_s), _held())
    await begun.aclose()
    seconds = time.perf_counter() - began_s
    rows = begun.begins.rows_max
    print(
        f"{form}: {rows:,} rows, {size / 2**20:,.0f} MiB in {seconds:.1f} s, {peak_mib:.0f} MiB held at most"
    )
    return {
        f"{form}_rows": rows,
        f"{form}_rows_per_s": round(rows / seconds),
        f"{form}_rows_per_cpu_s": round(rows / cpu_s) if cpu_s else None,
        f"{form}_until_first_s": round(begun_s - began_s, 2),
        f"{form}_peak_mib": round(peak_mib),
    }


def _held() -> tuple[float, float]:
    """Of the process that writes: the most MiB that it ever held, and seconds of the processor so far."""
    for child in psutil.Process().children():
        if WRITER in child.cmdline():
            status = Path(f"/proc/{child.pid}/status").read_text("utf-8")
            (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
            times = child.cpu_times()
            return int(peak.split()[1]) / 1024, times.user + times.system
    return 0.0, 0.0


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rows", type=int, default=1_000_000)
    options = arguments.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as stack:
        figures = asyncio.run(measured(stack, options.rows)) if options.rows else {}
        found = asyncio.run(checked(stack, Path(folder)))
    for rule, said in found.items():
        print(f"BROKEN {rule} {said}")
    asked = validators.OFFICIAL.exists()
    print(json.dumps({"rules_failed": len(found), "official_validator": asked, **figures}))
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
