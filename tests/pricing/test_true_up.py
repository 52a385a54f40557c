"""What a whole period changes: worked by hand at every edge, and true of any usage in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import Conditions, FxRate, PeriodTerm, Step
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Context
from spendmeter.contracts.money import EXACT
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.true_up import BookedUsage, TrueUp, true_up

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NOVEMBER = (START, END)
SAID = {"provider": "aws", "units": ("io_requests",), "source": "contract", "recorded_at": START}
STEPS = (Step(price="2"), Step(over="1000", price="1.5"), Step(over="5000", price="1"))


def term(effect: str, **said: Any) -> PeriodTerm:
    return identified(PeriodTerm(effect=effect, **(SAID | said)))


GRADUATED, VOLUME = term("graduated", steps=STEPS, per=10), term("volume", steps=STEPS, per=10)
ALLOWANCE = term("allowance", quantity="1000")
COMMITMENT = term("commitment", quantity="1000", amount="150")


def used(quantity: int | str, amount: str, **said: Any) -> BookedUsage:
    said = {"time": START, "provider": "aws", "sku": "aurora", "unit": "io_requests"} | said
    return BookedUsage(quantity=Decimal(quantity), amount=Decimal(amount), **said)


def corrected(
    by: PeriodTerm,
    *booked: BookedUsage,
    currency: str = "USD",
    earlier: tuple[Decimal, ...] = (),
    **said: Any,
) -> TrueUp:
    return true_up(by, booked, NOVEMBER, tenant="acme", currency=currency, earlier=earlier, **said)


# Every unit was booked at 0.2, the first step's 2 for 10. By hand, for n units:
#   graduated: 0.2 up to 1000, then 0.15 up to 5000, then 0.1
#   volume: all at 0.2 up to 1000, all at 0.15 up to 5000, all at 0.1 beyond
@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"),
    [
        ("0", "0", "0"),
        ("999", "0", "0"),
        ("1000", "0", "0"),  # a step begins beyond its quantity
        ("1000.5", "-0.025", "-50.025"),  # 0.5 x 0.05; 1000.5 x 0.05
        ("1001", "-0.05", "-50.05"),
        ("5000", "-200", "-250"),  # 4000 x 0.05; 5000 x 0.05
        ("5001", "-200.1", "-500.1"),  # 200 + 1 x 0.1; 5001 x 0.1
        ("9000", "-600", "-900"),
    ],
)
def test_steps_at_their_boundaries(quantity: str, graduated: str, volume: str) -> None:
    booked = used(quantity, str(Decimal(quantity) * Decimal("0.2")))
    assert corrected(GRADUATED, booked).amount == Decimal(graduated)
    assert corrected(VOLUME, booked).amount == Decimal(volume)


# Booked at 0.2 a unit; the first 1000 are free.
@pytest.mark.parametrize(
    ("quantity", "amount"),
    [(0, "0"), (1, "-0.2"), (999, "-199.8"), (1000, "-200"), (1001, "-200"), (4000, "-200")],
)
def test_an_allowance_frees_its_quantity_and_no_more(quantity: int, amount: str) -> None:
    assert corrected(ALLOWANCE, used(quantity, str(quantity * Decimal("0.2")))).amount == Decimal(amount)


# Booked at 0.2 a unit; 1000 are paid for with 150, used or not; what lies beyond costs 0.2.
@pytest.mark.parametrize(
    ("quantity", "amount", "unused"),
    [
        (0, "150", "150"),
        (600, "30", "60"),  # 150 - 120 booked; 400 of 1000 unused
        (750, "0", "37.5"),
        (1000, "-50", "0"),
        (1001, "-50", "0"),  # 150 + 0.2 - 200.2
        (3000, "-50", "0"),
    ],
)
def test_a_commitment_is_paid_used_or_not_and_what_lies_beyond_as_booked(
    quantity: int, amount: str, unused: str
) -> None:
    result = corrected(COMMITMENT, used(quantity, str(quantity * Decimal("0.2"))))
    assert (result.amount, result.unused) == (Decimal(amount), Decimal(unused))


# While the period runs, what is used of 150 for 1000 is due: 0.15 a unit.
@pytest.mark.parametrize(
    ("quantity", "due", "of_it", "unused"),
    [(0, "0", "0", "150"), (600, "90", "90", "60"), (1000, "150", "150", "0"), (1001, "150.2", "150", "0")],
)
def test_until_its_period_has_ended_a_commitment_costs_what_is_used_of_it(
    quantity: int, due: str, of_it: str, unused: str
) -> None:
    result = corrected(COMMITMENT, used(quantity, str(quantity * Decimal("0.2"))), ended=False)
    assert (result.due, result.used, result.unused) == (Decimal(due), Decimal(of_it), Decimal(unused))


# To spend 200 is paid for with 150, whatever it is spent on.
@pytest.mark.parametrize(
    ("spent", "running", "ended", "unused"),
    [
        ("0", "0", "150", "150"),
        ("50", "37.5", "150", "112.5"),
        ("200", "150", "150", "0"),
        ("230", "180", "180", "0"),
    ],
)
def test_committed_money_is_paid_for_whether_it_is_spent_or_not(
    spent: str, running: str, ended: str, unused: str
) -> None:
    by = term("spend_commitment", quantity="200", amount="150", units=())
    booked = used(7, spent, unit="gb_months")
    assert corrected(by, booked, ended=False).due == Decimal(running)
    result = corrected(by, booked)
    assert (result.due, result.unused) == (Decimal(ended), Decimal(unused))
    assert result.used + result.unused == 150


def test_a_part_of_usage_at_several_prices_is_valued_at_their_average() -> None:
    # 1500 units for 100 + 200 = 300 are 0.2 each on average; 500 beyond the allowance stay: 100
    booked = [used(1000, "100", sku="a"), used(500, "200", sku="b")]
    assert corrected(ALLOWANCE, *booked).amount == -200
    assert corrected(ALLOWANCE, *reversed(booked)).amount == -200


def test_what_has_no_finite_decimal_is_divided_once_to_twelve_places() -> None:
    # 3000 units for 1: 2000 beyond the allowance cost 0.666666666667
    assert corrected(ALLOWANCE, used(3000, "1")).amount == Decimal("-0.333333333333")
    by = term("graduated", steps=(Step(price="1"), Step(over="1", price="2")), per=3)
    assert corrected(by, used(3, "0")).amount == Decimal("1.666666666667")  # (1 + 2 x 2) / 3


def test_only_what_the_term_covers_in_the_period_counts() -> None:
    by = term("allowance", quantity="1000", skus=("aurora*",), cost_classes=("database",),
              when=Conditions(regions=("eu",), effective_from=START + timedelta(days=1)))  # fmt: skip
    said = {"cost_class": "database", "context": Context(region="EU"), "time": START + timedelta(days=1)}
    counted = used(10, "2", **said)
    others = [
        used(10, "2", **(said | {"time": START + timedelta(days=1, microseconds=-1)})),
        used(10, "2", **(said | {"time": END})),
        used(10, "2", **(said | {"context": Context(region="us")})),
        used(10, "2", **(said | {"cost_class": "storage"})),
        used(10, "2", **(said | {"sku": "dynamo"})),
        used(10, "2", **(said | {"unit": "gb_months"})),
        used(10, "2", **(said | {"provider": "gcp"})),
    ]
    assert corrected(by, *others).quantity == 0
    result = corrected(by, counted, *others)
    assert (result.amount, result.quantity) == (-2, 10)


def test_a_term_in_another_currency_is_converted_at_the_periods_rate() -> None:
    rate = FxRate(base="USD", quote="EUR", rate="0.9", effective_from=START, source="bank", recorded_at=START)
    # 2000 units: 1000 x 0.2 + 1000 x 0.15 = 350 USD = 315 EUR, of which 360 EUR are booked
    result = corrected(GRADUATED, used(2000, "360"), currency="EUR", fx=rate)
    assert (result.amount, result.currency) == (-45, "EUR")
    with pytest.raises(ValueError, match="is in USD and the book in EUR: no rate"):
        corrected(GRADUATED, used(2000, "360"), currency="EUR")


def test_the_explanation_can_be_redone_by_hand() -> None:
    result = corrected(GRADUATED, used(6000, "1200"), earlier=(Decimal("-50"),))
    assert result.explanation == (
        "1000 io_requests x 2 / 10 = 200 USD",
        "4000 io_requests x 1.5 / 10 = 600 USD",
        "1000 io_requests x 1 / 10 = 100 USD",
        "900 due - 1200 booked - -50 trued up before = -250 USD",
    )
    assert corrected(COMMITMENT, used(600, "120")).explanation == (
        "committed: 1000 io_requests for 150 USD",
        "unused: 150 x 400 / 1000 = 60 USD",
        "600 io_requests used, of 1000 committed",
        "150 due - 120 booked = 30 USD",
    )
    assert corrected(ALLOWANCE, used(3000, "600")).explanation == (
        "beyond 1000 free: 600 booked x 2000 / 3000 io_requests = 400 USD",
        "400 due - 600 booked = -200 USD",
    )


def test_the_id_is_of_tenant_term_period_and_revision_alone() -> None:
    one = corrected(ALLOWANCE, used(10, "2"))
    assert one.id == corrected(ALLOWANCE, used(5000, "7")).id
    assert len(one.id) == 16
    others = [
        corrected(ALLOWANCE, earlier=(Decimal(0),)),
        corrected(COMMITMENT),
        true_up(ALLOWANCE, [], NOVEMBER, tenant="globex", currency="USD"),
        true_up(ALLOWANCE, [], (END, END + timedelta(days=31)), tenant="acme", currency="USD"),
    ]
    assert len({one.id, *(other.id for other in others)}) == 5
    assert [other.revision for other in others] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("by", "rule"),
    [
        (term("graduated"), "its steps begin over 0 and rise"),
        (term("volume", steps=(Step(over="1", price="1"),)), "its steps begin over 0 and rise"),
        (term("graduated", steps=(*STEPS[:2], STEPS[1])), "its steps begin over 0 and rise"),
        (term("allowance"), "it says how much is free"),
        (term("commitment", steps=STEPS), "it takes a quantity and no steps"),
        (term("allowance", quantity="1", when=Conditions(context_min=5)), "not hours or a context length"),
    ],
)
def test_a_term_that_no_period_can_follow_is_refused_with_its_rule(by: PeriodTerm, rule: str) -> None:
    with pytest.raises(CatalogError, match=rule):
        corrected(by)


usages = st.lists(
    st.builds(
        used,
        st.one_of(st.integers(0, 9000), st.decimals(0, 9000, places=3).map(str)),
        st.decimals(0, 1000, places=6).map(str),
        sku=st.sampled_from("ab"),
    ),
    max_size=8,
)
terms = st.sampled_from([GRADUATED, VOLUME, ALLOWANCE, COMMITMENT])


@settings(max_examples=200, deadline=None)
@given(terms, usages, st.randoms(use_true_random=False))
def test_order_does_not_matter(by, booked, random) -> None:
    shuffled = list(booked)
    random.shuffle(shuffled)
    assert corrected(by, *booked) == corrected(by, *shuffled)


@settings(max_examples=200, deadline=None)
@given(terms, usages, st.data())
def test_splitting_usage_changes_nothing(by, booked, data) -> None:
    parts = []
    for usage in booked:
        quantity = data.draw(st.integers(0, int(usage.quantity)))
        amount = data.draw(st.sampled_from([Decimal(0), usage.amount, usage.amount / 2]))
        parts += [
            used(str(quantity), str(amount), sku=usage.sku),
            used(str(usage.quantity - quantity), str(usage.amount - amount), sku=usage.sku),
        ]
    assert corrected(by, *booked) == corrected(by, *parts)


@settings(max_examples=200, deadline=None)
@given(terms, st.lists(usages, min_size=1, max_size=4))
def test_running_again_with_more_usage_gives_the_difference(by, batches) -> None:
    earlier: list[Decimal] = []
    known: list[BookedUsage] = []
    for batch in batches:
        known += batch
        earlier.append(corrected(by, *known, earlier=tuple(earlier)).amount)
    whole = corrected(by, *known)
    assert EXACT.add(sum(earlier, Decimal(0)), Decimal(0)) == whole.amount
    assert corrected(by, *known, earlier=tuple(earlier)).amount == 0


@settings(max_examples=200, deadline=None)
@given(terms, usages)
def test_a_period_never_costs_less_than_nothing_and_an_allowance_never_adds(by, booked) -> None:
    result = corrected(by, *booked)
    amount = sum((usage.amount for usage in booked), Decimal(0))
    assert amount + result.amount >= 0
    assert by is not ALLOWANCE or result.amount <= 0
    if by is GRADUATED:  # an oracle that counts unit by unit, in thousandths
        thousandths = int(result.quantity * 1000)
        prices = [(1_000_000, 200), (4_000_000, 150), (10**18, 100)]
        due = 0
        for size, price in prices:
            taken = min(size, thousandths)
            due, thousandths = due + taken * price, thousandths - taken
        assert amount + result.amount == Decimal(due) / 10**6
