"""The difference of an event by cause, with amounts worked out by hand: the parts are the difference exactly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from spendmeter.contracts.catalog import CatalogEntry, FxRate, Withdrawal
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.rated import Line
from spendmeter.pricing.causes import EntryFacts, EventAmounts, steps
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, terms, used

MILLION = {"input_tokens": 1_000_000}


class History:
    """Publications one after the other, what each event costs by each of them, and why."""

    def __init__(self, *publications: Sequence[CatalogEntry]) -> None:
        self.entries = [
            published(entry, version) for version, each in enumerate(publications, 1) for entry in each
        ]

    def rating(self, version: int, **used_how: Any) -> Rating:
        usage, sku = used_how.pop("usage", MILLION), used_how.pop("sku", "m")
        book = PriceBook([entry for entry in self.entries if entry.version <= version], version)
        return rate(used("openai", sku, usage, **used_how), book)

    def facts(self) -> dict[str, EntryFacts]:
        gone = {
            key: each.version for each in self.entries if isinstance(each, Withdrawal) for key in each.entries
        }
        return {entry.id: EntryFacts(entry.version, gone.get(entry.id)) for entry in self.entries}

    def causes(self, since: int = 1, until: int = 2, **used_how: Any) -> dict[str, str]:
        """The difference of the contracted amount by cause."""
        old, new = self.rating(since, **used_how), self.rating(until, **used_how)
        found = steps(old, new, self.facts())
        for one, other in pairwise(found):
            assert one.after == other.before, "each step begins where the one before ended"
        if old.currency == new.currency:
            assert found[0].before == EventAmounts(old.list, old.contracted, old.effective)
            assert found[-1].after == EventAmounts(new.list, new.contracted, new.effective)
        return {step.cause: difference(step.before.contracted, step.after.contracted) for step in found}


def difference(before: Decimal, after: Decimal) -> str:
    return f"{EXACT.subtract(after, before).normalize():f}"


def withdrawn(*entries: CatalogEntry) -> Withdrawal:
    return identified(Withdrawal(entries=tuple(e.id for e in entries), source="test", recorded_at=RECORDED))


def fx(base: str, rate: str) -> FxRate:
    return identified(
        FxRate(base=base, quote="USD", rate=rate, effective_from=NOON.replace(day=1), source="test", recorded_at=RECORDED)
    )  # fmt: skip


def test_a_price_stated_per_one_and_restated_per_million_is_a_difference_of_price() -> None:
    """A million tokens at 2 each are 2,000,000; at 2 a million they are 2: 1,999,998 less."""
    wrong = price("m", "input_tokens", "2", per=1)
    assert History([wrong], [withdrawn(wrong), price("m", "input_tokens", "2")]).causes() == {
        "price": "-1999998"
    }


def test_a_bound_that_becomes_a_price_is_a_difference_of_price_and_its_factor_none_of_multipliers() -> None:
    """gpt-9.2 is bounded by gpt-9.1, of another version, at one and a half times its 4: 6. Its own price is 5."""
    history = History(
        [price("gpt-9.1", "input_tokens", "4"), model("gpt-9.1")], [price("gpt-9.2", "input_tokens", "5")]
    )
    assert history.rating(1, sku="gpt-9.2").status == "provisional"
    assert history.causes(sku="gpt-9.2") == {"price": "-1"}


def test_a_factor_stated_later_is_a_difference_of_multipliers() -> None:
    """A tenth on top of 2."""
    assert History([price("m", "input_tokens", "2")], [adjustment("eu", "1.1")]).causes() == {
        "multiplier": "0.2"
    }


def test_a_price_and_a_factor_at_once_are_told_apart_in_their_order() -> None:
    """From 2 to 3 is 1 of the price; a tenth on 3 is 0.3 of the factor: 3.3 in all."""
    old = price("m", "input_tokens", "2")
    history = History([old], [withdrawn(old), price("m", "input_tokens", "3"), adjustment("eu", "1.1")])
    assert history.causes() == {"price": "1", "multiplier": "0.3"}


def test_a_contracts_price_is_a_difference_of_the_contract_and_list_stays() -> None:
    """List 2, by contract 1.5: half a dollar less is contracted, and nothing of list."""
    contract = [price("m", "input_tokens", "1.5", layer="contract", contract="f", kind="contracted"), terms("acme", contracts=("f",))]  # fmt: skip
    history = History([price("m", "input_tokens", "2")], contract)
    assert history.causes() == {"contract": "-0.5"}
    assert [step.after.list for step in steps(history.rating(1), history.rating(2), history.facts())] == [
        Decimal(2)
    ]


def test_a_negotiated_factor_is_the_contracts_and_a_residency_factor_beside_it_is_not() -> None:
    """2 x 1.1 = 2.2 is 0.2 of the multiplier; x 0.9 = 1.98 is 0.22 less of the contract."""
    rebate = adjustment("rebate", "0.9", layer="contract", contract="f", kind="contracted")
    first = [price("m", "input_tokens", "2"), terms("acme", contracts=("f",))]
    assert History(first, [adjustment("eu", "1.1"), rebate]).causes() == {
        "multiplier": "0.2",
        "contract": "-0.22",
    }


def test_a_rate_that_was_missing_is_a_difference_of_the_rate() -> None:
    """2 euros at 1.25 dollars are 2.50; without a rate they were nothing that could be added."""
    history = History([price("m", "input_tokens", "2", currency="EUR")], [fx("EUR", "1.25")])
    assert history.rating(1).status == "unpriced"
    assert history.causes() == {"fx": "2.5"}


def test_a_price_in_euros_and_another_rate_at_once_are_told_apart() -> None:
    """2 euros at 1.25 were 2.50. The price goes to 3: 3.75, so 1.25 of the price; the rate to 1.20: 3.60, 0.15 less."""
    old, old_rate = price("m", "input_tokens", "2", currency="EUR"), fx("EUR", "1.25")
    now = [withdrawn(old, old_rate), price("m", "input_tokens", "3", currency="EUR"), fx("EUR", "1.2")]
    assert History([old, old_rate], now).causes() == {"price": "1.25", "fx": "-0.15"}


def test_a_rate_that_does_not_divide_evenly_leaves_no_rest() -> None:
    """2 euros at 1.3 were 2.6; the price 1 and the rate 0.7: 0.7, so 1.9 less. Of it 1 x 1.3 = 1.3 is what is left of
    the price: 1.3 less; and 0.6 less of the rate."""
    old, old_rate = price("m", "input_tokens", "2", currency="EUR"), fx("EUR", "1.3")
    now = [withdrawn(old, old_rate), price("m", "input_tokens", "1", currency="EUR"), fx("EUR", "0.7")]
    assert History([old, old_rate], now).causes() == {"price": "-1.3", "fx": "-0.6"}


def test_a_name_that_means_another_model_is_a_difference_of_the_name() -> None:
    """m2 was a name of the model at 2, and becomes one of the model at 5; both prices stood all the time."""
    was = model("cheap", "m2")
    first = [price("cheap", "input_tokens", "2"), price("dear", "input_tokens", "5"), was]
    assert History(first, [withdrawn(was), model("dear", "m2")]).causes(sku="m2") == {"name": "3"}


def test_two_units_that_change_for_two_causes_add_up() -> None:
    """A million in at 2 instead of 1 (the price is new), and a million out, of which a contract takes a tenth of 10."""
    old = price("m", "input_tokens", "1")
    first = [old, price("m", "output_tokens", "10"), terms("acme", contracts=("f",))]
    rebate = adjustment(
        "rebate", "0.9", layer="contract", contract="f", kind="contracted", units=("output_tokens",)
    )
    history = History(first, [withdrawn(old), price("m", "input_tokens", "2"), rebate])
    assert history.causes(usage=MILLION | {"output_tokens": 1_000_000}) == {"price": "1", "contract": "-1"}


def test_another_currency_takes_all_of_the_old_and_brings_all_of_the_new() -> None:
    """2 dollars, then 2 dollars at 0.8 euros each: minus 2 in USD, plus 1.60 in EUR."""
    euros = identified(
        FxRate(
            base="USD",
            quote="EUR",
            rate="0.8",
            effective_from=NOON.replace(day=1),
            source="t",
            recorded_at=RECORDED,
        )
    )
    history = History([price("m", "input_tokens", "2")], [terms("acme", currency="EUR"), euros])
    found = steps(history.rating(1), history.rating(2), history.facts())
    assert [(step.currency, step.cause, difference(step.before.list, step.after.list)) for step in found] == [
        ("USD", "terms", "-2"),
        ("EUR", "terms", "1.6"),
    ]


def test_what_no_entry_explains_is_the_engines() -> None:
    """The same entry at the same price, and another amount: the arithmetic is another. 2 became 3."""

    def rating(amount: str) -> Rating:
        line = Line(unit="input_tokens", entry="abcdefghijklm", price="2", amount=amount)
        sums = dict.fromkeys(("list", "contracted", "effective"), Decimal(amount))
        return Rating(status="priced", currency="USD", accounting_period=date(2026, 11, 1), catalog_version=1, lines=(line,), **sums)  # fmt: skip

    [step] = steps(rating("2"), rating("3"), {"abcdefghijklm": EntryFacts(1)})
    assert (step.cause, step.before.list, step.after.list) == ("engine", Decimal(2), Decimal(3))


def test_another_status_at_the_same_amount_is_a_step_of_nothing() -> None:
    """A price of nothing that a bound had guessed: the amounts are equal, and the event is told all the same."""
    history = History([price("m", "input_tokens", "0")], [])
    [step] = steps(history.rating(1), history.rating(1), history.facts())
    assert step.before == step.after
