"""Re-rating jobs beside each other, cancelled, interrupted and overtaken, on a real Postgres; amounts worked out by hand."""

from __future__ import annotations

import asyncio
import contextlib
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.corrector import sweep
from services.corrector.fence import Overtaken
from services.corrector.job_work import SQL
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from tests.corrector.rerate_world import NOON, PER_MILLION, SECRET, RerateBook, opened, use, wrong_then_right
from tests.pricing.entries import price
from tests.pricing.test_causes import withdrawn

# -- many jobs ----------------------------------------------------------------------------------------------------


async def test_what_was_accepted_is_taken_however_many_it_is(rerate_book: RerateBook) -> None:
    """After a restore all requests come again at once: 25 dry runs, and each is applied. Three events at 2 a million are
    6, whoever of the 25 was first."""
    right = await wrong_then_right(rerate_book, *(use(f"e{n}") for n in range(3)))
    jobs = [await rerate_book.ask(right) for _ in range(25)]
    await rerate_book.ask(right, id=jobs[0])  # the request came twice
    for job in jobs:
        await rerate_book.apply(job)
    await rerate_book.work()
    assert {await rerate_book.state(job) for job in jobs} == {"applied"}
    assert await rerate_book.money() == Decimal(6)


async def test_tenants_take_turns_however_many_jobs_one_of_them_has(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job needs five steps: two chunks of an entry, two looks for more, and its end. With every other turn globex
    is done after ten; job by job it would wait for all of acme's."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    events = [use(f"{tenant}{n}", tenant=tenant) for tenant in ("acme", "globex") for n in range(2)]
    right = await wrong_then_right(rerate_book, *events)
    for _ in range(3):
        await rerate_book.ask(right)
    job = await rerate_book.ask(right, tenant="globex")
    steps = 0
    while await rerate_book.state(job) != "previewed":
        await rerate_book.step()
        steps += 1
    assert steps <= 10
    assert (
        await rerate_book.owner.fetchval("SELECT count(*) FROM rerate_jobs WHERE state = 'previewing'") >= 2
    )


async def test_a_job_that_waits_for_a_partition_does_not_slow_one_that_can_go_on(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step at which one waits says that there is more to do, for another may go on; alone it says there is not."""
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    rerate_book.accepted[1] = 1
    waiting = await rerate_book.rerate(right)
    assert await rerate_book.state(waiting) == "applying"
    assert [await rerate_book.step() for _ in range(4)].count(False) == 2
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    job = await rerate_book.ask(right)
    said = []
    while await rerate_book.state(job) != "previewed":
        said.append(await rerate_book.step())
    assert said.count(False) <= 1, said


async def test_what_is_booked_late_goes_through_one_job_a_step(rerate_book: RerateBook) -> None:
    """Two jobs have applied 2 and 3 a million; a late event at 2,000,000 becomes 2 in one step, and 3 in the next."""
    right = await wrong_then_right(rerate_book, use("a"))
    await rerate_book.rerate(right)
    dearer = await rerate_book.publish(withdrawn(PER_MILLION), price("m", "input_tokens", "3"))
    await rerate_book.rerate(dearer)
    await rerate_book.book(use("b"), version=1)
    amounts = []
    while await rerate_book.step():
        amounts.append(await rerate_book.money())
    assert amounts == [Decimal(5), Decimal(6)]
    assert await rerate_book.entries("b") == [
        (0, 1, "2000000"), (1, 1, "-2000000"), (2, 2, "2"), (3, 2, "-2"), (4, 3, "3"),
    ]  # fmt: skip


# -- interrupted ------------------------------------------------------------------------------------------------------


async def test_a_cancelled_job_ends_where_it_stands_and_another_goes_on(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 2)
    right = await wrong_then_right(rerate_book, *(use(f"e{number}") for number in range(5)))
    job = await rerate_book.ask(right, apply=True)
    while (await rerate_book.owner.fetchval("SELECT count(*) FROM entries WHERE seq = 2")) < 2:
        await rerate_book.step()
    await rerate_book.cancel(job)
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("cancelled", Decimal(6_000_004))
    await rerate_book.rerate(right)
    assert await rerate_book.money() == Decimal(10)


@pytest.mark.parametrize("chunk", [1, 2, 3])
async def test_chunks_of_any_size_meet_every_event_once_also_where_many_share_an_instant(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Seven in one instant, one a microsecond later, one in the next minute, one an hour later: ten at 2 are 20."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", chunk)
    after = [timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)]
    times = [NOON] * 7 + [NOON + each for each in after]
    right = await wrong_then_right(rerate_book, *(use(f"e{n}", at=at) for n, at in enumerate(times)))
    job = await rerate_book.rerate(right)
    assert await rerate_book.money() == Decimal(20)
    assert await rerate_book.counts(job) == {"about": 10, "seen": 10, "changed": 10, "left_alone": 0, "elsewhere": 0, "late": 0}  # fmt: skip


async def test_what_was_read_ahead_and_corrected_since_is_read_again(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first of three is written, the second is read; it is voided before its turn. Two at 2 are 4."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    times = [NOON + timedelta(minutes=minute) for minute in range(3)]
    right = await wrong_then_right(rerate_book, *(use(f"e{n}", at=at) for n, at in enumerate(times)))
    job = await rerate_book.ask(right, apply=True)
    while not await rerate_book.owner.fetchval("SELECT count(*) FROM entries WHERE seq = 2"):
        await rerate_book.step()
    await rerate_book.retract("e1")
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applied", Decimal(4))
    assert await rerate_book.entries("e1") == [(0, 1, "2000000"), (1, 1, "-2000000")]
    assert (await rerate_book.counts(job))["changed"] == 2


async def test_while_a_chunk_is_written_the_next_one_is_read(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three chunks of a pass the first is read in its turn, the others and the empty end while one is written."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    right = await wrong_then_right(rerate_book, *(use(f"e{n}") for n in range(3)))
    job = await rerate_book.ask(right, apply=True)
    noting = Noting(rerate_book.corrector)
    while await rerate_book.state(job) != "applied":
        await rerate_book.rerates.step(noting, await rerate_book.standing(), rerate_book.beside)
    assert noting.fetched.count(SQL["minutes"]) == 2  # once the dry run's, once that of the pass that applies


async def test_while_a_tenants_chunk_is_written_the_next_ones_is_read(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tenants' two events, an event a chunk, in the dry runs and in the passes that apply: each pass begins with
    a chunk that may have to be read in its turn, as nobody wrote before; all others were read by then."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    events = [use(f"{tenant}{n}", tenant=tenant) for tenant in ("acme", "globex") for n in range(2)]
    right = await wrong_then_right(rerate_book, *events)
    jobs = [await rerate_book.ask(right, tenant=tenant, apply=True) for tenant in ("acme", "globex")]
    rerate_book.corrector = noting = Noting(rerate_book.corrector)
    await rerate_book.work()
    assert [await rerate_book.state(job) for job in jobs] == ["applied", "applied"]
    assert (await rerate_book.money("acme"), await rerate_book.money("globex")) == (Decimal(4), Decimal(4))
    assert noting.fetched.count(SQL["entries"]) <= 4


async def test_large_events_are_read_a_few_at_a_time(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a byte a chunk each of three events is one: three at 2 a million are 6."""
    monkeypatch.setattr(sweep, "CHUNK_BYTES", 1)
    right = await wrong_then_right(rerate_book, *(use(f"e{n}") for n in range(3)))
    job = await rerate_book.ask(right)
    seen = []
    while await rerate_book.state(job) == "previewing":
        await rerate_book.step()
        seen.append((await rerate_book.counts(job, "preview"))["seen"])
    assert list(dict.fromkeys(seen)) == [1, 2, 3]
    await rerate_book.apply(job)
    await rerate_book.work()
    assert await rerate_book.money() == Decimal(6)


async def test_a_chunk_is_read_in_the_order_of_the_index_and_not_all_that_is_left_of_it(
    rerate_book: RerateBook, database: str
) -> None:
    """20,000 entries of one instant, of which Postgres knows nothing: by a connection that was lent before."""
    await rerate_book.publish(PER_MILLION)
    await rerate_book.book(use("a"))
    await rerate_book.owner.execute(
        "INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, accounting_period, "
        "identity, series_id, tenant, status, currency, list, contracted, effective, event, lines) "
        "SELECT occurred_at, n, 99, 1, accounting_period, decode(md5(n::text), 'hex'), series_id, tenant, status, "
        "currency, list, contracted, effective, event, lines FROM entries, generate_series(1, 20000) AS n"
    )
    asked = "acme", None, 1, [NOON], [NOON + timedelta(hours=1)], NOON, b"", 100, 1_000_000
    url = role_url(database, "corrector", SECRET)
    pool = await create_pool(url, size_max=1, service="test", session=sweep.READ_IN_ORDER)
    await pool.fetch("SELECT 1")
    rows = await pool.fetch(f"EXPLAIN (ANALYZE) {SQL['entries']}", *asked)
    await pool.close()
    plan = "\n".join(row[0] for row in rows)
    read = re.findall(r"Scan using entries_\w*tenant\w* on entries_\d+ .*actual time=\S+ rows=([\d.]+)", plan)
    assert read and 100 <= sum(map(float, read)) < 110, plan


async def test_an_entry_that_the_catalog_does_not_know_is_asked_for_once_a_pass(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three chunks of an event, each priced by what is in no catalog: one question in the dry run, one after it."""
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 1)
    right = await wrong_then_right(rerate_book, *(use(f"e{n}") for n in range(3)))
    await rerate_book.owner.execute(
        """UPDATE entries SET lines = regexp_replace(lines, '"entry":"[^"]*"', '"entry":"nobody"')"""
    )
    rerate_book.corrector, rerate_book.beside = Noting(rerate_book.corrector), Noting(rerate_book.beside)
    fetched = rerate_book.corrector.fetched, rerate_book.beside.fetched
    await rerate_book.rerate(right)
    assert await rerate_book.money() == Decimal(6)
    assert sum(each.count(SQL["facts"]) for each in fetched) == 2


async def test_of_two_correctors_at_one_job_one_writes_each_chunk(
    rerate_book: RerateBook, database: str
) -> None:
    """Both have read the same chunk: the second finds that the first has moved on, and writes nothing."""
    right = await wrong_then_right(rerate_book, use("a"))
    job = await rerate_book.ask(right, apply=True)
    async with opened(database, rerate_book.owner) as other:
        other.accepted = rerate_book.accepted
        for _ in range(200):
            if await rerate_book.state(job) == "applied":
                break
            standing = await rerate_book.standing()
            both = [
                world.rerates.step(world.corrector, standing, world.beside) for world in (rerate_book, other)
            ]
            for outcome in await asyncio.gather(*both, return_exceptions=True):
                assert not isinstance(outcome, Exception) or isinstance(
                    outcome, (Overtaken, asyncpg.UniqueViolationError)
                ), outcome
    assert await rerate_book.money() == Decimal(2)
    assert (await rerate_book.counts(job))["changed"] == 1
    assert (await rerate_book.standing()).next_entry == 2


async def test_whatever_is_interrupted_was_never_begun(rerate_book: RerateBook) -> None:
    """The connection breaks at each statement of each step in turn: the end is the same."""
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    job = await rerate_book.ask(right, apply=True)
    for broken_at in range(500):
        if await rerate_book.state(job) == "applied":
            break
        breaking = Breaking(rerate_book.corrector, broken_at % 40)
        with contextlib.suppress(ConnectionResetError):
            await rerate_book.rerates.step(breaking, await rerate_book.standing(), rerate_book.beside)
    assert await rerate_book.money() == Decimal(4)
    assert await rerate_book.counts(job) == {"about": 2, "seen": 2, "changed": 2, "left_alone": 0, "elsewhere": 0, "late": 0}  # fmt: skip
    assert (await rerate_book.standing()).next_entry == 4


class Noting:
    """A connection, and what was fetched by it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.fetched: list[str] = []

    async def fetch(self, statement: str, *values: Any) -> Any:
        self.fetched.append(statement)
        return await self._connection.fetch(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Breaking:
    """A connection that is lost at its n-th statement."""

    def __init__(self, connection: asyncpg.Connection, statements: int) -> None:
        self._connection, self._left = connection, statements

    def __getattr__(self, name: str) -> Any:
        if name in {"execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"}:
            self._left -= 1
            if self._left < 0:
                raise ConnectionResetError
        return getattr(self._connection, name)
