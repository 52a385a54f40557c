"""The fold of `agent_people`: who used which coding agent, counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from msgspec.structs import astuple

from services.corrector.projections.agent_people import AgentPeopleFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.events import Labels, encode_event
from tests.ledger_records import usage_event

LAST_SECOND = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)


def entry(
    user: str = "user:a1",
    agent: str = "codex",
    at: datetime = LAST_SECOND,
    team: str = "search",
    seq: int = 0,
) -> BookEntry:
    labels = Labels(user=user, team=team, agent=agent)
    event = encode_event(usage_event(time=at, labels=labels)).decode()
    return read_entry(seq, at, "acme", b"s" * 16, "priced", "USD", "1", "1", "1", event, "[]")


def test_a_person_is_counted_by_tool_team_and_month_of_utc() -> None:
    """An hour east of UTC December has begun while November has not ended."""
    fold = AgentPeopleFold()
    east = LAST_SECOND.astimezone(timezone(timedelta(hours=1)))
    fold.add(
        [entry(), entry(at=east), entry(at=LAST_SECOND + timedelta(seconds=1)), entry(agent="claude-code")]
    )
    assert [astuple(row) for row in fold.rows()] == [
        ("acme", "2026-11-01", "codex", "search", "user:a1", 2),
        ("acme", "2026-12-01", "codex", "search", "user:a1", 1),
        ("acme", "2026-11-01", "claude-code", "search", "user:a1", 1),
    ]


def test_a_correction_to_another_team_takes_the_person_along() -> None:
    fold = AgentPeopleFold()
    fold.add([entry(), entry(seq=1), entry(team="core", seq=2)])
    assert [astuple(row)[3:] for row in fold.rows()] == [("search", "user:a1", 0), ("core", "user:a1", 1)]


def test_customers_of_an_agent_that_is_no_developers_tool_are_not_kept() -> None:
    fold = AgentPeopleFold()
    fold.add([entry(agent="triage"), entry(agent=""), entry(user=""), entry(user="~other")])
    assert fold.rows() == []
    assert len(fold) == 0
