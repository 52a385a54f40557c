"""What is asked of the book after corrections: the inbox, what a price would concern, money under remarks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from spendmeter.contracts.events import Context
from tests.corrector.written_book import Book, correction, event
from tests.dropped import drop_minutes
from tests.pricing.entries import price


async def rows(book: Book, question: str, *said: Any) -> list[tuple[Any, ...]]:
    """As an operator who chose no tenant."""
    async with book.owner.transaction():
        await book.owner.execute("SELECT set_config('app.tenant', '*', true)")
        return [tuple(row) for row in await book.owner.fetch(question, *said)]


UNKNOWN = "SELECT sku, events, unpriced_events, cardinality(samples) FROM catalog_unknown('2026-01-01') ORDER BY sku"


async def test_what_is_corrected_leaves_the_inbox_and_what_is_not_stays(book: Book) -> None:
    await book.book_events(
        event("e1", usage={"made_up": 5}),
        event("e2", usage={"made_up": 7}),
        event("e3", usage={"made_up": 9}),
    )
    assert await rows(book, UNKNOWN) == [("gpt-4o", 3, 3, 3)]
    await book.correct(
        correction("e1"), correction("e2", patch='{"usage": {"made_up": null, "input_tokens": 8}}')
    )
    # the retracted one is gone, and the amended one is in the same minute and has a price
    assert await rows(book, UNKNOWN) == [("gpt-4o", 2, 1, 1)]
    await book.correct(correction("e3"))
    assert await rows(book, UNKNOWN) == []


async def test_what_has_no_price_stays_in_the_inbox_when_its_minutes_are_dropped(book: Book) -> None:
    """Then its hour says so, and what is corrected leaves it as before."""
    await book.book_events(event("e1", usage={"made_up": 5}), event("e2", usage={"made_up": 7}))
    await drop_minutes(book.owner, datetime(2027, 1, 1, tzinfo=UTC))
    assert await rows(book, UNKNOWN) == [("gpt-4o", 2, 2, 2)]
    await book.correct(correction("e1"))
    assert await rows(book, UNKNOWN) == [("gpt-4o", 1, 1, 1)]
    await book.correct(correction("e2"))
    assert await rows(book, UNKNOWN) == []


async def test_a_new_price_concerns_what_events_say_now(book: Book) -> None:
    await book.book_events(event("e1"), event("e2"))
    await book.correct(correction("e1"), correction("e2", patch='{"usage": {"input_tokens": 8}}'))
    series = [row["series_id"] for row in await book.owner.fetch("SELECT series_id FROM series")]
    found = await rows(book, "SELECT event FROM catalog_events($1, '2026-01-01', '2027-01-01', 9)", series)
    assert len(found) == 1
    assert '"input_tokens":8' in found[0][0]
    count = "SELECT catalog_events_count(ARRAY['acme'], $1, '2026-01-01')"
    assert await rows(book, count, series) == [(1,)]


async def test_remarks_of_retracted_events_are_not_listed(book: Book) -> None:
    await book.publish(price("gpt-4o", "searches", "1"))
    await book.book_events(
        event("e1", context=Context(service_tier="fast")), event("e2", context=Context(service_tier="flex"))
    )
    await book.correct(correction("e1"))
    assert await rows(book, "SELECT value, events, cardinality(samples) FROM remarks_seen(9)") == [
        ("flex", 1, 1)
    ]
