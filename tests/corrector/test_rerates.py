"""Re-rating jobs on a real Postgres, each role with its own grants; amounts worked out by hand."""

from __future__ import annotations

import asyncio
import contextlib
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.corrector import job_requests, sweep
from services.corrector.fence import Overtaken
from services.corrector.job_work import SQL
from services.corrector.rerating import TOO_LONG
from services.ledger.book import prepare
from spendmeter.contracts.corrections import BOOK_MAX, BOOK_MIN
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.roles import role_url
from tests.corrector.rerate_world import NOON, SECRET, RerateBook, opened, use
from tests.pricing.entries import adjustment, model, price
from tests.pricing.test_causes import fx, withdrawn

PER_ONE = price("m", "input_tokens", "2", per=1)
PER_MILLION = price("m", "input_tokens", "2")


async def test_a_wrong_price_is_undone_by_a_withdrawal_and_one_job_and_both_entries_stay(
    rerate_book: RerateBook,
) -> None:
    """2 per token is 2,000,000 for a million of them, three times; at 2 per million it is 6 in all."""
    await rerate_book.publish(PER_ONE)
    await rerate_book.book(use("a"), use("b", team="search"), use("c"))
    assert await rerate_book.money() == Decimal(6_000_000)
    right = await rerate_book.publish(withdrawn(PER_ONE), PER_MILLION)
    job = await rerate_book.ask(right, publication=right)
    await rerate_book.work()
    assert await rerate_book.state(job) == "previewed"
    assert await rerate_book.differences(job, "preview") == [
        ("payments", "m", "", 2, "4000000", "4"),
        ("payments", "m", "price", 2, "4000000", "4"),
        ("search", "m", "", 1, "2000000", "2"),
        ("search", "m", "price", 1, "2000000", "2"),
    ]
    assert await rerate_book.money() == Decimal(6_000_000)  # a dry run changes nothing
    await rerate_book.apply(job)
    await rerate_book.work()
    assert await rerate_book.state(job) == "applied"
    assert await rerate_book.money() == Decimal(6)
    assert await rerate_book.entries("a") == [(0, 1, "2000000"), (1, 1, "-2000000"), (2, 2, "2")]
    assert await rerate_book.differences(job, "applied") == await rerate_book.differences(job, "preview")
    assert await rerate_book.counts(job) == {"about": 3, "seen": 3, "changed": 3, "left_alone": 0, "elsewhere": 0, "late": 0}  # fmt: skip


async def test_the_same_job_twice_and_another_of_the_same_write_nothing_more(rerate_book: RerateBook) -> None:
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    job = await rerate_book.rerate(right)
    entries = await rerate_book.owner.fetch("SELECT * FROM entries ORDER BY occurred_at, identity, seq")
    assert len(entries) == 6
    assert await rerate_book.rerate(right, id=job) == job  # the request came twice
    again = await rerate_book.rerate(right)
    assert await rerate_book.state(again) == "applied"
    assert (await rerate_book.counts(again))["changed"] == 0
    assert (
        await rerate_book.owner.fetch("SELECT * FROM entries ORDER BY occurred_at, identity, seq") == entries
    )


async def test_the_corrector_counts_its_entries_without_gaps(rerate_book: RerateBook) -> None:
    right = await wrong_then_right(rerate_book, use("a"), use("b"))
    await rerate_book.rerate(right)
    rows = await rerate_book.owner.fetch(
        "SELECT origin_offset FROM entries WHERE origin_partition = -1 ORDER BY 1"
    )
    assert [row[0] for row in rows] == [0, 1, 2, 3]
    assert (await rerate_book.standing()).next_entry == 4


# -- the selection ----------------------------------------------------------------------------------------------------


async def test_a_job_is_of_one_tenant_and_sees_and_changes_nobody_elses(rerate_book: RerateBook) -> None:
    right = await wrong_then_right(rerate_book, use("a"), use("b", tenant="globex"))
    job = await rerate_book.rerate(right)
    assert (await rerate_book.money("acme"), await rerate_book.money("globex")) == (
        Decimal(2),
        Decimal(2_000_000),
    )
    assert (await rerate_book.counts(job))["seen"] == 1
    await rerate_book.apply(job, tenant="globex")
    await rerate_book.cancel(job, tenant="globex")
    assert await rerate_book.state(job) == "applied"


