"""Projections on a real Postgres: whatever is booked, corrected, killed or done twice, they are the book's sums."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from pogo_core.migration import read_sql_migration

from services.corrector.projections.projector import MarkMoved, Projector
from services.corrector.projections.registered import PROJECTIONS, Projection
from services.corrector.projections.runs import RunFold, RunSum
from services.corrector.projections.stretches import ProjectionMark
from spendmeter.book.entry import BookEntry
from spendmeter.contracts.events import Labels, series_of
from spendmeter.contracts.rated import Line
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.migrate import MIGRATIONS
from spendmeter.platform.roles import apply_roles, role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.projections import check_projections
from spendmeter.verify.report import Report
from tests.corrector.book_by_hand import BookByHand, Entry, figures_of, made_up
from tests.corrector.test_worker import System
from tests.databases import SECRET
from tests.ledger_records import usage_event
from tests.series import add_series
from tests.waiting import until

PARTITIONS = 3
PATIENCE_S = 120
"""The process lets everybody go first, and others test beside us."""


@pytest.fixture
async def book(owner: asyncpg.Connection) -> BookByHand:
    book = BookByHand(owner)
    await book.begin(PARTITIONS)
    return book


@pytest.fixture
async def pool(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Pool]:
    url = role_url(database, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=4, server_settings={"timezone": "UTC"}) as pool:
        yield pool


@pytest.fixture
def projector(pool: asyncpg.Pool) -> Projector:
    return Projector(pool=pool, meters=Meters())


@pytest.fixture
async def system(
    kafka_access: KafkaAccess, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[System]:
    running = System(kafka_access, database, owner, tmp_path / "corrector.log")
    await running.make_topics()
    await running.producer.start()
    yield running
    await running.close()
    print(running.log.read_text("utf-8"))


Sums = dict[tuple[Any, ...], list[Any]]


async def cells(owner: asyncpg.Connection) -> Sums:
    """What the table says, but for cells that came to nothing."""
    rows = await owner.fetch(
        "SELECT tenant, day, tier, region, unit, status, entry, factors, reason, events, quantity, list_priced, "
        "contracted_priced, effective_priced, list, contracted, effective FROM cells "
        "WHERE (events, quantity, list) <> (0, 0, 0)"
    )
    return _sums(rows, keys=9)


async def runs(owner: asyncpg.Connection) -> Sums:
    rows = await owner.fetch(
        "SELECT tenant, run, workflow, cost_class, events, unpriced_events, list, contracted, effective, "
        "of_which_provisional FROM runs WHERE (events, list) <> (0, 0)"
    )
    return _sums(rows, keys=4)


async def outcomes(owner: asyncpg.Connection) -> Sums:
    rows = await owner.fetch(
        "SELECT tenant, run, workflow, name, currency, events, count, value FROM run_outcomes WHERE events <> 0"
    )
    return _sums(rows, keys=5)


def _sums(rows: list[asyncpg.Record], keys: int) -> Sums:
    found: Sums = {}
    for row in rows:
        key, figures = tuple(row.values())[:keys], list(row.values())[keys:]
        found[key] = [a + b for a, b in zip(found[key], figures, strict=True)] if key in found else figures
    return found


def computed(in_force: list[Entry]) -> tuple[Sums, Sums, Sums]:
    """The same from what counts now, without signs: another way, so that it errs otherwise."""
    cells: Sums = defaultdict(lambda: [0] * 8)
    runs: Sums = defaultdict(lambda: [0] * 6)
    outcomes: Sums = defaultdict(lambda: [0] * 3)
    for entry in in_force:
        event, data = entry.event, entry.event.data
        assert isinstance(event.time, datetime)
        place = (
            event.tenant,
            event.time.astimezone(UTC).date(),
            data.context.service_tier,
            data.context.region,
        )
        rest, rest_contracted = entry.amount, entry.amount
        for line in entry.lines:
            priced, agreed, booked, agreed_booked = figures_of(line)
            rest, rest_contracted = rest - booked, rest_contracted - agreed_booked
            factors = "".join(factor.entry for factor in line.multipliers)
            key = (*place, line.unit, line.status, line.entry, factors, line.reason)
            amounts = (priced, agreed, agreed, booked, agreed_booked, agreed_booked)
            _add(cells[key], 1, data.usage[line.unit], *amounts)
        _add(cells[*place, "", entry.status, "", "", ""], 1, 0, *[rest, rest_contracted, rest_contracted] * 2)
        if not data.labels.run:
            continue
        run = (event.tenant, data.labels.run, data.labels.workflow)
        provisional = entry.amount if entry.status == "provisional" else 0
        _add(runs[*run, data.cost_class], 1, entry.status == "unpriced", *[entry.amount] * 3, provisional)
        if data.outcome is not None:
            worth = data.outcome.value
            currency, value = (worth.currency, Decimal(worth.amount)) if worth else ("", 0)
            _add(outcomes[*run, data.outcome.name, currency], 1, data.outcome.count, value)
    return dict(cells), dict(runs), dict(outcomes)


def _add(row: list[Any], *figures: Any) -> None:
    for place, figure in enumerate(figures):
        row[place] += figure


async def assert_equal_to_the_book(owner: asyncpg.Connection, book: BookByHand) -> None:
    in_force = [entry for _, entry in book.in_force.values() if entry is not None]
    assert (await cells(owner), await runs(owner), await outcomes(owner)) == computed(in_force)
    async with owner.transaction():
        await check_projections(owner, found := Report())
    assert found.named == {}
    of_entries = await owner.fetchrow("SELECT sum(list), sum(contracted), sum(effective) FROM entries")
    assert await owner.fetchrow("SELECT sum(list), sum(contracted), sum(effective) FROM cells") == of_entries
    by_day = (
        "SELECT tenant, (occurred_at AT TIME ZONE 'UTC')::date AS day, sum(effective) AS effective, "
        "sum(1 - 2 * (seq % 2)) AS events FROM entries GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert await owner.fetch(
        "SELECT tenant, day, sum(effective), sum(events) FILTER (WHERE unit = '') FROM cells GROUP BY 1, 2 ORDER BY 1, 2"
    ) == await owner.fetch(by_day)


async def test_the_process_follows_the_book_and_survives_being_killed(
    owner: asyncpg.Connection, book: BookByHand, system: System
) -> None:
    chance = random.Random(17)
    for batch in range(6):
        await book.book(batch % PARTITIONS, *(made_up(chance, f"e{batch}.{n}") for n in range(700)))
    for _ in range(2):
        process = await system.corrector()
        await until(lambda: is_begun(owner), "projections to begin")
        process.kill()
        await process.wait()
        await book.book(0, *(made_up(chance, f"late{chance.random()}") for _ in range(700)))
    await system.corrector()
    await until(lambda: is_up_to_date(owner), "projections to follow", within_s=PATIENCE_S)
    await assert_equal_to_the_book(owner, book)


async def is_begun(owner: asyncpg.Connection) -> bool:
    return bool(await owner.fetchval("SELECT sum(next_offset) > 0 FROM projection_marks"))


async def is_up_to_date(owner: asyncpg.Connection) -> bool:
    return bool(
        await owner.fetchval(
            "SELECT bool_and(next_offset = next_origin) FROM projection_marks JOIN positions USING (partition)"
        )
    )


async def book_at_random(book: BookByHand, chance: random.Random, events: int) -> None:
    """Events in small transactions with holes, and corrections of any of them meanwhile."""
    for number in range(events // 3):
        batch = [
            made_up(chance, f"e{number}.{place}-{chance.random()}") for place in range(chance.randrange(6))
        ]
        await book.book(chance.randrange(PARTITIONS), *batch, holes=chance.choice([0, 0, 3]))
        while book.in_force and chance.random() < 0.5:
            await correct_at_random(book, chance)


async def correct_at_random(book: BookByHand, chance: random.Random) -> None:
    _, entry = chance.choice(list(book.in_force.values()))
    if entry is None:
        return
    event = entry.event
    other = made_up(chance, event.id, event.time if isinstance(event.time, datetime) else None)
    kind = chance.choice(["retract", "amend", "re-rate"])
    if kind == "retract":
        await book.correct(event, None)
    elif kind == "amend":  # anything but whose, which and when
        amended = msgspec.structs.replace(other.event, tenant=event.tenant)
        await book.correct(event, replace(other, event=amended), amends=True)
    else:
        lines = tuple(line for line in other.lines if line.unit in event.data.usage)
        missing = [unit for unit in event.data.usage if unit not in {line.unit for line in lines}]
        if not missing:
            await book.correct(event, replace(other, event=event, lines=lines))


@pytest.mark.parametrize("seed", range(4))
async def test_projections_equal_an_independent_computation_in_batches_of_any_size(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        await book_at_random(book, chance, 60)
        projector.entries_max = chance.choice([1, 3, 20, 8_000])
        for _ in range(chance.randrange(8)):
            await projector.fold_next()
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)
    assert await projector.fold_next() == 0


async def test_an_existing_book_is_folded_from_its_beginning_and_a_new_projection_catches_up(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool
) -> None:
    chance = random.Random(7)
    await book_at_random(book, chance, 90)
    first = Projector(pool=pool, meters=Meters(), projections=PROJECTIONS[:1])
    await first.catch_up()
    await book_at_random(book, chance, 30)
    everything = Projector(pool=pool, meters=Meters(), entries_max=30)
    await everything.catch_up()
    await assert_equal_to_the_book(owner, book)
    marks = await owner.fetch(
        "SELECT partition, count(DISTINCT next_offset) FROM projection_marks GROUP BY 1"
    )
    assert {count for _, count in marks} == {1}


async def test_a_topic_that_was_created_anew_is_another_account_from_its_beginning(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector
) -> None:
    chance = random.Random(13)
    await book_at_random(book, chance, 60)
    await projector.fold_next()
    for partition in range(PARTITIONS):
        await book.close_account(partition)
    await book_at_random(book, chance, 90)
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)
    await owner.execute(
        "TRUNCATE cells, runs, run_outcomes, user_months, quality_hours, run_days, agent_people, projection_marks"
    )
    projector.entries_max = 20
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)


async def test_days_that_were_folded_when_bills_counted_as_calls_are_named_and_made_again_by_a_migration(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector
) -> None:
    await book_at_random(book, random.Random(19), 60)
    await projector.catch_up()
    await owner.execute("UPDATE run_days SET calls = events")
    async with owner.transaction():
        await check_projections(owner, found := Report())
    assert {finding.what.partition(" ")[0] for finding in found.named["I5"]} == {"calls"}
    _, _, forth, *_ = read_sql_migration(MIGRATIONS / "0076_bills_are_no_calls.sql")
    async with owner.transaction():
        await forth(owner)
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)


async def test_sums_by_model_of_a_book_that_is_folded_already_are_made_by_a_migration_and_go_with_their_rows(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector
) -> None:
    await book_at_random(book, random.Random(75), 60)
    await owner.execute(
        "INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, "
        "workflow_version, agent, environment, key_id) SELECT DISTINCT tenant, series_id, 'model', 'openai', "
        "left(encode(series_id, 'hex'), 1), '', '', '', '', '', '', '', '' FROM entries"
    )
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)
    _, _, forth, back, *_ = read_sql_migration(MIGRATIONS / "0075_model_days.sql")
    async with owner.transaction():
        await back(owner)
        await forth(owner)
        await apply_roles(owner, SECRET)
    assert await owner.fetchval("SELECT count(*) FROM model_days") > 0
    await assert_equal_to_the_book(owner, book)
    await owner.execute("TRUNCATE cells, quality_hours")
    assert (
        await owner.fetchval(
            "SELECT (SELECT count(*) FROM model_days) + (SELECT count(*) FROM model_call_days)"
        )
        == 0
    )


async def test_a_corrector_of_before_is_refused_and_adds_nothing(
    book: BookByHand, projector: Projector, pool: asyncpg.Pool
) -> None:
    await projector.catch_up()
    moved_then = "UPDATE projection_marks SET next_offset = next_offset + 1 WHERE projection = $1"
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="older than the schema"):
        await pool.execute(moved_then, "run_days")
    await book.owner.execute(moved_then, "run_days")


async def test_of_two_that_fold_the_same_one_is_told_and_writes_nothing(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool
) -> None:
    chance = random.Random(11)
    await book_at_random(book, chance, 150)
    told = 0

    async def follow() -> None:
        nonlocal told
        projector = Projector(pool=pool, meters=Meters(), entries_max=20)
        while True:
            try:
                if not await projector.fold_next():
                    return
            except MarkMoved:
                told += 1

    await asyncio.gather(follow(), follow(), follow())
    assert told > 0
    await assert_equal_to_the_book(owner, book)


async def test_two_that_fold_other_partitions_of_the_same_models_wait_for_each_other_in_no_circle(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool, database: str
) -> None:
    """The one adds to models 3 and 9 and makes a cell of model 5, the other adds to 5 and makes one of 3. Somebody
    holds the sum of 9, so the one has its sum of 3 when the other comes."""
    parts = [OfPartition(pool=pool, meters=Meters(), partition=partition) for partition in (0, 1)]
    await use(owner, book, 0, ("search", "m3"), ("search", "m9"))
    await use(owner, book, 1, ("ads", "m5"))
    for part in parts:
        await part.catch_up()
    await use(owner, book, 0, ("search", "m3"), ("search", "m9"), ("search", "m5"))
    await use(owner, book, 1, ("ads", "m5"), ("ads", "m3"))
    somebody = await asyncpg.connect(database)
    async with somebody.transaction():
        await somebody.execute("SELECT FROM model_days WHERE sku = 'm9' FOR UPDATE")
        folding = []
        for number, part in enumerate(parts, 1):
            folding.append(asyncio.create_task(part.catch_up()))
            await until(lambda number=number: are_waiting(owner, number), f"{number} to wait")  # type: ignore[misc]
    await asyncio.gather(*folding)
    await somebody.close()
    by_model = await owner.fetch(
        "SELECT sku, sum(events) FROM model_days WHERE unit = '' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in by_model] == [("m3", 3), ("m5", 3), ("m9", 2)]


@dataclass(kw_only=True, eq=False)
class OfPartition(Projector):
    """Finds one partition behind, as who looked before the others were."""

    partition: int

    async def _marks(self) -> list[ProjectionMark]:
        return [mark for mark in await super()._marks() if mark.partition == self.partition]


async def use(owner: asyncpg.Connection, book: BookByHand, partition: int, *used: tuple[str, str]) -> None:
    """A call of each team and model."""
    for team, sku in used:
        event = usage_event(f"{len(book.in_force)}", labels=Labels(team=team), usage={"input_tokens": 7})
        event = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, sku=sku))
        await add_series(owner, event.tenant, series_of(event))
        line = Line(unit="input_tokens", entry="e1", price="0.1", amount="0.7")
        await book.book(partition, Entry(event=event, lines=(line,), amount=Decimal("0.7")))


async def are_waiting(owner: asyncpg.Connection, number: int) -> bool:
    """So many wait for others' locks in this database."""
    return number == await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


