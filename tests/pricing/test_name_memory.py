"""What a book remembers of names, for whom, and what names that nobody knows cannot do to it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendmeter.contracts.catalog import Alias, NameRule
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import naming
from spendmeter.pricing.memory import TenantMemory
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, model, price, used

ONE = {"input_tokens": 1_000_000}
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
SAID = {"source": "test", "recorded_at": RECORDED}


def effort(**said: object) -> NameRule:
    stated = {"name": "effort", "match": ("{name}-high",), "becomes": "{name}", "costs": "same"}
    return identified(NameRule(**{**stated, "says": "an effort costs nothing", **said, **SAID}))


def test_a_tenants_thousand_names_push_out_its_own_alone() -> None:
    memory: TenantMemory[int, int] = TenantMemory(100)
    memory.remember("quiet", 0, 0)
    for number in range(1_000):
        memory.remember("loud", number, number)
    assert len(memory) <= 100
    assert memory.of_tenants["quiet"] == {0: 0}
    assert memory.of_tenants["loud"][999] == 999, "the newest stay"


def test_where_everybody_has_little_everybody_gives_up_half() -> None:
    memory: TenantMemory[int, int] = TenantMemory(100)
    for number in range(101):
        memory.remember(f"tenant-{number}", 0, 0)
    assert 0 < len(memory) <= 100


def test_names_and_regions_that_nobody_knows_make_no_new_plans() -> None:
    book = PriceBook([price("m", "input_tokens", "2"), effort()])
    rate(used("openai", "m", ONE), book)
    rate(used("openai", "my-m-1", ONE), book)
    before = len(book._plans)
    for number in range(500):
        rate(used("openai", "m", ONE, region=f"nowhere-{number}"), book)
        rate(used("openai", f"made-up-{number}", ONE), book)
    assert len(book._plans) <= before + 3


def test_an_alias_means_what_it_meant_at_the_events_time() -> None:
    entries = [
        price("old", "input_tokens", "1"),
        price("new", "input_tokens", "3"),
        identified(Alias(provider="openai", name="latest", sku="old", effective_to=JUNE, **SAID)),
        identified(Alias(provider="openai", name="latest", sku="new", effective_from=JUNE, **SAID)),
    ]
    book = PriceBook(entries)
    for _ in range(2):  # and again, from memory
        assert (
            rate(used("openai", "latest", ONE, at=datetime(2026, 5, 31, 23, 59, tzinfo=UTC)), book).list == 1
        )
        assert rate(used("openai", "latest", ONE, at=JUNE), book).list == 3


def test_a_rule_counts_in_its_time_alone() -> None:
    book = PriceBook([price("m", "input_tokens", "2"), effort(effective_from=JUNE)])
    before = rate(used("openai", "m-high", ONE, at=datetime(2026, 5, 31, tzinfo=UTC)), book)
    after = rate(used("openai", "m-high", ONE, at=JUNE), book)
    assert (before.status, after.status, after.list) == ("provisional", "priced", 2)


def test_a_name_of_its_own_is_never_read_otherwise() -> None:
    book = PriceBook([price("m", "input_tokens", "2"), price("m-high", "input_tokens", "5"), effort()])
    assert rate(used("openai", "m-high", ONE), book).list == 5
    assert rate(used("openai", "m-high-high", ONE), book).list == 5


def test_one_tenants_price_makes_nobody_elses_name_mean_another_model() -> None:
    own = price("m-high", "input_tokens", "9", tenant="acme", layer="organisation")
    book = PriceBook([price("m", "input_tokens", "2"), own, effort()])
    assert rate(used("openai", "m-high", ONE, tenant="acme"), book).list == 9
    assert rate(used("openai", "m-high", ONE, tenant="globex"), book).list == 2


def test_two_models_that_rules_lead_to_bound_by_the_dearer() -> None:
    other = effort(name="other", match=("{name}-high",), becomes="{name}-2")
    book = PriceBook([price("m", "input_tokens", "2"), price("m-2", "input_tokens", "5"), effort(), other])
    rating = rate(used("openai", "m-high", ONE), book)
    assert (rating.status, rating.list) == ("provisional", 5)
    assert rating.lines[0].reason == "unknown model: it may be m or m-2: bounded by m-2"


def test_a_receipt_says_which_rule_found_the_model() -> None:
    book = PriceBook([price("m", "input_tokens", "2"), effort()])
    assert naming("", used("openai", "m-high", ONE).data, book) == (
        "model 'm-high' means m: an effort costs nothing (names/effort)",
    )
    assert naming("", used("openai", "team-m-9-prod", ONE).data, book) == (
        "model 'team-m-9-prod' is no known name: its name contains m: bounded by m of openai",
    )


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([effort(match=("{nam}-high",))], "{nam} is none of"),
        ([effort(match=("{name}-HIGH",))], "lower case"),
        ([effort(becomes="{name}{rest}")], "repeats a {rest}"),
        ([effort(), effort(says="again")], "both the rule 'effort' of one time"),
        (
            [
                identified(Alias(provider="openai", name="a", sku="m", **SAID)),
                identified(Alias(provider="openai", name="a", sku="n", **SAID)),
            ],
            "both say what 'a' of openai means",
        ),
    ],
)
def test_what_could_mean_two_things_is_refused(entries: list[NameRule | Alias], reason: str) -> None:
    with pytest.raises(CatalogError, match=reason.replace("{", r"\{").replace("}", r"\}")):
        PriceBook([model("m"), *entries])
