"""Corrections of the public catalog: how they are read, that they say what was worked out by hand, and what
happens to the prices beneath them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendmeter.contracts.catalog import Conditions, Price
from spendmeter.pricing.catalog import corrections_page, load_public, load_snapshot
from spendmeter.pricing.catalog.corrections import (
    CORRECTIONS,
    Replaced,
    Rule,
    WorkedOut,
    read_corrections,
    shipped_corrections,
)
from spendmeter.pricing.catalog.overlay import PublicEntries, lay_over
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.asked import ask
from tests.pricing.entries import model, price, used

PAGE = Path(__file__).parents[2] / "docs" / "price-files.md"
WORKED_OUT = [(rule.key, check) for rule in shipped_corrections() for check in rule.said.check]


@pytest.mark.parametrize(("key", "check"), WORKED_OUT, ids=[f"{k}: {c.price}" for k, c in WORKED_OUT])
def test_every_amount_that_was_worked_out_by_hand_is_what_we_say(
    key: str, check: WorkedOut, book: PriceBook
) -> None:
    assert ask(check.price, book) == (Decimal(check.want), check.status), f"{key}: {check.working}"


HEADER = 'vendor = "openai"\nrecorded_at = 2026-11-26T00:00:00Z\n'
SAID = """
[[correction]]
name = "dear"
rule = "Model m costs four."
source = "https://example.org/prices"
read = 2026-11-25
"""
CHECK = '[[correction.check]]\nprice = "openai/m input_tokens=1000000"\nwant = "4"\nworking = "1 x 4"\n'
FOUR = '[[correction.price]]\nsku = "m"\nper = 1000000\nprices = { input_tokens = "4" }\n'


def rules(said: str) -> list[Rule]:
    return read_corrections("openai.toml", (HEADER + said).encode())


def test_an_entry_of_a_correction_says_the_rule_and_where_it_stands() -> None:
    (rule,) = rules(SAID + "second_hand = true\n" + FOUR + CHECK)
    (entry,) = rule.entries
    assert isinstance(entry, Price)
    assert (entry.provider, entry.by) == ("openai", "spendmeter")
    assert entry.note == "openai/dear: Model m costs four."
    assert entry.source == "https://example.org/prices (read 2026-11-25, second-hand)"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (SAID + FOUR, "dear: .*check"),
        (SAID + 'note = "x"\n' + FOUR + CHECK, "dear: unknown field 'note'"),
        (SAID + FOUR + CHECK + 'wants = "4"\n', r"dear: .*unknown field 'wants'"),
        (SAID + FOUR.replace('"4"', "4.0") + CHECK, r"dear: price\[0\]: prices.*in quotes"),
        (SAID + FOUR.replace("input_tokens", "input_token") + CHECK, "did you mean input_tokens"),
        (SAID + FOUR + 'layer = "organisation"\n' + CHECK, "dear: Price is not everybody's"),
        (SAID + FOUR + CHECK + "[[correction.terms]]\n", "dear: unknown field 'terms'"),
        (SAID + FOUR + CHECK + SAID + FOUR + CHECK, "2 corrections are named openai/dear"),
        ("[[correction]]\n", r"correction\[0\]"),
        ("corection = []\n", "unknown field 'corection': did you mean correction"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_place(said: str, reason: str) -> None:
    with pytest.raises(CatalogError, match=r"^openai\.toml: ") as refused:
        rules(said)
    print(refused.value)
    assert re.search(reason, str(refused.value))


def test_a_file_is_named_like_its_vendor() -> None:
    with pytest.raises(CatalogError, match=r"name it openai\.toml"):
        read_corrections("open.toml", HEADER.encode())
    for path in CORRECTIONS.iterdir():
        assert read_corrections(path.name, path.read_bytes())


def test_the_corrections_that_the_page_shows_are_read_and_cost_what_it_says() -> None:
    section = PAGE.read_text("utf-8").partition("## A correction of the public catalog")[2]
    text = section.partition("```toml\n")[2].partition("```")[0]
    shown = read_corrections("tide.toml", text.encode())
    public = [
        price("tide-2", "input_tokens", "2", provider="tide"),
        price("tide-2", "cache_read_tokens", "0.1", provider="tide"),
    ]
    (said_of,) = (PublicEntries(public).said_of(rule, each) for rule in shown for each in rule.said.replaces)
    assert [each.was for rule in shown for each in rule.said.replaces] == [said_of]
    shown_book = PriceBook(lay_over(public, shown))
    for rule in shown:
        for check in rule.said.check:
            assert ask(check.price, shown_book) == (Decimal(check.want), check.status)


def test_the_list_of_corrections_is_what_the_data_says() -> None:
    assert corrections_page.PAGE.read_text("utf-8") == corrections_page.page(shipped_corrections()), (
        "`make format` writes it"
    )


BATCH = Conditions(batch=True)


def test_a_replaced_skus_prices_are_withdrawn_and_its_names_are_kept() -> None:
    public = [
        model("m", "m-latest"), price("m", "input_tokens", "3"), price("m", "output_tokens", "9"),
        price("m", "input_tokens", "1.5", when=BATCH), price("n", "input_tokens", "7"),
    ]  # fmt: skip
    replaces = 'replaces = [{ sku = "m", was = "" }]\n'
    entries = lay_over(public, rules(SAID + replaces + FOUR + CHECK))
    assert said(entries) == {("m", "input_tokens"): ["4"], ("n", "input_tokens"): ["7"]}
    assert ask_entries(entries, "m-latest", {"input_tokens": 1_000_000}) == 4
    one_unit = replaces.replace("was", 'units = ["input_tokens"], was')
    entries = lay_over(public, rules(SAID + one_unit + FOUR + CHECK))
    assert said(entries)["m", "output_tokens"] == ["9"]
    assert said(entries)["m", "input_tokens"] == ["4"]


def test_names_that_a_correction_states_take_the_place_of_the_public_ones() -> None:
    public = [model("m", "m-latest"), price("m", "input_tokens", "3")]
    named = '[[correction.model]]\nsku = "m"\naliases = ["m-one"]\n'
    entries = lay_over(public, rules(SAID + named + CHECK))
    assert ask_entries(entries, "m-one", {"input_tokens": 1_000_000}) == 3
    assert PriceBook(entries).meaning("", "openai", "m-latest").model is None


def test_a_public_price_that_would_price_the_same_event_gives_way() -> None:
    public = [price("m", "input_tokens", "3"), price("m", "input_tokens", "1.5", when=BATCH)]
    entries = lay_over(public, rules(SAID + FOUR + CHECK))
    assert said(entries) == {("m", "input_tokens"): ["1.5", "4"]}
    assert ask_entries(entries, "m", {"input_tokens": 1_000_000}) == 4


def test_a_new_release_of_the_public_catalog_changes_what_it_said_of_a_replaced_sku() -> None:
    (rule,) = rules(SAID + FOUR + CHECK)
    said = Replaced(sku="m", was="")
    one = PublicEntries([model("m"), price("m", "input_tokens", "3")]).said_of(rule, said)
    other = PublicEntries([model("m"), price("m", "input_tokens", "3.1")]).said_of(rule, said)
    assert len({one, other, PublicEntries([]).said_of(rule, said)}) == 3


def test_two_corrections_neither_say_nor_replace_the_same() -> None:
    other = SAID.replace('"dear"', '"dearer"')
    with pytest.raises(CatalogError, match="openai/dearer says again what another says: openai/dear"):
        lay_over([], rules(SAID + FOUR + CHECK + other + FOUR + CHECK))
    replaces = 'replaces = [{ sku = "m", was = "" }]\n'
    five = FOUR.replace('"4"', '"5"')
    with pytest.raises(CatalogError, match="openai/dear and openai/dearer both replace openai/m"):
        lay_over(
            [price("m", "input_tokens", "3")],
            rules(SAID + replaces + FOUR + CHECK + other + replaces + five + CHECK),
        )


def test_one_providers_part_of_the_corrections_is_the_same_entries() -> None:
    whole = {entry.id: entry for entry in load_snapshot()}
    for provider in sorted({entry.provider for entry in load_public() if isinstance(entry, Price)}):
        part = load_snapshot(provider)
        PriceBook(part)
        theirs = {key for key, entry in whole.items() if getattr(entry, "provider", "") == provider}
        assert theirs <= {entry.id for entry in part} <= whole.keys()


def said(entries: list[Any]) -> Mapping[tuple[str, str], list[str]]:
    """The prices, by sku and unit."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if isinstance(entry, Price):
            found.setdefault((entry.sku, entry.unit), []).append(entry.price)
    return {key: sorted(prices) for key, prices in found.items()}


def ask_entries(entries: list[Any], sku: str, usage: dict[str, int]) -> Decimal:
    return rate(used("openai", sku, usage), PriceBook(entries)).list
