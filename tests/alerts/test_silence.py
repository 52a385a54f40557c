"""A source that stops, a book that stands still, an old catalog: each is told once, of a real book."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.store import Store
from services.alerts.rules import Rules
from services.alerts.silence.listening import Listening
from services.alerts.turns import Turns
from services.alerts.watches.look import Shared
from services.alerts.watches.silence import SilenceWatch
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import Book, transitions
from tests.series import add_series

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
STOPPED = (datetime.now(UTC) - timedelta(hours=2)).replace(second=0, microsecond=0)


async def sends(
    book: Book,
    key: str,
    until: datetime,
    every: timedelta = 5 * MINUTE,
    days: int = 30,
    since: datetime | None = None,
) -> None:
    """Ten cents in each of these minutes, as the ledger writes them; known for as long."""
    series = Series(provider="openai", sku="gpt-4o", key_id=key, team="ops")
    await add_series(book.owner, "acme", series)
    await book.owner.execute(
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
        "SELECT minute, current_date, 0, 'acme', $1, 'USD', 1, 0, 0.1, 0.1, 0.1, 0, '{}' "
        "FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 second', $4::interval) AS minute",
        series_id(series), since or until - days * DAY, until, every,
    )  # fmt: skip
    await book.owner.execute(
        "INSERT INTO touched SELECT DISTINCT 'acme', 'five_minutes', date_bin('5 minutes', bucket, 'epoch') "
        "FROM rollups_minute WHERE series_id = $1",
        series_id(series),
    )
    await book.owner.execute("UPDATE series SET first_seen = $1 WHERE key_id = $2", until - days * DAY, key)


async def log_reaches(book: Book, end: int, at: datetime) -> None:
    """The log of usage.events; nothing of it is booked."""
    await book.owner.execute("DELETE FROM log_ends")
    await book.owner.execute("INSERT INTO log_ends (partition, log_end, read_at) VALUES (0, $1, $2)", end, at)


@pytest.fixture
async def listen(
    pool: asyncpg.Pool[asyncpg.Record], store: Store, book: Book
) -> AsyncIterator[Callable[[], Awaitable[SilenceWatch]]]:
    await book.owner.execute("DELETE FROM api_keys WHERE key_id IN ('k1', 'k2')")
    await log_reaches(book, 0, datetime.now(UTC))
    async with Learner() as learner:

        async def make() -> SilenceWatch:
            shared = Shared(
                pool=pool, complete=CompletenessReader(pool), store=store, turns=Turns(), learner=learner,
                meters=Meters(), portal_url="https://spend.example.org", bill_keys=BillKeys(pool),
            )  # fmt: skip
            return SilenceWatch(tenant="acme", rules=(await Rules(pool).read())["acme"], shared=shared)

        yield make


async def listen_until(
    watch: SilenceWatch, start: datetime, end: datetime, every: timedelta = 5 * MINUTE
) -> None:
    while start <= end:
        await watch.look(start)
        start += every


async def test_a_source_that_stops_is_told_once_and_that_it_sends_again(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]]
) -> None:
    """It sends each five minutes: by the minute it pauses for six at most, and five times that are 30."""
    await sends(book, "k1", STOPPED)
    await sends(book, "k2", STOPPED + timedelta(hours=2))
    watch = await listen()
    await listen_until(watch, STOPPED - 20 * MINUTE, STOPPED + 20 * MINUTE)
    assert await book.incidents("silence") == []
    await listen_until(watch, STOPPED + 25 * MINUTE, STOPPED + 45 * MINUTE)
    [incident] = await book.incidents("silence")
    assert (incident["scope"], incident["state"], incident["severity"]) == (
        {"key_id": "k1"},
        "open",
        "warning",
    )
    assert incident["began_at"] == STOPPED - 4 * MINUTE  # the minute after its last
    assert incident["details"]["sources"][0]["carries"] == {"team": "ops"}
    assert abs(Decimal(incident["details"]["sources"][0]["amount_a_day"]) - Decimal("28.8")) < Decimal("0.1")
    await sends(book, "k1", STOPPED + timedelta(hours=2), since=STOPPED + 50 * MINUTE)
    await listen_until(watch, STOPPED + 50 * MINUTE, STOPPED + 60 * MINUTE)
    [incident] = await book.incidents("silence")
    assert (incident["state"], incident["resolution"]) == ("resolved", "it sends again")
    told = [each for each in await transitions(book) if each != "updated"]  # these go to the topic alone
    assert told == ["opened", "resolved"]


async def test_while_the_book_stands_still_no_source_is_silent_and_its_lag_is_told(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]]
) -> None:
    await sends(book, "k1", STOPPED)
    watch = await listen()
    await log_reaches(book, 10, STOPPED)  # nothing was booked since
    await listen_until(watch, STOPPED - 20 * MINUTE, STOPPED + 60 * MINUTE)
    [incident] = await book.incidents("silence")
    assert (incident["details"]["subject"], incident["scope"]) == ("lag", {})
    await log_reaches(book, 0, datetime.now(UTC))
    watch.shared.complete._read_at_s = float("-inf")
    await watch.look(STOPPED + 61 * MINUTE)
    lag, source = await book.incidents("silence")
    assert (lag["state"], lag["resolution"]) == ("resolved", "the book has caught up")
    assert source["details"]["subject"] == "source"  # now the book says so


async def test_a_key_that_was_revoked_and_one_that_bills_are_not_silent(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]]
) -> None:
    watch = await listen()
    for key, scope, revoked in (("k1", "ingest", STOPPED), ("k2", "import", None)):
        await sends(book, key, STOPPED)
        await book.owner.execute(
            "INSERT INTO api_keys (key_id, tenant, name, secret_sha256, scopes, revoked_at) "
            "VALUES ($1, 'acme', $1, sha256($1::text::bytea), ARRAY[$2], $3)",
            key, scope, revoked,
        )  # fmt: skip
    await listen_until(watch, STOPPED - 20 * MINUTE, STOPPED + 60 * MINUTE)
    assert await book.incidents("silence") == []


async def test_an_old_catalog_is_told_once_and_over_when_a_pull_has_read_it_anew(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]]
) -> None:
    await sends(book, "k1", STOPPED + timedelta(hours=2))
    watch = await listen()
    await book.owner.execute("DELETE FROM catalog_entries; DELETE FROM catalog_pulls")
    await book.owner.execute(
        "INSERT INTO catalog_entries (id, type, body, version, recorded_by, recorded_at) "
        "VALUES ('p', 'spendmeter.catalog.price.v1', '{}', 1, 'k', now() - interval '20 days')"
    )
    for _ in range(2):
        await watch.look(STOPPED)
    [incident] = await book.incidents("silence")
    assert (incident["details"]["subject"], incident["severity"]) == ("catalog", "info")
    assert incident["title"] == "the newest price list is 19 days old"
    await book.owner.execute(
        "INSERT INTO catalog_pulls (tenant, started_by, trigger, ended_at, state) "
        "VALUES ('*', 'k', 'command', now(), 'unchanged')"
    )
    await watch.look(STOPPED + 61 * MINUTE)
    [incident] = await book.incidents("silence")
    assert (incident["state"], incident["resolution"]) == ("resolved", "the price lists were renewed")


async def test_a_rule_that_listens_for_nothing_more_ends_what_it_told(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]], pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await sends(book, "k1", STOPPED)
    watch = await listen()
    await listen_until(watch, STOPPED - 20 * MINUTE, STOPPED + 40 * MINUTE)
    assert [each["state"] for each in await book.incidents("silence")] == ["open"]
    await book.owner.execute(
        "INSERT INTO alert_rules (tenant, rule_id, of, name, severity, enabled, reason, by) "
        "VALUES ('acme', 'silence', 'silence', 'n', 'warning', false, 'r', 'key k')"
    )
    watch.apply_rules((await Rules(pool).read())["acme"])
    await watch.look(STOPPED + 45 * MINUTE)
    [incident] = await book.incidents("silence")
    assert incident["resolution"] == "it is not listened for any more"


async def test_a_source_that_reports_what_was_is_not_listened_for(
    book: Book, listen: Callable[[], Awaitable[SilenceWatch]]
) -> None:
    """Its newest usage, of five minutes before it stopped, was booked 20 minutes later."""
    await sends(book, "k1", STOPPED)
    newest = STOPPED - 5 * MINUTE
    await book.owner.execute(
        "INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, "
        "accounting_period, identity, series_id, tenant, status, currency, list, contracted, effective, event, lines) "
        "SELECT $1, $2, 0, 0, 1, current_date, '\\x01', series_id, 'acme', 'priced', 'USD', 0.1, 0.1, 0.1, '{}', '[]' "
        "FROM series WHERE key_id = 'k1'",
        newest, newest + 20 * MINUTE,
    )  # fmt: skip
    watch = await listen()
    await listen_until(watch, STOPPED - 20 * MINUTE, STOPPED + 60 * MINUTE)
    assert await book.incidents("silence") == []
    await book.owner.execute("DELETE FROM entries")


async def test_a_new_key_is_known_and_old_ones_have_their_newest_hours_once_the_hour_is_over(
    book: Book, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """All hours are read at 12:10 and, for k2 was heard at 13:10, at 14:10; at 13:10 and 15:10 the newest."""
    noon = STOPPED.replace(minute=10) - timedelta(hours=4)
    await sends(book, "k1", noon, days=8)
    turns, calendar = Turns(), Timeline([(None, Terms(zone=ZoneInfo("UTC")))])
    heard = Listening(pool, "acme", {}, partial(turns.turn, "acme", "silence"))
    known, last = [], []
    for hour, (begins, ends) in enumerate(((None, None), (10, 30), (60, 90), (120, 150))):
        if begins is not None:
            for key in ("k1", "k2"):
                await sends(book, key, noon + ends * MINUTE, since=noon + begins * MINUTE, days=8)
        for after in (0, 25):
            at = noon + hour * timedelta(hours=1) + after * MINUTE
            await heard.hear(at, at, calendar, [])
            sources = heard.sources(at)
            known.append("".join(sorted(sources)))
        last.append({key: source.habit.hours[-1] for key, source in sources.items()})
        for source in sources.values():
            assert list(source.habit.hours) == sorted(set(source.habit.hours))
    assert known == ["k1"] * 4 + ["k1k2"] * 4
    full = noon.replace(minute=0)
    assert [each["k1"] - full for each in last] == [number * timedelta(hours=1) for number in (0, 0, 1, 2)]
    assert last[-1]["k2"] == last[-1]["k1"]
