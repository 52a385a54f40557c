"""Dry runs that were asked for are carried out on the book, and leave nothing but their result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.dry_runs.running import TRIES, DryRunWorker
from services.alerts.dry_runs.trial import trial_of
from services.alerts.rules import read_rules
from services.alerts.scopes import MINUTE
from services.alerts.turns import Turns
from spendmeter.book.sizes import five_minutes_of
from spendmeter.contracts.alert_rules import RULE_KINDS
from tests.alerts.conftest import Book
from tests.alerts.test_burn_watch import a_period
from tests.alerts.test_hour_watch import came_to
from tests.alerts.test_level_watch import spent
from tests.alerts.test_loops import called
from tests.alerts.test_silence import sends
from tests.alerts.test_unbooked import refuse
from tests.alerts.test_unreserved import spend as past_spend


@pytest.fixture
async def worker(book: Book, pool: asyncpg.Pool) -> DryRunWorker:
    rules = await read_rules(pool)
    return DryRunWorker(pool, Turns(), BillKeys(pool), lambda: rules)


async def ask(book: Book, of: str, *, days: int = 1, **settings: Any) -> None:
    await book.owner.execute(
        "INSERT INTO rule_dry_runs (tenant, rule_id, of, filter, settings, days, asked_by) "
        "VALUES ('acme', $1, $1, '{}', $2, $3, 'ann')",
        of, settings, days,
    )  # fmt: skip


async def outcome(book: Book) -> dict[str, Any]:
    row = await book.owner.fetchrow("SELECT * FROM rule_dry_runs")
    assert row is not None
    return dict(row)


async def test_a_burst_of_this_morning_is_found_in_the_book_and_nobody_is_told(
    book: Book, worker: DryRunWorker
) -> None:
    """Forty minutes of 2 each, one of them 42: 40 over what is usual; the run asks for a day."""
    now = datetime.now(UTC)
    for minute in range(2, 42):
        await book.spend("42" if minute == 5 else "2", now - minute * MINUTE, agent="batch")
    await book.channel("https://example.com/a")
    await ask(book, "burst")
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    result = done["result"]
    assert (result["incidents"], result["messages"], result["per_day"]) == (1, 1, "1")
    [fired] = result["fired"]
    assert fired["scope"] == {"agent": "batch"}
    assert await book.incidents() == []
    assert await book.owner.fetchval("SELECT count(*) FROM deliveries") == 0
    await ask(book, "burst", amount_min="50")
    await worker.once()
    assert await book.owner.fetchval("SELECT min((result ->> 'incidents')::int) FROM rule_dry_runs") == 0


async def test_what_was_new_is_found_in_the_book(book: Book, worker: DryRunWorker) -> None:
    now = datetime.now(UTC)
    await book.spend("5", now - timedelta(days=20), agent="old")
    await book.owner.execute("UPDATE series SET first_seen = now() - interval '20 days'")
    await book.spend("7", now - timedelta(hours=1), agent="new")
    await ask(book, "first", days=7)
    await worker.once()
    result = (await outcome(book))["result"]
    assert [(each["scope"], each["amount"]) for each in result["fired"]] == [({"agent": "new"}, "7")]


async def test_a_run_that_looped_is_found_in_the_book(book: Book, worker: DryRunWorker) -> None:
    """100 calls and 50.00 in a minute, of a workflow that has no other runs: 3,000 an hour."""
    await called(book, "r1", 100, "50", 60, ago_s=7200)
    await ask(book, "loop", days=30)
    await worker.once()
    result = (await outcome(book))["result"]
    assert [(each["scope"], each["amount"]) for each in result["fired"]] == [
        ({"run": "r1", "workflow": "refund"}, "50")
    ]


async def test_a_rule_of_each_kind_is_tried_as_severe_as_it_is_set(book: Book, pool: asyncpg.Pool) -> None:
    """A burn is critical unless its rule says less; and so it is told again when it becomes worse."""
    assert TRIES.keys() == RULE_KINDS.keys()
    row = {
        "tenant": "acme", "id": 1, "attempts": 1, "rule_id": "burn", "of": "burn", "filter": {}, "settings": {},
        "days": 2, "asked_at": datetime(2026, 6, 3, 10, 30, 20, tzinfo=UTC),
    }  # fmt: skip
    trial = trial_of(row, (await read_rules(pool))["acme"], pool, Turns(), BillKeys(pool))
    assert (trial.since, trial.until) == (
        datetime(2026, 6, 1, 10, 30, tzinfo=UTC), datetime(2026, 6, 3, 10, 30, tzinfo=UTC),
    )  # fmt: skip
    assert trial.rule.severity == "critical"
    await book.owner.execute(
        "INSERT INTO alert_rules (tenant, rule_id, of, name, severity, enabled, reason, by) "
        "VALUES ('acme', 'burn', 'burn', 'Burns', 'info', false, 'because', 'ann')"
    )
    trial = trial_of(row, (await read_rules(pool))["acme"], pool, Turns(), BillKeys(pool))
    assert trial.rule.severity == "info"


async def test_what_three_workers_could_not_finish_is_given_up(book: Book, worker: DryRunWorker) -> None:
    await ask(book, "burst")
    await book.owner.execute("UPDATE rule_dry_runs SET state = 'running', attempts = 3")
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["error"]) == ("failed", "it could not be carried out")
    await worker.once()
    assert (await outcome(book))["attempts"] == 4


async def test_a_rule_of_days_is_tried_on_each_of_them(book: Book, worker: DryRunWorker) -> None:
    """60 days of 100, the last five of them 250: told while it went on, in the end 5 x 150 over what was usual."""
    for number in range(1, 61):
        await spent(book, number, "250" if number <= 5 else "100")
    await ask(book, "shift", days=10)
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["error"]) == ("done", "")
    [fired] = done["result"]["fired"]
    assert (fired["scope"], fired["amount"], fired["messages"]) == ({"agent": "a1"}, "750", 1)
    assert (done["result"]["per_day"], await book.incidents()) == ("0.1", [])


async def test_a_rule_of_hours_is_tried_on_each_of_them(book: Book, worker: DryRunWorker) -> None:
    """Five weeks of 12 an hour, two days ago four hours of 60: 4 x 48 over what is usual, told at 48 and at 144."""
    await book.owner.execute("DELETE FROM scope_hours_missing")
    this = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for number in range(1, 36 * 24):
        await came_to(book, this - timedelta(hours=number), "60" if 48 <= number < 52 else "12")
    await ask(book, "hour", days=7)
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    [fired] = done["result"]["fired"]
    assert (fired["scope"], fired["amount"], fired["messages"]) == ({"agent": "a"}, "192", 2)
    assert datetime.fromisoformat(fired["at"]) == this - timedelta(hours=50)
    assert (done["result"]["caught"], await book.incidents()) == ("192", [])


async def test_a_rule_of_hours_tries_no_hour_before_they_are_known_and_not_the_last_while_it_is_added_up(
    book: Book, worker: DryRunWorker
) -> None:
    """Known for 30 hours; the last one, of 60, waits."""
    await book.owner.execute("DELETE FROM scope_hours_missing")
    this = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for number in range(1, 31):
        await came_to(book, this - timedelta(hours=number), "60" if number == 1 else "12")
    await book.owner.execute("INSERT INTO scope_hours_due VALUES ('acme', $1)", this - timedelta(hours=1))
    await ask(book, "hour", days=7)
    await worker.once()
    result = (await outcome(book))["result"]
    assert (result["incidents"], "hours are known since" in result["notes"][-1]) == (0, True)
    await book.owner.execute("DELETE FROM scope_hours_due")
    await ask(book, "hour", days=7)
    await worker.once()
    tried = await book.owner.fetchval("SELECT max((result ->> 'incidents')::int) FROM rule_dry_runs")
    assert tried == 1


async def test_a_rule_of_burns_is_tried_on_each_budget_by_five_minutes(
    book: Book, pool: asyncpg.Pool
) -> None:
    """43 in each of ten steps: the first is 43 of the 1,000, gone within a day, where 14.4 hours' share is 18 in a
    quarter's last month. In an hour 430 were spent, less what could be borne."""
    await book.budget("1000", period=a_period(), team="search")
    await book.budget("100000", period="year")
    began = five_minutes_of(datetime.now(UTC)) - timedelta(hours=5)
    for step in range(10):
        await book.spend("43", began + step * timedelta(minutes=5), team="search")
        await book.spend("9", began + step * timedelta(minutes=5), team="ads")
    await ask(book, "burn", days=1)
    rules = await read_rules(pool)
    await DryRunWorker(pool, Turns(), BillKeys(pool), lambda: rules).once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    [fired] = done["result"]["fired"]
    assert (fired["scope"], fired["messages"]) == ({"budget": "A budget", "team": "search"}, 1)
    assert datetime.fromisoformat(fired["at"]) == began + timedelta(minutes=5, milliseconds=-1)
    assert 380 < Decimal(fired["amount"]) < 430
    assert (done["result"]["caught"], await book.incidents()) == (fired["amount"], [])


