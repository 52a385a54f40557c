"""The rule of what is spent past reservations tried on the hours in which it was: told once, and when it doubles."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.alerts.dry_runs.unreserved import UnreservedReplay
from services.alerts.unreserved.unreserved import PastTold, counted_since
from tests.alerts.test_unreserved import HOUR, NOW, PART, RULE, D, look

TEN = NOW.replace(minute=0, second=0)
DAY = timedelta(days=1)


def told(key: str, since: datetime, resolved_at: datetime | None = None) -> PastTold:
    return PastTold(key, since, resolved_at)


def test_what_is_open_is_added_up_since_it_began_and_what_was_over_since_the_hour_of_its_end() -> None:
    """Now is Thursday 10:04, so the last day begins with Wednesday's hour of ten."""
    oldest = TEN - DAY
    since = counted_since(
        [
            told("open", TEN - 50 * HOUR),
            told("over", TEN - 5 * HOUR, TEN - 2 * HOUR + timedelta(minutes=40)),
            told("again", TEN - 9 * HOUR, TEN - 6 * HOUR),
            told("again", TEN - 3 * HOUR),
            told("long ago", TEN - 70 * HOUR, TEN - 30 * HOUR),
        ],
        oldest,
    )
    assert since == {
        "open": TEN - 50 * HOUR, "over": TEN - 2 * HOUR, "again": TEN - 3 * HOUR, "long ago": oldest,
    }  # fmt: skip


def test_it_is_told_again_when_it_doubles_and_over_after_a_quiet_hour_with_all_that_it_came_to() -> None:
    """8, then 16, twice that; 20 at last, and an hour later nothing."""
    replay = UnreservedReplay(RULE.id, NOW)
    replay.look(look(PART))
    assert replay.open_keys == {"k1"}
    for minutes, amount in ((5, "16"), (10, "20")):
        later = NOW + timedelta(minutes=minutes)
        replay.look(look(replace(PART, amount=D(amount), counted_at=later), now=later))
    last = replace(PART, amount=D(20), counted_at=NOW + timedelta(minutes=10))
    replay.end(look(last, now=NOW + timedelta(minutes=69)))
    assert replay.open_keys == {"k1"}
    replay.end(look(last, now=NOW + timedelta(minutes=70)))
    assert replay.open_keys == set()
    [each] = replay.told
    assert each == PastTold("k1", TEN, NOW + timedelta(minutes=70))
    [fired] = replay.fired()
    assert (fired.scope, fired.at, fired.amount, fired.messages) == ({"key_id": "k1"}, NOW, 20, 2)


def test_what_another_rule_tells_and_what_was_before_the_days_tried_is_not_counted() -> None:
    own = replace(RULE, id="own", filter={"key_id": "k1"}, changed={"amount_min": "100"})
    for rule_id, counted_from, rules in (
        ("own", NOW, (RULE, own)),
        (RULE.id, NOW, (RULE, replace(own, changed={}))),
        (RULE.id, NOW + HOUR, (RULE,)),
    ):
        replay = UnreservedReplay(rule_id, counted_from)
        replay.look(look(PART, rules=rules))
        assert replay.fired() == []
