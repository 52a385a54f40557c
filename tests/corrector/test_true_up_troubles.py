"""True-ups where something goes wrong: a tenant without a readable book, and much that takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.corrector.fence import read_standing
from services.corrector.price_books import VersionBooks
from services.corrector.true_ups import keeper
from services.corrector.true_ups.due import Reckoning
from services.corrector.true_ups.keeper import TrueUpKeeper
from spendmeter.contracts.catalog import Step, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.roles import role_url
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from tests.corrector.true_up_world import NOW, STARTED, TrueUpBook, at, opened, term
from tests.corrector.written_book import Book
from tests.databases import SECRET
from tests.ledger_records import TOPIC
from tests.pricing.entries import price, terms

MILLION = 1_000_000
FOR_ALL = term("allowance", quantity=str(MILLION), tenant="", layer="public")
STEPS = term(
    "graduated", steps=(Step(over="0", price="2.5"), Step(over=str(MILLION), price="1")), per=MILLION
)


@pytest.fixture
async def world(book: Book, database: str) -> AsyncIterator[TrueUpBook]:
    async with opened(book, database) as made:
        yield made
        assert await made.faults() == []


class _WithoutAcme(VersionBooks):
    """What acme has agreed makes no book."""

    async def at(self, connection: Any, tenant: str, version: int) -> PriceBook:
        if tenant == "acme":
            raise CatalogError("nothing can be read of this")
        return await super().at(connection, tenant, version)


async def test_who_has_no_readable_book_keeps_nobody_else_waiting(world: TrueUpBook) -> None:
    await world.book.publish(FOR_ALL)
    await world.use(4 * MILLION, at(20))
    await world.use(4 * MILLION, at(20), tenant="globex")
    world.keeper.books = _WithoutAcme()
    async with asyncio.timeout(20):
        assert await world.reckon() == 1
    assert (await world.spent())[2] == 10
    assert (await world.spent("globex"))[2] == Decimal("7.5")
    world.keeper.books = VersionBooks()
    await world.book.publish(terms("globex"))  # the next version, which can be read
    assert await world.reckon() == 1
    assert (await world.spent())[2] == Decimal("7.5")


class _Unasked(VersionBooks):
    """Nobody reads the catalog."""

    async def at(self, connection: Any, tenant: str, version: int) -> PriceBook:
        raise AssertionError("the book of prices is read")


async def test_a_version_that_changes_none_of_its_terms_makes_nobody_add_up_a_year_again(
    world: TrueUpBook,
) -> None:
    await world.book.publish(FOR_ALL)
    await world.use(4 * MILLION, at(20))
    await world.reckon()
    world.keeper.books = _Unasked()
    await world.book.publish(price("m-4", "input_tokens", "1"), terms("globex"))
    rows = "SELECT catalog_version FROM true_up_marks WHERE tenant = 'acme'"
    with pytest.raises(AssertionError):  # for globex, whose terms these are
        await world.reckon()
    assert await world.book.owner.fetchval(rows) == 2
    world.keeper.books = VersionBooks()
    await world.reckon()
    assert await world.true_ups() == [Decimal("-2.5")]
    await world.book.publish(
        identified(Withdrawal(entries=(FOR_ALL.id,), tenant="", source="test", recorded_at=STARTED))
    )
    await world.reckon()
    assert await world.true_ups() == [Decimal("-2.5"), Decimal("2.5")]


class _Dying:
    """A connection whose process is killed at the statement after so many."""

    def __init__(self, connection: asyncpg.Connection, statements: int) -> None:
        self._connection, self._left = connection, statements

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"):
            return found

        async def asked(*arguments: Any, **options: Any) -> Any:
            if not self._left:
                self._connection.terminate()
                raise ConnectionResetError
            self._left -= 1
            return await found(*arguments, **options)

        return asked


async def test_who_is_killed_at_any_statement_has_booked_nothing_and_the_next_one_books_it_once(
    world: TrueUpBook, database: str
) -> None:
    await world.book.publish(STEPS)
    await world.use(2 * MILLION, at(20))
    await world.reckon()
    await world.use(MILLION, at(19))  # late: a revision of the same period is due
    await world.projector.catch_up()
    killed = 0
    while True:
        connection = await asyncpg.connect(role_url(database, "corrector", SECRET))
        try:
            standing = await read_standing(connection, TOPIC)
            await TrueUpKeeper(rests=0).look(_Dying(connection, killed), standing, NOW)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            assert await world.true_ups() == [Decimal("-1.5")], killed  # 2.5 + 1 due, 5 booked
            killed += 1
        else:
            break
        finally:
            connection.terminate()
    assert killed > 15
    assert await world.true_ups() == [Decimal("-1.5"), Decimal("-1.5")]
    assert await world.reckon() == 0


async def test_to_add_up_years_may_take_longer_than_a_frozen_process_is_waited_for(
    world: TrueUpBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    reckoned, written = Reckoning.standings, keeper.write
    while_writing: list[str] = []

    def slowly(*asked: Any) -> Any:
        time.sleep(0.6)
        return reckoned(*asked)

    async def noting(connection: Any, *asked: Any) -> None:
        while_writing.append(await connection.fetchval("SHOW idle_in_transaction_session_timeout"))
        await written(connection, *asked)

    monkeypatch.setattr(Reckoning, "standings", slowly)
    monkeypatch.setattr(keeper, "write", noting)
    await world.book.corrector.execute("SET idle_in_transaction_session_timeout = '200ms'")
    await world.book.publish(FOR_ALL)
    await world.use(4 * MILLION, at(20))
    assert await world.reckon() == 1
    assert set(while_writing) == {"200ms"}  # whoever is frozen then has a row that others wait for


async def test_nobody_looks_for_bursts_and_levels_in_what_periods_change(world: TrueUpBook) -> None:
    await world.book.publish(FOR_ALL)
    await world.use(4 * MILLION, at(20))
    await world.reckon()
    found = await world.book.owner.fetch(
        "SELECT sku FROM series WHERE tenant = 'acme' AND series_id = ANY (accrual_series('acme'))"
    )
    assert [row["sku"] for row in found] == ["true-up"]


async def test_who_is_late_all_day_rests_and_others_have_their_turn(world: TrueUpBook) -> None:
    ticks = iter(range(1_000))  # a look takes a second: it asks the time when it begins and when it ends
    world.keeper = TrueUpKeeper(rests=10, clock=lambda: float(next(ticks)))
    await world.book.publish(FOR_ALL)
    await world.use(4 * MILLION, at(20))
    assert await world.reckon() == 1  # acme rests from 1 to 11, globex from 3 to 13
    await world.use(MILLION, at(20))
    await world.reckon()  # at 5
    counted = "SELECT quantity FROM true_up_periods WHERE tenant = 'acme'"
    assert await world.book.owner.fetchval(counted) == 4 * MILLION
    while next(ticks) < 12:
        pass
    await world.reckon()
    assert await world.book.owner.fetchval(counted) == 5 * MILLION
