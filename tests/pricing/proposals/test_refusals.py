"""A refusal says what the entries are that it names, to those who may see them."""

from __future__ import annotations

from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.refusals import replacing_helps, with_entries_named
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.entries import price, terms
from tests.pricing.proposals.snapshots import snapshot

IN = price("m", "input_tokens", "1")
SECRET = price("m", "input_tokens", "0.456", layer="contract", contract="frame-9")
STANDING = snapshot(IN, SECRET, terms("globex"))


def test_an_entry_is_followed_by_its_place_in_the_file_or_by_what_it_says() -> None:
    error = CatalogError(f"entries {IN.id} and aaaaaaaaaaaaa overlap")
    named = with_entries_named(error, STANDING, "acme", {"aaaaaaaaaaaaa": "price[0]"})
    said = f"{IN.id} (1 USD per 1,000,000 input_tokens of openai/m)"
    assert str(named) == f"entries {said} and aaaaaaaaaaaaa (price[0]) overlap"


def test_an_entry_that_may_not_be_seen_is_named_and_not_quoted() -> None:
    error = CatalogError(f"entry {SECRET.id} is in the way")
    assert str(with_entries_named(error, STANDING, "acme", {})) == f"entry {SECRET.id} is in the way"
    assert "0.456" in str(with_entries_named(error, STANDING, EVERYBODY, {}))


def test_replacing_helps_where_what_is_in_the_way_is_about_the_same() -> None:
    error = CatalogError(f"{IN.id} overlaps")
    assert replacing_helps(error, STANDING, [price("m", "output_tokens", "3")])
    assert not replacing_helps(error, STANDING, [price("n", "output_tokens", "3")])