async def test_two_tenants_may_ask_under_one_id_and_each_has_a_job_of_its_own(
    rerate_book: RerateBook,
) -> None:
    """acme's a and b, and globex's c, which costs 3,000,000 tokens more: each at 2 a million."""
    use_c = use("c", tenant="globex", usage={"input_tokens": 4_000_000}, team="search")
    right = await wrong_then_right(rerate_book, use("a"), use("b"), use_c)
    for tenant in ("acme", "globex"):
        assert await rerate_book.ask(right, tenant=tenant, id="mine") == "mine"
    await rerate_book.work()
    assert [await rerate_book.state("mine", tenant) for tenant in ("acme", "globex")] == ["previewed"] * 2
    await rerate_book.apply("mine", tenant="globex")
    await rerate_book.work()
    assert [await rerate_book.state("mine", tenant) for tenant in ("acme", "globex")] == [
        "previewed",
        "applied",
    ]
    assert (await rerate_book.money("acme"), await rerate_book.money("globex")) == (
        Decimal(4_000_000),
        Decimal(8),
    )
    await rerate_book.cancel("mine", tenant="globex")
    await rerate_book.apply("mine")
    await rerate_book.work()
    assert [await rerate_book.state("mine", tenant) for tenant in ("acme", "globex")] == ["applied"] * 2
    assert (await rerate_book.money("acme"), await rerate_book.money("globex")) == (Decimal(4), Decimal(8))
    assert await rerate_book.differences("mine", "applied", "globex") == [
        ("search", "m", "", 1, "8000000", "8"), ("search", "m", "price", 1, "8000000", "8"),
    ]  # fmt: skip


async def test_models_and_times_are_selected_and_the_rest_stays(rerate_book: RerateBook) -> None:
    """m goes from 2 to 3 and n from 4 to 5 a million: of four events, the m at noon alone becomes 3."""
    first = [price("m", "input_tokens", "2"), price("n", "input_tokens", "4")]
    await rerate_book.publish(*first)
    later = NOON + timedelta(minutes=30, seconds=7)
    await rerate_book.book(use("a"), use("b", "n"), use("c", at=later), use("d", "n", at=later))
    new = await rerate_book.publish(
        withdrawn(*first), price("m", "input_tokens", "3"), price("n", "input_tokens", "5")
    )
    job = await rerate_book.rerate(new, skus=("m",), until=later)
    assert await rerate_book.money() == Decimal(13)
    assert await rerate_book.counts(job) == {"about": 1, "seen": 1, "changed": 1, "left_alone": 0, "elsewhere": 0, "late": 0}  # fmt: skip
    await rerate_book.rerate(new, since=later)
    assert await rerate_book.money() == Decimal(3 + 4 + 3 + 5)


async def test_what_waits_for_a_rate_is_priced_by_one_that_is_stated_later(rerate_book: RerateBook) -> None:
    """2 euros at 1.25 are 2.50. The model that nobody prices waits on."""
    await rerate_book.publish(price("m", "input_tokens", "2", currency="EUR"))
    await rerate_book.book(use("a"), use("b", "x", provider="nobody"))
    assert await rerate_book.money() == 0
    stated = await rerate_book.publish(fx("EUR", "1.25"))
    job = await rerate_book.rerate(stated, missing_rate_of="EUR")
    assert await rerate_book.money() == Decimal("2.5")
    assert await rerate_book.differences(job, "applied") == [
        ("payments", "m", "", 1, "0", "2.5"),
        ("payments", "m", "fx", 1, "0", "2.5"),
    ]
    row = await rerate_book.owner.fetchrow("SELECT sum(events), sum(unpriced_events) FROM rollups_minute")
    assert tuple(row) == (2, 1)


