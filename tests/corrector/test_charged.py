"""Rows of bills in a real book: booked, corrected and priced anew, with their sign."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.charges import charge
from tests.corrector.written_book import Book, correction

pytestmark = pytest.mark.usefixtures("book")


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