async def test_what_is_broken_off_before_its_commit_leaves_nothing_behind(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool
) -> None:
    await book_at_random(book, random.Random(5), 30)

    class Broken(RunFold):
        def rows(self) -> list[RunSum]:
            return [msgspec.structs.replace(row, events=2**63) for row in super().rows()]

    runs_break = (PROJECTIONS[0], Projection(name="runs", fold=Broken), PROJECTIONS[2])
    with pytest.raises(asyncpg.DataError):
        await Projector(pool=pool, meters=Meters(), projections=runs_break).fold_next()
    assert await owner.fetchval("SELECT count(*) FROM cells") == 0
    assert await owner.fetchval("SELECT sum(next_offset) FROM projection_marks") == 0
    await Projector(pool=pool, meters=Meters()).catch_up()
    await assert_equal_to_the_book(owner, book)


async def test_large_events_are_read_a_few_at_a_time_and_written_together(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []

    class Noting(RunFold):
        def add(self, entries: Iterable[BookEntry]) -> None:
            pages.append(len(list(entries)))

    monkeypatch.setattr("services.corrector.projections.projector.PAGE_BYTES", 1)
    await book.book(0, *(made_up(random.Random(n), f"e{n}") for n in range(3)))
    only = (Projection(name="runs", fold=Noting),)
    assert await Projector(pool=pool, meters=Meters(), projections=only).fold_next() == 3
    assert pages == [1, 1, 1]


async def test_a_batch_ends_with_the_page_that_has_filled_it_with_rows(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.corrector.projections.projector.PAGE_BYTES", 1)
    monkeypatch.setattr("services.corrector.projections.projector.ROWS_MAX", 2)
    await book.book(0, *(made_up(random.Random(n), f"e{n}") for n in range(3)))
    assert await projector.fold_next() == len(
        PROJECTIONS
    )  # an event has a cell at least, and one of its unit
    await projector.catch_up()
    await assert_equal_to_the_book(owner, book)


async def test_while_much_is_booked_a_batch_is_waited_for_and_then_all_is_folded(
    owner: asyncpg.Connection, book: BookByHand, pool: asyncpg.Pool
) -> None:
    """600 a second: at the first look and after one, two ... nine seconds they wait, after ten they are folded."""
    seconds = iter(range(100))
    projector = Projector(pool=pool, meters=Meters(), clock=lambda: float(next(seconds)))
    for _ in range(10):
        await book.book(0, made_up(random.Random(1), f"e{random.random()}"), holes=599)
        await projector.look()
        assert not await is_up_to_date(owner)
    await book.book(1, made_up(random.Random(2), "last"), holes=599)
    await projector.look()
    assert await is_up_to_date(owner)
    await assert_equal_to_the_book(owner, book)


async def test_what_nobody_booked_is_passed_over(book: BookByHand, projector: Projector) -> None:
    await book.book(1, holes=50)
    assert await projector.fold_next() == 50 * len(PROJECTIONS)
    assert await projector.fold_next() == 0


async def test_api_sees_the_rows_of_its_tenant_alone(
    owner: asyncpg.Connection, book: BookByHand, projector: Projector, database: str
) -> None:
    await book_at_random(book, random.Random(3), 30)
    await projector.catch_up()
    api = await asyncpg.connect(role_url(database, "api", SECRET))
    for table in ("cells", "runs", "run_outcomes"):
        assert await api.fetchval(f"SELECT count(*) FROM {table}") == 0
    async with api.transaction():
        await api.execute("SELECT set_config('app.tenant', 'tenant1', true)")
        for table in ("cells", "runs", "run_outcomes"):
            assert await api.fetch(f"SELECT DISTINCT tenant FROM {table}") == [("tenant1",)]
    await api.close()
