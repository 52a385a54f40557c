"""What the ledger says of copies of an event that was corrected."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from tests.corrector.written_book import ASKED, Book, correction, event

AMENDED = event(usage={"input_tokens": 400, "output_tokens": 100})
OTHER = event(usage={"input_tokens": 7})


async def copies(book: Book) -> list[tuple[str, str]]:
    rows = await book.owner.fetch("SELECT outcome, reason FROM unbooked ORDER BY origin_offset")
    return [tuple(row) for row in rows]


async def test_a_copy_of_the_event_as_first_booked_or_as_amended_is_a_duplicate(book: Book) -> None:
    await book.book_events(event())
    await book.book_events(AMENDED)
    await book.correct(correction(patch='{"usage": {"input_tokens": 400}}'))
    await book.book_events(event(), AMENDED, OTHER)
    assert [outcome for outcome, _ in await copies(book)] == [
        "conflict",
        "duplicate",
        "duplicate",
        "conflict",
    ]
    assert len(await book.amounts()) == 3


async def test_a_retracted_event_stays_claimed_and_its_copies_say_how_to_send_it_anew(book: Book) -> None:
    await book.book_events(event())
    await book.correct(correction())
    await book.book_events(event(), OTHER)
    why = "the event of this tenant, source and id was retracted on 2026-11-25; send a new event id with `supersedes`"
    differs = "; this one differs in data.usage.input_tokens, data.usage.output_tokens"
    assert await copies(book) == [("duplicate", why), ("conflict", why + differs)]
    assert len(await book.amounts()) == 2
    await book.book_events(replace(event("e1-again"), supersedes="e1"))
    assert len(await book.amounts("e1-again")) == 1


async def test_a_copy_that_came_in_after_the_retraction_is_a_conflict_and_a_retry_of_before_is_not(
    book: Book,
) -> None:
    await book.book_events(event())
    await book.correct(correction())
    before, after = [replace(event(), receivedat=ASKED + timedelta(seconds=seconds)) for seconds in (-1, 1)]
    await book.book_events(before, after)
    why = "the event of this tenant, source and id was retracted on 2026-11-25; send a new event id with `supersedes`"
    assert await copies(book) == [("duplicate", why), ("conflict", why)]
