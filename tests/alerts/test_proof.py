"""A book that is wrong, a line that stands still and a reconciler that is away are incidents, told in words. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.alerts.proof.proof import BookProof, ProofLook, ProofWording

NOW = datetime(2026, 11, 28, 0, 30, tzinfo=UTC)
RIGHT = BookProof(proved_at=NOW, line="", number=0, found_at=None, named=None, what=None)
WRONG = replace(RIGHT, number=2, found_at=NOW - timedelta(minutes=1), named="acme bot/e7", what="missing")


def look(proof: BookProof, listens: timedelta = timedelta(hours=1)) -> ProofLook:
    wording = ProofWording(zone=ZoneInfo("UTC"), portal_url="")
    return ProofLook(tenant="acme", now=NOW, listens_since=NOW - listens, proof=proof, wording=wording)


def test_a_book_that_is_right_is_no_news() -> None:
    assert look(RIGHT).proposals([]) == []


def test_a_finding_opens_one_critical_incident_that_names_it_until_somebody_has_seen_it() -> None:
    (opened,) = look(WRONG).proposals([])
    assert (opened.severity, opened.title) == ("critical", "The book is wrong: acme bot/e7: missing")
    assert look(WRONG).proposals([opened]) == []
    assert look(WRONG).ending(opened) == ""
    assert look(RIGHT).ending(opened) == "all of it was seen by an operator, or put right"


def test_a_line_that_stands_still_is_told_with_its_reason_and_is_over_when_it_moves() -> None:
    still = replace(RIGHT, line="partition 0: no ledger has looked at it since 2026-11-28 00:29:50Z")
    (opened,) = look(still).proposals([])
    assert opened.title.startswith("The line stands still: partition 0: no ledger has looked")
    assert look(RIGHT).ending(opened) == "it moves again"


def test_while_the_reconciler_is_away_that_is_told_and_nothing_counts_as_over() -> None:
    away = replace(RIGHT, proved_at=NOW - timedelta(minutes=2))
    (opened,) = look(away).proposals([])
    assert opened.rule_name == "Nothing is proved"
    assert look(away, timedelta(seconds=20)).proposals([]) == [], "both may have been started just now"
    (wrong,) = look(WRONG).proposals([])
    assert look(away).ending(wrong) == ""
    assert look(RIGHT).ending(opened) == "it looks at the book again"
