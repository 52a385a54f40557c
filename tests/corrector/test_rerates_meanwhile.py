"""Re-rating jobs while prices change and events arrive, on a real Postgres; amounts worked out by hand."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from services.ledger.book import prepare
from spendmeter.contracts.corrections import BOOK_MAX, BOOK_MIN
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.roles import role_url
from tests.corrector.rerate_world import NOON, PER_MILLION, PER_ONE, SECRET, RerateBook, use, wrong_then_right
from tests.pricing.entries import price
from tests.pricing.test_causes import withdrawn


async def test_a_price_that_changes_during_a_job_is_not_undone_by_it(rerate_book: RerateBook) -> None:
    """2 a token, then 2 a million (version 2, the job's), then 3 a million (version 3): what was booked or re-rated at
    3 stays at 3, and the job for 2 brings the rest to 2."""
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    job = await rerate_book.ask(right, apply=True)
    third = await rerate_book.publish(withdrawn(PER_MILLION), price("m", "input_tokens", "3"))
    await rerate_book.book(use("c"))
    newer = await rerate_book.rerate(third, until=NOON + timedelta(hours=1))
    assert {await rerate_book.state(each) for each in (job, newer)} == {"applied"}
    outdated = await rerate_book.rerate(right)
    assert await rerate_book.state(outdated) == "refused"
    assert await rerate_book.money() == Decimal(9)
    assert [version for _, version, _ in await rerate_book.entries("c")] == [3]


async def test_what_a_lagging_rater_books_after_the_job_is_brought_to_its_version_too(
    rerate_book: RerateBook,
) -> None:
    right = await wrong_then_right(rerate_book, use("a"))
    job = await rerate_book.rerate(right)
    await rerate_book.book(use("b"), version=1, partition=1)
    assert await rerate_book.money() == Decimal(2_000_002)
    await rerate_book.work()
    assert await rerate_book.money() == Decimal(4)
    assert await rerate_book.entries("b") == [(0, 1, "2000000"), (1, 1, "-2000000"), (2, 2, "2")]
    assert (await rerate_book.counts(job))["late"] == 1
    assert (await rerate_book.differences(job, "applied"))[0] == ("payments", "m", "", 2, "4000000", "4")
    await rerate_book.work()
    assert len(await rerate_book.entries("b")) == 3


async def test_a_late_event_that_no_job_concerns_stays_as_it_was_rated(rerate_book: RerateBook) -> None:
    """A dry run alone, a job for another model, one that is cancelled: none of them is to change it."""
    right = await wrong_then_right(rerate_book, use("a"))
    await rerate_book.ask(right)
    await rerate_book.rerate(right, skus=("other",))
    await rerate_book.cancel(await rerate_book.ask(right, apply=True))
    await rerate_book.book(use("b"), version=1)
    await rerate_book.work()
    assert await rerate_book.entries("b") == [(0, 1, "2000000")]


async def test_a_job_ends_when_all_that_was_accepted_before_it_is_booked(rerate_book: RerateBook) -> None:
    """Two events lie on the topic and a lagging rater has them: the job waits for both partitions."""
    right = await wrong_then_right(rerate_book, use("a"))
    rerate_book.accepted |= {0: 2, 1: 1}
    job = await rerate_book.rerate(right)
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applying", Decimal(2))
    why = "SELECT why FROM rerate_jobs"
    assert await rerate_book.owner.fetchval(why) == (
        "for events that were accepted before it: partition 0 is booked up to offset 1 of 2"
    )
    await rerate_book.book(use("b"), version=1)
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applying", Decimal(4))
    assert "partition 1 is booked up to offset 0 of 1" in await rerate_book.owner.fetchval(why)
    await rerate_book.book(use("c"), version=1, partition=1)
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applied", Decimal(6))
    assert await rerate_book.owner.fetchval(why) == ""


async def test_a_booking_that_began_before_the_price_was_known_is_waited_for(
    rerate_book: RerateBook, database: str
) -> None:
    """Another lane holds its position when the price is published: what it books it does not list as late, so the
    job goes through the book after it has committed. It is older than all that the book had as the job began."""
    await rerate_book.publish(PER_ONE)
    await rerate_book.book(use("a"))
    await rerate_book.book(use("first"), partition=1)
    other = await asyncpg.connect(role_url(database, "ledger", SECRET))
    await prepare(other)
    resume, reached = asyncio.Event(), asyncio.Event()
    booking = asyncio.create_task(
        book_slowly(rerate_book, other, use("b", at=NOON - timedelta(hours=1)), reached, resume)
    )
    await reached.wait()
    right = await rerate_book.publish(withdrawn(PER_ONE), PER_MILLION)
    job = await rerate_book.ask(right, apply=True)
    await rerate_book.work(barrier_s_max=1)
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applying", Decimal(4_000_000))
    why = "SELECT why FROM rerate_jobs"
    assert await rerate_book.owner.fetchval(why) == "for transactions that began before the job was applied"
    resume.set()
    await booking
    await other.close()
    assert await rerate_book.owner.fetchval("SELECT count(*) FROM late_rated") == 0
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applied", Decimal(6))


@pytest.mark.parametrize(
    "bound, seen",
    [({"since": BOOK_MAX}, 0), ({"until": BOOK_MAX}, 1), ({"until": BOOK_MIN}, 0), ({"since": BOOK_MIN}, 1)],
)
async def test_a_time_far_from_all_that_is_booked_ends_a_job(
    rerate_book: RerateBook, bound: dict[str, datetime], seen: int
) -> None:
    right = await wrong_then_right(rerate_book, use("a"))
    job = await rerate_book.rerate(right, **bound)
    assert (await rerate_book.state(job), (await rerate_book.counts(job))["seen"]) == ("applied", seen)


async def test_after_a_topic_was_created_anew_what_is_booked_late_is_rated_again(
    rerate_book: RerateBook,
) -> None:
    """The old log's a and b were booked late, at offsets 1 and 2. A running job waits for offset 9 of it, which nobody
    will ever book. The new log counts from 0: its c and d are late, too, and all four come to 2 each."""
    await rerate_book.publish(PER_ONE)
    await rerate_book.book(use("first"))
    right = await rerate_book.publish(withdrawn(PER_ONE), PER_MILLION)
    await rerate_book.rerate(right)
    await rerate_book.book(use("a"), use("b"), version=1)
    await rerate_book.work()
    rerate_book.accepted = {0: 9}
    job = await rerate_book.rerate(right)
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applying", Decimal(6))
    await create_anew(rerate_book, partition=0)
    await rerate_book.book(use("c"), use("d"), version=1)
    await rerate_book.work()
    assert (await rerate_book.state(job), await rerate_book.money()) == ("applied", Decimal(10))


async def create_anew(world: RerateBook, partition: int) -> None:
    """As docs/stopped-line.md says, statement by statement."""
    page = Path("docs/stopped-line.md").read_text("utf-8")
    [procedure] = [
        block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "closed_accounts" in block
    ]
    await world.owner.execute(procedure.replace(":partition", str(partition)))
    world.positions.pop(partition)
    world.accepted.pop(partition)


async def book_slowly(
    world: RerateBook,
    connection: asyncpg.Connection,
    event: UsageEvent,
    reached: asyncio.Event,
    resume: asyncio.Event,
) -> None:
    """Book on partition 1, and wait before the commit."""
    ledger, world.ledger = world.ledger, connection
    transaction = connection.transaction()
    await transaction.start()
    await world.book(event, partition=1)
    world.ledger = ledger
    reached.set()
    await resume.wait()
    await transaction.commit()


async def test_a_job_that_begins_while_late_events_go_through_older_ones_has_the_last_word(
    rerate_book: RerateBook,
) -> None:
    """1 a million, then 2 that goes before it, then 1 again. A late event of zeta at the first 1 waits for its turn behind eight other
    tenants' jobs for 2, zeta's own job for 2 the last of them; meanwhile its job for the third price passes by, and
    finds nothing to change. It comes to 1 all the same, and the others' to 2."""
    two = price("m", "input_tokens", "2", layer="organisation")
    first = await rerate_book.publish(price("m", "input_tokens", "1"))
    second = await rerate_book.publish(two)
    others = [f"t{number}" for number in range(8)]
    for tenant in (*others, "zeta"):
        await rerate_book.rerate(second, tenant=tenant, id=f"job-{tenant}")
    late = [use(f"late-{tenant}", tenant=tenant) for tenant in (*others, "zeta")]
    await rerate_book.book(*late, version=first)
    assert await rerate_book.step()
    third = await rerate_book.publish(withdrawn(two))
    await rerate_book.ask(third, tenant="zeta", apply=True)
    await rerate_book.work()
    assert await rerate_book.money("zeta") == 1
    assert [await rerate_book.money(tenant) for tenant in others] == [2] * 8
