"""An interrupted call is told again: the conflict stays where it is, and amends what is booked, once. Real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from services.corrector.apply import Applier
from services.corrector.fence import Overtaken, read_standing
from services.corrector.write import prepare
from spendmeter.contracts.events import Labels, UsageEvent
from spendmeter.contracts.gate import HOW_IT_CAME_FROM
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.roles import role_url
from tests.corrector.test_worker import System
from tests.corrector.written_book import SECRET, Book, correction, log_ends
from tests.corrector.written_book import event as first_event
from tests.ledger_records import TOPIC
from tests.waiting import until

RECEIVED = HOW_IT_CAME_FROM + timedelta(hours=1)
ESTIMATE = Decimal("0.04346")
"""1,000 input at 2.5 and a maximum of 4,096 output tokens at 10 a million: 0.0025 + 0.04096."""
FULL = Decimal("0.0037")
"""120 output tokens it were: 0.0025 + 0.0012."""
LARGER = Decimal("0.0095")
"""700: 0.0025 + 0.007."""


def event(id: str = "e1", **said: Any) -> UsageEvent:
    """0.0035 USD, received when events could say what of them is estimated."""
    return replace(first_event(id, **said), receivedat=RECEIVED)


def estimate(id: str = "e1", **said: Any) -> UsageEvent:
    usage = {"input_tokens": 1000, "output_tokens": 4096}
    return event(id, usage=usage, estimated=("output_tokens",), **said)


def full(id: str = "e1", output: int = 120, **said: Any) -> UsageEvent:
    return event(id, usage={"input_tokens": 1000, "output_tokens": output}, **said)


async def raise_all(book: Book) -> dict[str, int]:
    """As the corrector does at its looks, until it has looked at everything."""
    found: dict[str, int] = {}
    while True:
        done = await book.applier.raise_booked(book.corrector, await read_standing(book.corrector, TOPIC))
        for outcome, count in done.outcomes.items():
            found[outcome] = found.get(outcome, 0) + count
        if not done.more:
            return found


async def waiting(book: Book) -> int:
    return int(await book.owner.fetchval("SELECT count(*) FROM later_messages"))


async def accounts(book: Book) -> tuple[int, ...]:
    """Offsets passed, booked, duplicate, conflict; then corrections accepted, and those that there are."""
    row = await book.owner.fetchrow("SELECT next_origin, booked, duplicate, conflict FROM positions")
    accepted = await book.owner.fetchval("SELECT coalesce(max(accepted), 0) FROM corrector")
    return (*row, accepted, await book.owner.fetchval("SELECT count(*) FROM corrections"))


async def test_what_was_booked_as_an_estimate_becomes_what_the_full_message_says(book: Book) -> None:
    await book.book_events(estimate(), event("e2"))
    assert (await book.spent())["minute"] == [(2, 0, ESTIMATE + Decimal("0.0035"), ESTIMATE)]
    await book.book_events(full())
    assert await raise_all(book) == {"applied": 1}
    assert await book.amounts() == [(0, ESTIMATE), (1, -ESTIMATE), (2, FULL)]
    assert (await book.spent())["minute"] == [(2, 0, FULL + Decimal("0.0035"), Decimal(0))]
    assert await book.quantities() == {"input_tokens": 2000, "output_tokens": 220}
    status = await book.owner.fetchval("SELECT status FROM entries_in_force WHERE effective = $1", FULL)
    assert status == "priced", "the mark is gone"
    assert await accounts(book) == (3, 2, 0, 1, 1, 1), "the conflict is one for ever"
    row = await book.owner.fetchrow(
        "SELECT c.correction_id = raise_id(origin_topic, origin_partition, origin_offset), was_raised(u), c.revision, "
        "c.author, c.state FROM corrections c, unbooked u"
    )
    assert tuple(row) == (True, True, -1, "key k7f3a00000000", "applied")


async def test_more_of_what_was_counted_is_an_amend_in_one_batch_too(book: Book) -> None:
    await book.book_events(event(), full(output=700))
    assert await raise_all(book) == {"applied": 1}
    assert (await book.amounts())[-1] == (2, LARGER)


async def test_once(book: Book) -> None:
    """The second message amends; the third says still more, and stays a conflict; the second again is a duplicate."""
    await book.book_events(estimate(), full(output=120), full(output=700))
    assert await raise_all(book) == {"applied": 1}
    await book.book_events(full(output=120), full(output=900))
    assert await waiting(book) == 1
    assert await raise_all(book) == {}
    assert await waiting(book) == 0
    assert (await book.amounts())[-1] == (2, FULL)
    assert await accounts(book) == (5, 1, 1, 3, 1, 1)


async def test_an_estimate_after_the_full_message_another_key_and_a_day_later_change_nothing(
    book: Book,
) -> None:
    await book.book_events(full("a", 120), estimate("a"))
    await book.book_events(event("b"), replace(full("b", 700), keyid="another"))
    await book.book_events(event("c"), replace(full("c", 700), receivedat=RECEIVED + timedelta(hours=25)))
    await book.book_events(event("d"), full("d", 700, labels=Labels(team="ads")))
    assert await waiting(book) == 4
    assert await raise_all(book) == {}
    assert await waiting(book) == 0
    assert await book.owner.fetchval("SELECT count(*) FROM entries") == 4
    assert await accounts(book) == (8, 4, 0, 4, 0, 0)


async def test_a_retracted_event_stays_retracted_whichever_comes_first(book: Book) -> None:
    await book.book_events(estimate("a"), estimate("b"), estimate("c"))
    await book.correct(correction("a"))
    await book.book_events(full("a"), full("b"), full("c"))
    await book.correct(correction("b"))
    assert await raise_all(book) == {"applied": 1}
    await book.correct(correction("c"))
    assert [await book.amounts(each) for each in "ab"] == [[(0, ESTIMATE), (1, -ESTIMATE)]] * 2
    assert (await book.amounts("c"))[-1] == (3, -FULL)
    assert (await book.spent())["minute"] == [(0, 0, Decimal(0), Decimal(0))]
    raised = await book.owner.fetch("SELECT event_id, was_raised(u) FROM unbooked u ORDER BY event_id")
    assert list(map(tuple, raised)) == [("a", False), ("b", False), ("c", False)], "nothing of it counts"


ORDERS = list(permutations(["told again", "amended", "amended later"]))


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
async def test_a_persons_amend_is_laid_on_what_the_message_said_whichever_comes_first(
    book: Book, order: tuple[str, ...]
) -> None:
    """A person says 400 input tokens of mini, and later 600 of mini, which holds: at 0.15 and 0.6 a million. With
    the 120 output tokens of the message: 0.00009 + 0.000072."""
    patches = {
        "amended": ('{"sku": "gpt-4o-mini", "usage": {"input_tokens": 400}}', 0),
        "amended later": ('{"sku": "gpt-4o-mini", "usage": {"input_tokens": 600}}', 1),
    }
    await book.book_events(estimate())
    for what in order:
        if what == "told again":
            await book.book_events(full())
            assert await raise_all(book) == {"applied": 1}
        else:
            patch, revision = patches[what]
            await book.correct(correction(patch=patch, revision=revision))
    assert (await book.amounts())[-1][1] == Decimal("0.000162")
    assert (await book.spent())["minute"][-1] == (1, 0, Decimal("0.000162"), Decimal(0))
    row = await book.owner.fetchrow("SELECT revision, amend_id FROM corrected_identities")
    assert tuple(row) == (1, "amend-e1-1")
    await book.book_events(full())
    assert (await accounts(book))[3] == 2, "it says something else than the person does"


async def test_what_a_person_has_said_of_the_quantities_holds_whichever_comes_first(book: Book) -> None:
    """500 output tokens: 0.0025 + 0.005. The message changes nothing by itself, and its mark goes."""
    said = '{"usage": {"output_tokens": 500}, "estimated": null}'
    await book.book_events(estimate("before"), estimate("after"))
    await book.correct(correction("before", patch=said))
    await book.book_events(full("before"), full("after"))
    assert await raise_all(book) == {"duplicate": 1, "applied": 1}
    await book.correct(correction("after", patch=said))
    for each in ("before", "after"):
        assert (await book.amounts(each))[-1][1] == Decimal("0.0075")
    less = '{"usage": {"input_tokens": 400}}'  # 0.001 + 0.0012
    await book.correct(*(correction(each, patch=less, revision=1) for each in ("before", "after")))
    for each in ("before", "after"):
        assert (await book.amounts(each))[-1][1] == Decimal("0.0022")


async def test_looking_again_at_what_was_looked_at_changes_nothing(book: Book) -> None:
    """As after a database that was restored to before the look: the same rows, the same ids."""
    await book.book_events(estimate(), full())
    rows = await book.owner.fetch("SELECT * FROM later_messages")
    await raise_all(book)
    before = await accounts(book), await book.amounts(), await book.spent()
    await book.owner.copy_records_to_table("later_messages", records=[tuple(row) for row in rows])
    assert await raise_all(book) == {}
    assert (await accounts(book), await book.amounts(), await book.spent()) == before


async def test_of_two_correctors_one_amends_and_the_other_is_told(book: Book, database: str) -> None:
    await book.book_events(estimate(), full())
    other = await asyncpg.connect(role_url(database, "corrector", SECRET))
    await prepare(other)
    standing = await read_standing(book.corrector, TOPIC)
    done = await asyncio.gather(
        book.applier.raise_booked(book.corrector, standing),
        Applier(log_ends=log_ends).raise_booked(other, standing),
        return_exceptions=True,
    )
    await other.close()
    assert sum(isinstance(each, Overtaken) for each in done) == 1
    assert await book.amounts() == [(0, ESTIMATE), (1, -ESTIMATE), (2, FULL)]


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


async def test_the_process_amends_each_once_however_often_it_is_killed(book: Book, system: System) -> None:
    """1,500 estimates and their messages: 1,500 x 0.0037 = 5.55."""
    count = 1_500
    await book.book_events(*(estimate(f"e{n}") for n in range(count)))
    await book.book_events(*(full(f"e{n}") for n in range(count)))
    for kills in range(3):
        process = await system.corrector()
        await until(partial(is_below, book, count - kills * 400), "conflicts to be looked at", within_s=60)
        process.kill()
        await process.wait()
    await system.corrector()
    await until(lambda: is_below(book, 1), "all conflicts to be looked at", within_s=60)
    assert (await book.spent())["minute"] == [(count, 0, count * FULL, Decimal(0))]
    assert await book.owner.fetchval("SELECT count(*) FROM entries") == 3 * count
    assert await book.outcomes() == dict.fromkeys(await book.outcomes(), "applied")
    assert len(await book.outcomes()) == count


async def is_below(book: Book, count: int) -> bool:
    return await waiting(book) < count
