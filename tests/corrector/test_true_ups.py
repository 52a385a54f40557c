"""True-ups in the book: what whole periods change, by hand, whatever comes late and whoever is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.corrector.fence import Overtaken, read_standing
from spendmeter.contracts.catalog import Conditions, FxRate, Step, Withdrawal
from spendmeter.contracts.entry_ids import identified
from tests.charges import charge
from tests.corrector.true_up_world import NOW, STARTED, TrueUpBook, at, opened, term
from tests.corrector.written_book import Book, correction
from tests.ledger_records import TOPIC
from tests.pricing.entries import terms

MILLION = 1_000_000
ALLOWANCE = term("allowance", quantity=str(MILLION))
GRADUATED = term("graduated", steps=(Step(price="2.5"), Step(over=str(MILLION), price="1")), per=MILLION)
COMMITMENT = term("commitment", quantity=str(10 * MILLION), amount="20")
MONEY = term("spend_commitment", quantity="100", amount="90", units=())


@pytest.fixture
async def world(book: Book, database: str) -> AsyncIterator[TrueUpBook]:
    async with opened(book, database) as made:
        yield made
        assert await made.faults() == []  # verify's second reckoning, whatever a test did


async def test_an_allowance_is_booked_as_an_entry_of_no_event(world: TrueUpBook) -> None:
    await world.book.publish(ALLOWANCE)
    await world.use(600_000, at(20))
    await world.use(900_000, at(21))
    assert await world.reckon() == 1
    # 1.5 million for 3.75: half a million beyond what is free stays, 1.25
    assert await world.true_ups() == [Decimal("-2.5")]
    assert await world.spent() == (2, Decimal("3.75"), Decimal("1.25"))
    as_of = "SELECT sum(events), sum(list), sum(effective), sum(corrected), sum(input_tokens) FROM entry_sums"
    found = tuple(await world.book.owner.fetchrow(as_of))
    assert found == (2, Decimal("3.75"), Decimal("1.25"), Decimal("-2.5"), 1_500_000)
    in_cells = "SELECT sum(events) FILTER (WHERE unit = ''), sum(effective) FROM cells"
    assert tuple(await world.book.owner.fetchrow(in_cells)) == (2, Decimal("1.25"))
    assert await world.book.owner.fetchval("SELECT sum(calls) FROM quality_hours") == 2
    entry = await world.book.owner.fetchrow("SELECT * FROM entries WHERE seq = -2")
    assert (entry["occurred_at"], entry["status"], entry["list"]) == (
        at(24, 23).replace(minute=59),
        "priced",
        0,
    )
    assert entry["origin_partition"] == -1
    said = await world.period(ALLOWANCE)
    assert (said["booked"], said["due"], said["trued_up"]) == (
        Decimal("3.75"),
        Decimal("1.25"),
        Decimal("-2.5"),
    )
    assert (said["used"], said["ended"], said["covered_to"]) == (None, False, date(2026, 11, 25))


async def test_what_comes_late_makes_a_revision_and_the_old_one_stays(world: TrueUpBook) -> None:
    await world.book.publish(GRADUATED)
    await world.use(2 * MILLION, at(20))
    await world.reckon()
    assert await world.true_ups() == [Decimal("-1.5")]  # 2.5 + 1 due, 5 booked
    assert await world.reckon() == 0
    name = await world.use(MILLION, at(19))
    await world.reckon()
    assert await world.true_ups() == [Decimal("-1.5"), Decimal("-1.5")]
    await world.book.correct(correction(name))
    await world.reckon()
    assert await world.true_ups() == [Decimal("-1.5"), Decimal("-1.5"), Decimal("1.5")]
    assert (await world.spent())[1:] == (Decimal(5), Decimal("3.5"))
    assert await world.reckon() == 0


async def test_a_commitment_costs_what_is_used_of_it_and_the_rest_when_its_period_ends(
    world: TrueUpBook,
) -> None:
    await world.book.publish(COMMITMENT)
    await world.use(4 * MILLION, at(20))
    await world.reckon()
    # 4 of 10 million, for 20: 8, of which 10 are booked; 12 are not used yet
    said = await world.period(COMMITMENT)
    assert (said["used"], said["unused"], said["due"]) == (8, 12, 8)
    assert await world.true_ups() == [Decimal(-2)]
    await world.reckon(at(1, month=12))
    said = await world.period(COMMITMENT)
    assert (said["used"], said["unused"], said["due"], said["ended"]) == (8, 12, 20, True)
    assert await world.true_ups() == [Decimal(-2), Decimal(12)]
    assert (await world.spent())[2] == 20


async def test_what_is_used_beyond_a_commitment_costs_what_it_was_booked_at(world: TrueUpBook) -> None:
    await world.book.publish(COMMITMENT)
    await world.use(12 * MILLION, at(20))
    await world.reckon(at(1, month=12))
    said = await world.period(COMMITMENT)
    assert (said["used"], said["unused"], said["due"]) == (20, 0, 25)  # 20 + 2 of 12 million of 30
    assert await world.true_ups() == [Decimal(-5)]


async def test_committed_money_is_paid_whether_it_is_spent_or_not(world: TrueUpBook) -> None:
    await world.book.publish(MONEY)
    await world.use(20 * MILLION, at(20))  # 50 of 100, for 90: 45
    await world.reckon()
    said = await world.period(MONEY)
    assert (said["used"], said["unused"], said["due"]) == (45, 45, 45)
    assert await world.true_ups() == [Decimal(-5)]
    await world.reckon(at(1, month=12))
    assert await world.true_ups() == [Decimal(-5), Decimal(45)]
    assert (await world.spent())[2] == 90
    await world.use(30 * MILLION, at(22))  # late: 125 in all, 25 beyond
    await world.reckon(at(2, month=12))
    assert (await world.spent())[2] == 115


async def test_what_other_terms_change_counts_toward_committed_money(world: TrueUpBook) -> None:
    await world.book.publish(MONEY, ALLOWANCE)
    await world.use(20 * MILLION, at(20))  # 50, of which 2.5 are free: 47.5 of 100, for 90: 42.75
    await world.reckon()
    assert await world.true_ups(ALLOWANCE) == [Decimal("-2.5")]
    assert await world.true_ups(MONEY) == [Decimal("-4.75")]
    assert (await world.spent())[2] == Decimal("42.75")
    assert await world.reckon() == 0


async def test_they_count_toward_money_that_is_committed_for_their_class(world: TrueUpBook) -> None:
    models = term("spend_commitment", quantity="100", amount="90", units=(), cost_classes=("model",))
    await world.book.publish(models, ALLOWANCE)
    await world.use(20 * MILLION, at(20))  # as above; that verify agrees is said where the book is opened
    await world.reckon()
    assert (await world.period(models))["booked"] == Decimal("47.5")
    assert await world.true_ups(models) == [Decimal("-4.75")]
    assert await world.reckon() == 0


async def test_a_row_of_a_bill_counts_toward_committed_money_with_what_it_costs_effectively(
    world: TrueUpBook,
) -> None:
    aws = term("spend_commitment", quantity="10", amount="9", units=(), provider="aws")
    await world.book.publish(aws)
    await world.book.book_events(charge("8", contracted="6", effective="5"))
    await world.reckon()
    assert (await world.period(aws))["booked"] == 5
    assert (await world.spent())[2] == Decimal("4.5")  # half of what is committed, and of what that costs
    assert await world.reckon() == 0


async def test_a_commitment_that_nothing_uses_is_paid_when_its_period_ends(world: TrueUpBook) -> None:
    await world.book.publish(COMMITMENT)
    await world.reckon()
    assert await world.true_ups() == []
    await world.reckon(at(1, month=12))
    assert await world.true_ups() == [Decimal(20)]
    assert await world.spent() == (0, Decimal(0), Decimal(20))


async def test_a_term_that_is_withdrawn_is_taken_back(world: TrueUpBook) -> None:
    await world.book.publish(ALLOWANCE)
    await world.use(4 * MILLION, at(20))
    await world.reckon()
    await world.book.publish(
        identified(Withdrawal(entries=(ALLOWANCE.id,), tenant="acme", source="test", recorded_at=STARTED))
    )
    await world.reckon()
    assert await world.true_ups() == [Decimal("-2.5"), Decimal("2.5")]
    assert await world.reckon() == 0
    said = await world.book.owner.fetchval("SELECT explanation FROM true_ups WHERE revision = 1")
    assert said == ["the term does not count any more: - -2.5 trued up before = 2.5 USD"]
    assert (await world.period(ALLOWANCE))["explanation"] == ["the term does not count any more"]


async def test_a_contract_counts_for_those_who_have_it_alone(world: TrueUpBook) -> None:
    deal = term("allowance", quantity=str(MILLION), tenant="", contract="deal")
    await world.book.publish(deal, terms("acme", contracts=("deal",)))
    await world.use(4 * MILLION, at(20))
    await world.use(4 * MILLION, at(20), tenant="globex")
    await world.reckon()
    assert (await world.spent())[2] == Decimal("7.5")
    assert (await world.spent("globex"))[2] == 10


async def test_the_nearest_term_alone_counts_a_use(world: TrueUpBook) -> None:
    for_all = term("allowance", quantity=str(3 * MILLION), tenant="", layer="public")
    await world.book.publish(for_all, ALLOWANCE)
    await world.use(4 * MILLION, at(20))
    await world.use(4 * MILLION, at(20), tenant="globex")
    await world.reckon()
    assert await world.true_ups(ALLOWANCE) == [Decimal("-2.5")]
    assert await world.true_ups(for_all) == [Decimal("-7.5")]
    assert (await world.spent("globex"))[2] == Decimal("2.5")


async def test_today_is_counted_when_it_is_over(world: TrueUpBook) -> None:
    await world.book.publish(ALLOWANCE)
    await world.use(4 * MILLION, at(24, 23))
    assert await world.reckon(at(25, 0).replace(minute=9)) == 0
    assert await world.reckon(at(25, 0).replace(minute=10)) == 1


async def test_what_has_no_price_is_named_and_not_taken_for_nothing(world: TrueUpBook) -> None:
    every = term("allowance", quantity=str(MILLION), units=("input_tokens", "wishes"))
    await world.book.publish(every)
    await world.use(0, at(20), usage={"input_tokens": 3 * MILLION, "wishes": MILLION})
    await world.reckon()
    said = await world.period(every)
    assert said["missing"] == ["1000000 wishes have no price"]
    assert said["due"] == Decimal("5.625")  # 7.5 x 3 / 4


async def test_a_term_from_its_first_day_on_counts_what_came_after(world: TrueUpBook) -> None:
    late = term("allowance", quantity=str(MILLION), when=Conditions(effective_from=at(20, 0)))
    await world.book.publish(late)
    await world.use(4 * MILLION, at(19, 23))
    await world.use(2 * MILLION, at(20, 0))
    await world.reckon(NOW)
    assert (await world.period(late))["quantity"] == 2 * MILLION


async def test_who_was_overtaken_books_nothing_and_whoever_comes_after_does(world: TrueUpBook) -> None:
    await world.book.publish(ALLOWANCE)
    await world.use(4 * MILLION, at(20))
    await world.projector.catch_up()
    standing = await read_standing(world.book.corrector, TOPIC)
    with pytest.raises(Overtaken):
        await world.keeper.look(world.book.corrector, replace(standing, moves=standing.moves + 1), NOW)
    assert await world.true_ups() == []
    assert await world.reckon() == 1
    assert await world.true_ups() == [Decimal("-2.5")]


async def test_a_months_true_up_is_in_the_tenants_own_month(world: TrueUpBook) -> None:
    await world.book.publish(COMMITMENT, terms("acme", time_zone="Europe/Berlin"))
    await world.reckon(at(1, month=12))
    asked = "SELECT occurred_at, accounting_period FROM entries WHERE seq = -2"
    said = await world.book.owner.fetchrow(asked)
    # November ends in Berlin an hour before it does in UTC
    assert tuple(said) == (at(30, 22).replace(minute=59), date(2026, 11, 1))


def _rate(quote: str, rate: str) -> FxRate:
    return identified(
        FxRate(base="USD", quote=quote, rate=rate, effective_from=STARTED, source="bank", recorded_at=STARTED)
    )


async def test_a_term_in_another_currency_is_exchanged_at_the_rate_with_which_its_period_begins(
    world: TrueUpBook,
) -> None:
    await world.book.publish(COMMITMENT, terms("acme", currency="EUR"), _rate("EUR", "0.5"))
    await world.use(4 * MILLION, at(20))  # 10 USD, 5 EUR
    await world.reckon(at(1, month=12))
    said = await world.period(COMMITMENT)
    assert (said["currency"], said["used"], said["unused"], said["due"]) == ("EUR", 4, 6, 10)
    assert (await world.spent())[2] == 10


async def test_without_a_rate_nothing_is_booked_and_it_is_said_until_there_is_one(world: TrueUpBook) -> None:
    await world.book.publish(COMMITMENT, terms("acme", currency="EUR"))
    await world.use(4 * MILLION, at(20))
    assert await world.reckon(at(1, month=12)) == 0
    assert (await world.period(COMMITMENT))["refused"] == "No rate from USD to EUR"
    await world.book.publish(_rate("EUR", "0.5"))
    assert await world.reckon(at(1, month=12)) == 1
    assert (await world.period(COMMITMENT))["due"] == 10  # half of 20 USD
    await world.book.publish(_rate("JPY", "150"))  # is nobody's here
    basis = "SELECT basis FROM true_up_marks WHERE tenant = 'acme'"
    before = await world.book.owner.fetchval(basis)
    await world.reckon(at(1, month=12))
    assert await world.book.owner.fetchval(basis) == before
