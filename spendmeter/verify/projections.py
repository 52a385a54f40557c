"""I5 of the projections: every cell, run and its days, outcome, month and hour is the sum of its entries, and
every sum of these by model that of them.

Postgres adds up what lines and events say, beside the walk; nothing is asked of who folded them.
"""

import asyncio
import time
import tomllib
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from spendmeter.platform.sql import load_sql
from spendmeter.verify.report import Report
from spendmeter.verify.streams import ROWS_AT_ONCE

SQL = load_sql(Path(__file__).with_name("projections.sql"))
POLL_S = 0.2
_CELL = "events quantity list_priced contracted_priced effective_priced list contracted effective".split()
_RUN = (
    "events unpriced_events list contracted effective of_which_provisional timed_events latency_ms "
    "latency_ms_max"
).split()
_OUTCOME = "events count value".split()
_RUN_DAY = (
    "events unpriced_events calls failed_calls ai human adjacent of_which_provisional labour_hours"
).split()
_USER = "events effective of_which_provisional".split()
_CALLS = ["calls"]
_MODEL_DAY = "events quantity list effective".split()
_CONTRACTS = Path(__file__).parents[1] / "contracts"
_CODING_AGENTS = list(tomllib.loads((_CONTRACTS / "coding_agents.toml").read_text("utf-8")))
_REGISTRY = tomllib.loads((_CONTRACTS / "units.toml").read_text("utf-8"))
_CONTEXT_UNITS = [unit for unit, said in _REGISTRY.items() if said.get("context")]
_CONTEXT_MARKS = [32_000, 100_000, 128_000, 200_000, 256_000, 272_000, 512_000, 1_000_000]


async def wait_until_folded(connection: Any, seconds_max: float, report: Report) -> None:
    """Wait until what was booked when we came is folded; what is not in time is noted as not checked. A
    projection that nobody has begun is none."""
    deadline = time.monotonic() + seconds_max
    booked = {_place(row): row["booked"] for row in await connection.fetch(SQL["standing"])}
    while True:
        behind: Counter[str] = Counter()
        for row in await connection.fetch(SQL["standing"]):
            behind[row["projection"]] += max(0, booked.get(_place(row), 0) - row["folded"])
        if not behind.total() or time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_S)
    for projection, offsets in behind.items():
        report.pass_over("I5", f"projection {projection}: offsets that it has not folded yet", offsets)


def _place(row: Any) -> tuple[str, int]:
    return row["projection"], row["partition"]


async def check_projections(connection: Any, report: Report) -> None:
    """Hold every row of every projection against what it says to have folded, in the caller's snapshot."""
    report.check("I5", sum(await connection.fetchrow(SQL["counts"])))
    async for row in connection.cursor(SQL["cell_faults"], "cells", prefetch=ROWS_AT_ONCE):
        unit = (
            f"{row['unit']} ({row['status']}) at {row['price'] or 'no price'}"
            if row["unit"]
            else "its events"
        )
        named = f"{row['tenant']} {row['day']} series {row['series_id'].hex()} {row['currency']}: {unit}"
        _find(row, _CELL, f"cell of {named}", report)
    async for row in connection.cursor(SQL["run_faults"], "runs", prefetch=ROWS_AT_ONCE):
        _find(row, _RUN, _of_run(row, "cost_class", "agent", "provider", "sku", "call_status"), report)
    async for row in connection.cursor(SQL["outcome_faults"], "run_outcomes", prefetch=ROWS_AT_ONCE):
        _find(row, _OUTCOME, f"outcome {row['name']!r} of {_of_run(row)}", report)
    async for row in connection.cursor(SQL["user_faults"], "user_months", prefetch=ROWS_AT_ONCE):
        named = f"{row['tenant']} {row['person']} in {row['month']:%Y-%m}, {row['currency']}"
        _find(row, _USER, f"month of {named}", report)
    of_agents = "agent_people", _CODING_AGENTS
    async for row in connection.cursor(SQL["people_faults"], *of_agents, prefetch=ROWS_AT_ONCE):
        who = f"user {row['person']} of {row['team'] or 'no team'} with {row['agent']}"
        _find(row, ["events"], f"month of {row['tenant']}: {who} in {row['month']:%Y-%m}", report)
    asked = "quality_hours", _CONTEXT_UNITS, _CONTEXT_MARKS
    async for row in connection.cursor(SQL["quality_faults"], *asked, prefetch=ROWS_AT_ONCE):
        named = f"{row['tenant']} {row['hour']:%Y-%m-%dT%HZ} series {row['series_id'].hex()}: {_how(row)}"
        _find(row, _CALLS, f"calls of {named}", report)
    async for row in connection.cursor(SQL["run_day_faults"], "run_days", prefetch=ROWS_AT_ONCE):
        _find(row, _RUN_DAY, f"day {row['day']} of {_of_run(row, 'team')}", report)
    async for row in connection.cursor(SQL["model_day_faults"], prefetch=ROWS_AT_ONCE):
        what = f"{row['unit'] or 'its events'} ({row['status']}) at {row['price'] or 'no price'}"
        _find(row, _MODEL_DAY, f"{_of_model(row)} {row['currency']}: {what}", report)
    async for row in connection.cursor(SQL["model_call_faults"], prefetch=ROWS_AT_ONCE):
        _find(row, _CALLS, f"calls of {_of_model(row)}: {_how(row)}", report)


def _how(row: Any) -> str:
    return f"{row['call_status']!r}, over {row['over_context']} tokens, bucket {row['latency']}"


def _of_model(row: Any) -> str:
    return f"{row['tenant']} {row['day']} model {row['provider']}/{row['sku']}"


def _of_run(row: Any, *more: str) -> str:
    parts = [row[name] for name in ("tenant", "workflow", "workflow_version", *more, "currency")]
    return f"run {row['run']!r} of {' '.join(filter(None, parts))}"


def _find(row: Any, names: list[str], named: str, report: Report) -> None:
    said, should = row["said"], row["should"]
    if said is None:
        report.find("I5", f"missing: {_plain(should[0])} events are in no such row", named)
    elif should is None:
        report.find("I5", "there, and no entry is in it", named)
    else:
        wrong = [
            f"{name} is {_plain(one)}, its entries say {_plain(other)}"
            for name, one, other in zip(names, said, should, strict=True)
            if one != other
        ]
        report.find("I5", "; ".join(wrong) or "its times are not those of its entries", named)


def _plain(value: Decimal | int) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