async def test_a_rule_of_silence_is_tried_on_when_sources_were_heard(
    book: Book, worker: DryRunWorker
) -> None:
    """Each five minutes, 28.80 a day; five hours ago it stops for three. By the minute it pauses for six at most, so it
    is told by the look after thirty, 26 minutes after the last five: 155 minutes before it is back."""
    five = timedelta(minutes=5)
    now = five_minutes_of(datetime.now(UTC))
    stopped, back = now - timedelta(hours=5), now - timedelta(hours=2)
    await sends(book, "k2", now)
    await sends(book, "k1", now, since=back)
    await sends(book, "k1", stopped)
    await ask(book, "silence", days=1)
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    [fired] = done["result"]["fired"]
    assert (fired["scope"], fired["messages"]) == ({"key_id": "k1"}, 1)
    assert datetime.fromisoformat(fired["at"]) == stopped + 6 * five - timedelta(milliseconds=1)
    assert abs(Decimal(fired["amount"]) - Decimal("28.8") * 155 / 1440) < Decimal("0.05")
    assert "how old the price lists were is not tried" in done["result"]["notes"]
    assert await book.incidents() == []


async def test_a_rule_of_what_is_spent_past_reservations_is_tried_by_the_hour(
    book: Book, worker: DryRunWorker
) -> None:
    """0.90 and two minutes later 0.60 are told at 1.50, in the next hour 3.00, twice that; two hours later it is over,
    for an hour had none, and 2.00 are another. What nobody has to be told of is a key's 0.99."""
    start = datetime.now(UTC).replace(minute=10, second=0, microsecond=0) - timedelta(hours=10)
    later = start + timedelta(hours=3)
    await past_spend(book, "0.9", start)
    await past_spend(book, "0.6", start + 2 * MINUTE)
    await past_spend(book, "1.5", start + timedelta(hours=1))
    await past_spend(book, "2", later)
    await past_spend(book, "0.99", later, key="k2")
    await past_spend(book, "50", start - timedelta(days=3))
    await ask(book, "unreserved", days=1)
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    assert done["result"]["fired"] == [
        {"scope": {"key_id": "k1"}, "at": at.isoformat(), "amount": amount, "messages": messages}
        for at, amount, messages in ((start + 2 * MINUTE, "3", 2), (later, "2", 1))
    ]
    assert (done["result"]["caught"], await book.incidents()) == ("5", [])
    for amount_min, found in (("5", 1), ("5.01", 0)):  # within a day all of it is 5
        await book.owner.execute("DELETE FROM rule_dry_runs")
        await ask(book, "unreserved", days=1, amount_min=amount_min)
        await worker.once()
        assert (await outcome(book))["result"]["incidents"] == found


