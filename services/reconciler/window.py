"""Judges a window of one partition: records of usage.events beside the rows that were made of them. Pure."""

from __future__ import annotations

import decimal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.reconciler.catalog import CatalogReader
from services.reconciler.findings import ProofFinding, findings_of, new_report
from spendmeter.verify.judge import Judge, JudgeWindow
from spendmeter.verify.lines import STATUSES
from spendmeter.verify.report import Report
from spendmeter.verify.streams import BookedEntry, SetAside
from spendmeter.verify.topic import TopicRecord
from spendmeter.verify.usage import Unreadable, read

EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation])
SET_ASIDE = ("duplicate", "conflict", "rejected")

IdentityClaim = tuple[int, int] | None
"""Partition and offset of who claimed an identity."""


@dataclass(frozen=True, kw_only=True)
class OriginAccount:
    """What offsets of one partition mean: of which topic, and from which on its records are there."""

    partition: int
    origin_topic: str
    begins: int
    """The first offset that the broker still has; all are gone where the topic is another one now."""


@dataclass(frozen=True, kw_only=True)
class WindowRows:
    """What topic and book say of a window."""

    account: OriginAccount
    records: Sequence[TopicRecord]
    entries: Sequence[BookedEntry]
    claims: Sequence[IdentityClaim]
    """One for each entry."""
    set_aside: Sequence[SetAside]
    series: Mapping[tuple[str, bytes], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of a window."""

    findings: Sequence[ProofFinding] = ()
    counted: Mapping[str, int] = field(default_factory=dict)
    """Offsets by outcome: booked, duplicate, conflict, rejected."""
    without_record: int = 0


def judge_window(rows: WindowRows, catalog: CatalogReader) -> Judged:
    """By the rules of `spendmeter/verify`, which shares no code with those who book."""
    with decimal.localcontext(EXACT):
        report, outcomes = _judge(rows, catalog)
        findings = list(_by_offset(rows, catalog)) if report.found else []
    counted = {name: outcomes[name] for name in SET_ASIDE}
    counted["booked"] = sum(outcomes[name] for name in STATUSES)
    gone = sum(row.origin_offset < rows.account.begins for row in rows.entries)
    return Judged(findings=findings, counted=counted, without_record=gone)


def _judge(rows: WindowRows, catalog: CatalogReader) -> tuple[Report, Counter[str]]:
    report, account = new_report(), rows.account
    judge = Judge(report=report, entries=catalog.entries(report))
    judge.enter(account.partition, account.begins, account.origin_topic)
    judge.judge(JudgeWindow(rows.records, rows.entries, rows.set_aside, rows.series))
    for entry, claim in zip(rows.entries, rows.claims, strict=True):
        if entry.seq == 0 and claim != (entry.origin_partition, entry.origin_offset):
            by = "nobody" if claim is None else f"{claim[0]}@{claim[1]}"
            named = f"identity {entry.identity.hex()} from usage.events {_at(entry)}"
            report.find("I1", f"doubled: the identity was claimed by {by}", named)
    return report, judge.outcomes


def _by_offset(rows: WindowRows, catalog: CatalogReader) -> Iterator[ProofFinding]:
    """Judge once more, offset by offset: so that each finding has its offset and its tenant."""
    touched = {offset for offset, _ in rows.records}
    touched |= {row.origin_offset for row in rows.entries}
    touched |= {row.origin_offset for row in rows.set_aside}
    for offset in sorted(touched):
        alone = _at_offset(rows, offset)
        report, _ = _judge(alone, catalog)
        yield from findings_of(
            report,
            _tenant(alone),
            origin_topic=rows.account.origin_topic,
            partition=rows.account.partition,
            origin_offset=offset,
        )


def _at_offset(rows: WindowRows, offset: int) -> WindowRows:
    with_claims = [
        (entry, claim)
        for entry, claim in zip(rows.entries, rows.claims, strict=True)
        if entry.origin_offset == offset
    ]
    return WindowRows(
        account=rows.account,
        records=[record for record in rows.records if record[0] == offset],
        entries=[entry for entry, _ in with_claims],
        claims=[claim for _, claim in with_claims],
        set_aside=[row for row in rows.set_aside if row.origin_offset == offset],
        series=rows.series,
    )


def _tenant(rows: WindowRows) -> str:
    """Whose the offset is: the event says it, else the book."""
    for _, value in rows.records:
        try:
            return read(value).tenant
        except Unreadable:
            pass
    booked = [row.tenant for row in rows.entries]
    return next(iter(booked + [row.tenant for row in rows.set_aside]), "")


def _at(entry: BookedEntry) -> str:
    return f"{entry.origin_partition}@{entry.origin_offset}"
