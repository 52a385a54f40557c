"""Judges entries that correct, and those of whole periods, by the numbers that the corrector gave them."""

from __future__ import annotations

import decimal
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from services.reconciler.catalog import CatalogReader
from services.reconciler.findings import ProofFinding, findings_of, new_report
from services.reconciler.put_away import first_put_away, kept_from
from services.reconciler.window import EXACT, Judged
from spendmeter.verify.corrections import judge_correction
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import KnownSeries
from spendmeter.verify.terms import BEGINNING
from spendmeter.verify.true_ups import judge_true_up

CORRECTOR, NO_TOPIC = -1, ""
"""Where its entries have a partition and a topic."""


async def judge_corrections(
    connection: Any, catalog: CatalogReader, series: KnownSeries, begin: int, end: int
) -> Judged:
    """Those numbered [begin, end), in the caller's snapshot: each number has one entry."""
    rows = await connection.fetch(SQL["corrections_within"], begin, end)
    true_ups = await connection.fetch(SQL["true_ups_numbered"], begin, end)
    kept = await kept_from(connection, CORRECTOR, BEGINNING, end)
    away = await first_put_away(connection, (row["identity"] for row in rows if not row["follows"]))
    reports: defaultdict[tuple[int, str], Report] = defaultdict(new_report)
    with decimal.localcontext(EXACT):
        for row in rows:
            if row["identity"] in away and not row["follows"]:
                continue
            report = reports[row["origin_offset"], row["tenant"]]
            await judge_correction(row, catalog.entries(report), series)
        for row in true_ups:
            report = reports[row["origin_offset"], row["booked_of"]]
            judge_true_up(row, catalog.entries(report))
    numbers = Counter(row["origin_offset"] for row in rows)
    findings = [*_numbered(numbers, max(begin, kept), end)]
    for (number, tenant), report in reports.items():
        findings += findings_of(
            report, tenant, origin_topic=NO_TOPIC, partition=CORRECTOR, origin_offset=number
        )
    return Judged(findings=findings, counted={"booked": len(rows)})


def _numbered(numbers: Counter[int], begin: int, end: int) -> Iterator[ProofFinding]:
    for number in range(begin, end):
        if numbers[number] != 1:
            what = "missing: no entry has its number" if not numbers[number] else "doubled: several have it"
            yield ProofFinding(
                tenant="",
                invariant="I1",
                what=what,
                named=f"number {number} of the entries that correct",
                origin_topic=NO_TOPIC,
                partition=CORRECTOR,
                origin_offset=number,
            )