async def test_a_rule_of_what_is_not_booked_is_tried_by_the_minute_and_counts_events(
    book: Book, worker: DryRunWorker
) -> None:
    """25 of k1 in one minute and 30 two minutes later: 55 within five. 19 of k2 are too few, and 20 of k3 are less than
    5 % of 401."""
    await book.owner.execute("TRUNCATE corrections")
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
    for key, number, minutes in (("k1", 25, 0), ("k1", 30, 2), ("k2", 19, 0), ("k3", 20, 1)):
        await refuse(book, number, key)
        await book.owner.execute(
            "UPDATE unbooked SET recorded_at = $1 WHERE recorded_at > now() - interval '1 hour'",
            minute + minutes * MINUTE + timedelta(seconds=20),
        )
    await book.spend("1", minute + MINUTE, key_id="k3")
    await book.owner.execute("UPDATE rollups_minute SET events = 381")
    await ask(book, "unbooked", days=1)
    await worker.once()
    done = await outcome(book)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, "")
    result = done["result"]
    assert (result["caught"], result["currency"], result["per_day"]) == ("55", "events", "1")
    at = (minute + MINUTE).isoformat()
    assert result["fired"] == [{"scope": {"key_id": "k1"}, "at": at, "amount": "55", "messages": 1}]
    assert await book.incidents() == []


async def test_where_no_hours_are_known_a_dry_run_of_hours_says_so(book: Book, worker: DryRunWorker) -> None:
    await ask(book, "hour", days=7)
    await worker.once()
    result = (await outcome(book))["result"]
    assert (result["incidents"], result["notes"][-1]) == (0, "no hours are added up yet: nothing was tried")
