"""Re-rating jobs on a real Postgres, each role with its own grants: what a job selects and changes. Amounts worked out
by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from services.corrector.rerating import TOO_LONG
from tests.corrector.rerate_world import NOON, PER_MILLION, PER_ONE, RerateBook, use, wrong_then_right
from tests.dropped import drop_minutes
from tests.pricing.entries import adjustment, model, price
from tests.pricing.test_causes import fx, withdrawn


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


async def test_events_whose_minutes_are_dropped_are_priced_anew_like_others(rerate_book: RerateBook) -> None:
    """a, b and c are of a day that is gone, d is of one that is there: each goes from 2,000,000 to 2. Of the first
    hour the second minute on is selected, which is b's; then all."""
    yesterday = NOON - timedelta(days=1)
    right = await wrong_then_right(
        rerate_book,
        use("a", at=yesterday),
        use("b", at=yesterday + timedelta(minutes=7)),
        use("c", at=yesterday + timedelta(hours=3)),
        use("d"),
    )
    await drop_minutes(rerate_book.owner, NOON.replace(hour=0, minute=0, second=0, microsecond=0))
    job = await rerate_book.rerate(right, since=yesterday + timedelta(minutes=1))
    spent = "SELECT sum(effective) FROM rollups WHERE size = 'hour' AND bucket < $1"
    assert await rerate_book.owner.fetchval(spent, NOON) == Decimal(2_000_000 + 2 + 2)
    assert (await rerate_book.counts(job))["changed"] == 3
    await rerate_book.rerate(right)
    assert await rerate_book.owner.fetchval(spent, NOON) == Decimal(6)


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