async def test_provisional_events_alone_are_selected_by_their_status(rerate_book: RerateBook) -> None:
    """m9.2 is bounded by m9.1 at one and a half times its 4: 6; its own price is 5. m costs 3 now, and stays at 2."""
    await rerate_book.publish(PER_MILLION, price("m9.1", "input_tokens", "4"), model("m9.1"))
    await rerate_book.book(use("a"), use("b", "m9.2"))
    assert await rerate_book.money() == Decimal(8)
    new = await rerate_book.publish(
        withdrawn(PER_MILLION), price("m", "input_tokens", "3"), price("m9.2", "input_tokens", "5")
    )
    await rerate_book.rerate(new, statuses=("provisional", "unpriced"))
    assert await rerate_book.money() == Decimal(7)
    row = await rerate_book.owner.fetchrow("SELECT sum(of_which_provisional) FROM rollups_minute")
    assert row[0] == 0


async def test_a_publication_changes_its_own_and_counts_what_else_would_have_moved(
    rerate_book: RerateBook,
) -> None:
    """m goes to 3 with the second version, n to 6 with the third: the job for the third leaves m at 2."""
    other = price("n", "input_tokens", "5")
    await rerate_book.publish(PER_MILLION, other)
    await rerate_book.book(use("a"), use("b", "n"))
    await rerate_book.publish(withdrawn(PER_MILLION), price("m", "input_tokens", "3"))
    third = await rerate_book.publish(withdrawn(other), price("n", "input_tokens", "6"))
    job = await rerate_book.rerate(third, publication=third)
    assert await rerate_book.money() == Decimal(8)
    counts = await rerate_book.counts(job)
    assert (counts["changed"], counts["elsewhere"]) == (1, 1)


async def test_an_amount_with_more_digits_than_money_holds_keeps_its_entry_and_is_listed(
    rerate_book: RerateBook,
) -> None:
    digits = "123456789012345678.123456789012345679"
    factors = [adjustment(f"f{number}", "1.123456789012345679") for number in range(3)]
    await rerate_book.publish(PER_MILLION, price("n", "input_tokens", "1"))
    await rerate_book.book(use("a"), use("b", "n"))
    new = await rerate_book.publish(
        withdrawn(PER_MILLION), price("m", "input_tokens", digits, per=1), *factors
    )
    job = await rerate_book.rerate(new)
    assert await rerate_book.entries("a") == [(0, 1, "2")]
    row = await rerate_book.owner.fetchrow("SELECT phase, source, event_id, reason FROM rerate_left WHERE rerate_id = $1 AND phase = 'applied'", job)  # fmt: skip
    assert tuple(row) == ("applied", "bot", "a", TOO_LONG)
    assert (await rerate_book.counts(job))["left_alone"] == 1


async def test_a_version_that_nobody_published_is_refused_and_says_so(rerate_book: RerateBook) -> None:
    await rerate_book.publish(PER_MILLION)
    for said in ({"version": 2}, {"version": 1, "publication": 2}):
        job = await rerate_book.rerate(**said)
        row = await rerate_book.owner.fetchrow("SELECT state, why FROM rerate_jobs WHERE rerate_id = $1", job)
        assert tuple(row) == ("refused", "the catalog has no version 2")


# -- while prices change and events arrive ----------------------------------------------------------------------------


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


# -- many jobs ----------------------------------------------------------------------------------------------------


async def test_a_tenant_has_so_many_jobs_under_way_and_a_further_one_is_refused(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_requests, "UNDER_WAY_MAX", 2)
    right = await wrong_then_right(rerate_book, use("a"))
    jobs = [await rerate_book.ask(right) for _ in range(3)]
    others = await rerate_book.ask(right, tenant="globex")
    assert [await rerate_book.state(job) for job in (*jobs, others)] == [
        "previewing", "previewing", "refused", "previewing",
    ]  # fmt: skip
    await rerate_book.ask(right, id=jobs[0])  # the request came twice
    await rerate_book.work()
    assert await rerate_book.state(jobs[0]) == "previewed"
    assert await rerate_book.state(await rerate_book.ask(right)) == "previewing"


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
    await rerate_book.ask(right, apply=True)
    noting = Noting(rerate_book.corrector)
    for _ in range(20):
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


# -- helpers ----------------------------------------------------------------------------------------------------------


async def wrong_then_right(world: RerateBook, *events: UsageEvent) -> int:
    """Events booked at 2 a token; the version by which it is 2 a million."""
    await world.publish(PER_ONE)
    await world.book(*events)
    return await world.publish(withdrawn(PER_ONE), PER_MILLION)


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
