"""A change is compiled with all that stands, and compared as far as whoever states it may see."""

from __future__ import annotations

import pytest

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.check import check
from spendmeter.pricing.proposals.not_taken import FieldNotTaken, fields_not_taken
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.entries import model, price
from tests.pricing.proposals.snapshots import snapshot

IN = price("m", "input_tokens", "1")


def test_a_change_says_what_is_priced_otherwise_and_which_names_mean_another_model() -> None:
    change = check(snapshot(IN), [price("n", "input_tokens", "2"), model("n", "n-latest")], EVERYBODY)
    assert [(each.change, each.sku) for each in change.changes] == [("new", "n")]
    assert [each.says for each in change.renamed] == ["n-latest means openai/n"]
    assert change.book.version == 2


def test_what_to_confirm_comes_before_what_is_only_worth_a_look() -> None:
    batch = price("m", "input_tokens", "0.9", layer="organisation", when=IN.when)
    far = price("m", "output_tokens", "99", layer="organisation")
    change = check(snapshot(IN, price("m", "output_tokens", "2")), [batch, far], EVERYBODY)
    severities = [finding.severity for finding in change.findings]
    assert severities == sorted(severities, key=lambda severity: severity != "confirm")
    assert "confirm" in severities


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        ([price("m", "input_tokens", "2")], "overlap"),
        ([price("n", "input_tokens", "2", currency="XYZ")], "no book is in XYZ, and no rate converts it"),
    ],
)
def test_what_makes_no_price_book_or_can_price_nothing_is_refused(
    added: list[CatalogEntry], reason: str
) -> None:
    with pytest.raises(CatalogError, match=reason):
        check(snapshot(IN), added, EVERYBODY)


def test_a_tenants_change_is_compared_with_what_it_may_see_alone() -> None:
    theirs = price("m", "input_tokens", "0.0123", layer="organisation", tenant="globex")
    own = price("m", "input_tokens", "0.9", layer="organisation", tenant="acme")
    change = check(snapshot(IN, theirs), [own], "acme")
    assert "0.0123" not in str((change.changes, change.findings, change.renamed))
    assert [each.sku for each in change.changes] == ["m"]


def test_fields_that_are_not_taken_over_are_named_the_commonest_first() -> None:
    found = fields_not_taken({"y": ["off_peak", "tokenizer"], "x": ["off_peak"], "z": ["about"]})
    assert found == [
        FieldNotTaken(field="off_peak", models=2, of=["x", "y"]),
        FieldNotTaken(field="about", models=1, of=["z"]),
        FieldNotTaken(field="tokenizer", models=1, of=["y"]),
    ]
