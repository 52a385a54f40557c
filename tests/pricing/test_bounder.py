"""Bounds of many calls, from what is remembered: each as if it were worked out alone."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from spendmeter.contracts.catalog import Conditions
from spendmeter.pricing.bound import REMEMBERED_FOR, Bound, Bounder, BoundRefused, bound
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.output_limits import shipped_output_limits
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.ways import AnyWay
from tests.pricing.entries import NOON, adjustment, price, terms

HOUR = timedelta(hours=1)
PLAIN = AnyWay(service_tier="standard", region="", batch=False)
M = [price("m", "input_tokens", "2"), price("m", "output_tokens", "8")]


def asked(bounder: Bounder, tokens: int = 9000, **said: Any) -> Bound | BoundRefused:
    """At noon, of 1,000 tokens of output at most, in the hour after it, unless said."""
    call = {"provider": "openai", "sku": "m", "way": PLAIN, "max_output_tokens": 1000, "most_output": {}}
    call |= {"since": NOON, "until": NOON + HOUR} | said
    return bounder.bound(call.pop("tenant", "acme"), quantities={"input_tokens": tokens}, **call)


def amount(bounder: Bounder, tokens: int = 9000, **said: Any) -> Decimal:
    found = asked(bounder, tokens, **said)
    assert isinstance(found, Bound), found
    return found.amount


def test_another_length_of_the_same_name_is_not_taken_for_the_first() -> None:
    """From 200,001 tokens on the input costs twice as much: 200,000 x 2 / 1e6 and 200,001 x 4 / 1e6, and the
    output 1,000 x 8 / 1e6."""
    long = price("m", "input_tokens", "4", when=Conditions(context_min=200_000))
    bounder = Bounder(PriceBook([*M, long]))
    for _ in range(2):
        assert amount(bounder, 200_000) == Decimal("0.408")
        assert amount(bounder, 200_001) == Decimal("0.808004")
        assert amount(bounder, 1) == Decimal("0.008002")


def test_a_price_that_is_near_counts_from_the_first_call_that_may_meet_it() -> None:
    """Twice as dear from 13:00:30 on: a call that is asked about at noon may be made until one, and what it
    costs is remembered for a minute; asked about at 12:01 with nobody before it may be made until 13:01."""
    turn = NOON + HOUR + REMEMBERED_FOR / 2
    cheap, dear = Conditions(effective_to=turn), Conditions(effective_from=turn)
    prices = [price("m", "input_tokens", "2", when=cheap), price("m", "input_tokens", "4", when=dear), M[1]]
    bounder = Bounder(PriceBook(prices))
    first, other = amount(bounder), amount(Bounder(bounder.book), since=NOON - HOUR, until=NOON)
    assert (first, other) == (Decimal("0.044"), Decimal("0.026"))
    assert amount(bounder, since=NOON + REMEMBERED_FOR, until=NOON + HOUR + REMEMBERED_FOR) == first


def test_what_was_agreed_meanwhile_counts_at_once() -> None:
    """acme's book is in dollars whatever it is asked; from 12:00:10 on its own price of an unknown model is
    another: 9,000 x 3 / 1e6 + 1,000 x 10 / 1e6, before 9,000 x 2 / 1e6 + 1,000 x 9 / 1e6, and the other
    provider that is asked has nothing of its own to go by."""
    turn = NOON + timedelta(seconds=10)
    old = terms("acme", fallback={"input_tokens": "0.000002", "output_tokens": "0.000009"})
    new = terms(
        "acme", fallback={"input_tokens": "0.000003", "output_tokens": "0.00001"}, effective_from=turn
    )
    bounder = Bounder(PriceBook([*M, old, new]))
    unknown = {"provider": "nobody", "sku": "n"}
    assert amount(bounder, **unknown, until=NOON + timedelta(seconds=5)) == Decimal("0.027")
    later = amount(bounder, **unknown, since=turn, until=turn + timedelta(seconds=5))
    assert later == Decimal("0.037")


def test_one_tenants_answer_is_no_others() -> None:
    """acme's factor of 1.5 is acme's: 0.026 x 1.5."""
    agreed = adjustment("deal", "1.5", layer="contract", contract="deal", kind="contracted")
    bounder = Bounder(PriceBook([*M, terms("acme", contracts=("deal",)), agreed]))
    assert [amount(bounder, tenant=each) for each in ("acme", "globex", "acme")] == [
        Decimal("0.039"), Decimal("0.026"), Decimal("0.039"),
    ]  # fmt: skip


def test_of_the_shipped_catalog_each_answer_is_what_it_is_alone() -> None:
    """Known and unknown names, twice each with other quantities: as `bound` says of a minute more."""
    book = PriceBook(load_snapshot())
    bounder, chosen = Bounder(book), random.Random(7)
    names = sorted(book.lists.prices)
    for _ in range(150):
        provider, sku = chosen.choice(names)
        sku += chosen.choice(["", "", "-next", "-9", "-mini"])
        way = chosen.choice([AnyWay(), PLAIN, AnyWay(batch=True)])
        for _ in range(3):
            call: dict[str, Any] = {
                "provider": provider,
                "sku": sku,
                "quantities": {
                    "input_tokens": chosen.choice([10, 8_000, 128_000, 200_000, 200_001, 300_000])
                },
                "max_output_tokens": chosen.choice([None, 0, 700]),
                "way": way,
                "most_output": shipped_output_limits(),
            }
            alone = bound(book, "acme", **call, since=NOON, until=NOON + HOUR + REMEMBERED_FOR)
            assert bounder.bound("acme", **call, since=NOON, until=NOON + HOUR) == alone, call
