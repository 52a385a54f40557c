"""Rows of bills in a real book: booked, corrected and priced anew, with their sign."""

from __future__ import annotations

from decimal import Decimal

from tests.charges import charge
from tests.corrector.rerate_world import RerateBook
from tests.corrector.test_rerates import fx
from tests.corrector.written_book import Book, correction
from tests.pricing.entries import price


async def test_a_credit_is_booked_and_lowers_every_sum(book: Book) -> None:
    await book.book_events(charge("3", "c1"), charge("-1.25", "c2", contracted="-1", effective="-0.5"))
    assert await book.amounts("c2") == [(0, Decimal("-0.5"))]
    row = await book.owner.fetchrow(
        "SELECT sum(events), sum(list), sum(contracted), sum(effective) FROM rollups_minute"
    )
    # 3 - 1.25, 3 - 1, 3 - 0.5
    assert tuple(row) == (2, Decimal("1.75"), Decimal("2"), Decimal("2.5"))
    assert await book.owner.fetchval("SELECT sum(reported) FROM accounting") == 2


async def test_a_restated_charge_changes_the_book_by_the_difference_and_its_sign_may_turn(book: Book) -> None:
    await book.book_events(charge("-1.25"))
    await book.correct(
        correction("c1", patch='{"charge": {"list": "2", "contracted": "2", "effective": "2"}}')
    )
    assert await book.amounts("c1") == [(0, Decimal("-1.25")), (1, Decimal("1.25")), (2, Decimal("2"))]
    assert (await book.spent())["minute"] == [(1, 0, Decimal("2"), 0)]
    assert (await book.spent())["day"] == [(0, 0, Decimal("3.25"), 0)]


async def test_a_charge_that_is_retracted_leaves_nothing(book: Book) -> None:
    await book.book_events(charge("-1.25"))
    await book.correct(correction("c1"))
    assert await book.amounts("c1") == [(0, Decimal("-1.25")), (1, Decimal("1.25"))]
    assert (await book.spent())["minute"] == [(0, 0, Decimal("0"), 0)]


async def test_an_amend_makes_no_usage_of_a_charge(book: Book) -> None:
    await book.book_events(charge("-1.25"))
    await book.correct(correction("c1", patch='{"usage": {"requests": 3}}'))
    row = await book.owner.fetchrow("SELECT state, why FROM corrections")
    assert tuple(row)[0] == "refused" and "data.usage" in row["why"]


async def test_the_same_charge_again_is_a_duplicate_and_another_amount_a_conflict(book: Book) -> None:
    await book.book_events(charge("-1.25"), charge("-1.250"), charge("-1.3"))
    rows = await book.owner.fetch("SELECT outcome FROM unbooked ORDER BY origin_offset")
    assert [row["outcome"] for row in rows] == ["duplicate", "conflict"]


async def test_a_charge_in_a_foreign_currency_waits_for_its_rate_and_is_then_priced_anew(
    rerate_book: RerateBook,
) -> None:
    await rerate_book.publish(price("Amazon DynamoDB", "requests", "9", provider="aws"))
    await rerate_book.book(charge("-10", contracted="-8", effective="0.5", currency="EUR"))
    row = await rerate_book.owner.fetchrow("SELECT status, list, effective FROM entries")
    assert tuple(row) == ("unpriced", 0, 0)
    stated = await rerate_book.publish(fx("EUR", "1.25"))
    await rerate_book.rerate(stated, missing_rate_of="EUR")
    row = await rerate_book.owner.fetchrow("SELECT status, list, contracted, effective FROM entries_in_force")
    # -10, -8 and 0.5 euros at 1.25
    assert tuple(row) == ("reported", Decimal("-12.5"), Decimal("-10"), Decimal("0.625"))
    assert await rerate_book.money() == Decimal("0.625")
    await rerate_book.rerate(await rerate_book.publish(price("x", "requests", "1")))
    assert await rerate_book.owner.fetchval("SELECT count(*) FROM entries") == 3, (
        "no price is asked of a bill"
    )
