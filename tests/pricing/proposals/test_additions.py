"""What a price file adds to the catalog and takes the place of, and who may state and withdraw what."""

from __future__ import annotations

from typing import Any

import pytest

from spendmeter.contracts.catalog import CatalogEntry, Price, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.additions import additions, attributed
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.entries import NOON, RECORDED, model, price, terms, unit
from tests.pricing.proposals.snapshots import snapshot

IN, OUT, NAMED = price("m", "input_tokens", "1"), price("m", "output_tokens", "2"), model("m", "m-latest")
OWN = {"layer": "organisation", "tenant": "acme"}
STANDING = snapshot(IN, OUT, NAMED)


def add(
    *stated: CatalogEntry, to: CatalogSnapshot = STANDING, as_tenant: str = EVERYBODY, **more: Any
) -> list[CatalogEntry]:
    return additions(to, stated, as_tenant=as_tenant, source="a test", now=NOON, **more)


def withdrawn(added: list[CatalogEntry]) -> tuple[str, ...]:
    [withdrawal] = [entry for entry in added if isinstance(entry, Withdrawal)]
    return withdrawal.entries


def test_what_is_in_force_already_is_not_added_again() -> None:
    new = price("n", "input_tokens", "3")
    assert add(IN, new) == [new]
    with pytest.raises(CatalogError, match="nothing is new: all of it is in force already"):
        add(IN, OUT)
    with pytest.raises(CatalogError, match="states nothing"):
        add()


def test_a_file_that_replaces_ends_what_else_is_in_force_about_the_same_in_one_withdrawal() -> None:
    dearer, elsewhere = price("m", "input_tokens", "3"), price("n", "input_tokens", "1")
    added = add(dearer, to=snapshot(IN, OUT, NAMED, elsewhere), replaces=True)
    assert added[0] == dearer
    assert withdrawn(added) == tuple(sorted((IN.id, OUT.id))), "not the name, and not the price of another"
    assert withdrawn(add(dearer, IN, replaces=True)) == (OUT.id,), "what is stated again stays"


def test_a_replacement_for_one_tenant_leaves_everybodys_price_in_force() -> None:
    added = add(price("m", "input_tokens", "0.7", **OWN), as_tenant="acme", replaces=True)
    assert [type(entry) for entry in added] == [Price]


def test_a_withdrawal_in_the_file_and_one_beside_it_are_one_of_whoever_asks() -> None:
    mine = price("m", "input_tokens", "0.7", **OWN)
    other = price("n", "input_tokens", "0.7", **OWN)
    inside = identified(Withdrawal(entries=(mine.id,), source="test", recorded_at=RECORDED))
    [gone] = add(inside, to=snapshot(IN, mine, other), as_tenant="acme", withdraw=[other.id])
    assert isinstance(gone, Withdrawal)
    assert gone.entries == tuple(sorted((mine.id, other.id)))
    assert (gone.tenant, gone.source, gone.recorded_at) == ("acme", "a test", NOON)


def test_what_was_withdrawn_is_stated_anew_under_another_id() -> None:
    gone = identified(Withdrawal(entries=(IN.id,), source="test", recorded_at=RECORDED))
    [again] = add(IN, to=snapshot(IN, OUT, gone))
    assert (again.revision, again.id == IN.id) == (1, False)
    assert isinstance(again, Price) and again.price == "1"


def test_a_model_that_says_no_more_than_its_name_heads_its_prices_and_changes_nothing() -> None:
    new = price("m", "input_tokens", "0.9", when=IN.when, kind="contracted")
    assert add(model("m"), new, replaces=False) == [new]
    assert add(model("q"), to=snapshot(IN)) == [model("q")], "nobody knew that name"


def test_terms_are_stated_beside_others_of_the_same_instant_only_in_their_place() -> None:
    before, after = terms("acme"), terms("acme", contracts=("deal",))
    with pytest.raises(CatalogError, match=f"acme has terms already, entry {before.id}"):
        add(after, to=snapshot(before))
    assert withdrawn(add(after, to=snapshot(before), replaces=True)) == (before.id,)
    later = terms("acme", contracts=("deal",), effective_from=RECORDED)
    assert add(later, to=snapshot(before)) == [later]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (price("n", "input_tokens", "1"), 'states prices of its own alone; write tenant = "acme"'),
        (price("n", "input_tokens", "1", tenant="acme"), 'and layer = "organisation" \\(or "contract"\\)'),
        (price("n", "input_tokens", "1", layer="organisation", tenant="globex"), 'write tenant = "acme"'),
        (price("n", "input_tokens", "1", layer="contract", contract="x", tenant="acme"), "acme has no contract 'x'"),
        (price("m-latest", "input_tokens", "1", **OWN), f"{NAMED.id} both claim the name, which is an alias of m"),
        (model("n", "m-2"), "a model is everybody's: an operator proposes it, not tenant acme"),
        (unit("winks"), "a unit is everybody's"),
        (terms("acme"), "a tenantterms is everybody's"),
    ],
    ids=["everybody's", "public", "another's", "no contract", "an alias", "a name", "a unit", "terms"],
)  # fmt: skip
def test_a_tenant_states_prices_of_its_own_and_nothing_else(entry: CatalogEntry, reason: str) -> None:
    with pytest.raises(CatalogError, match=reason):
        add(entry, as_tenant="acme")


def test_a_tenant_states_prices_of_a_contract_that_it_has() -> None:
    agreed = price("m", "input_tokens", "0.5", layer="contract", contract="deal", tenant="acme")
    standing = snapshot(IN, terms("acme", contracts=("deal",)))
    assert add(agreed, to=standing, as_tenant="acme") == [agreed]


def test_a_tenant_withdraws_its_own_and_does_not_hear_of_anothers() -> None:
    mine = price("m", "input_tokens", "0.7", **OWN)
    theirs = price("m", "input_tokens", "0.6", layer="organisation", tenant="globex")
    standing = snapshot(IN, mine, theirs)
    assert withdrawn(add(to=standing, as_tenant="acme", withdraw=[mine.id])) == (mine.id,)
    for key, reason in (
        (theirs.id, "there is no entry"),
        ("aaaaaaaaaaaaa", "there is no entry"),
        (IN.id, "is everybody's: an operator withdraws it, not tenant acme"),
    ):
        with pytest.raises(CatalogError, match=reason):
            add(to=standing, as_tenant="acme", withdraw=[key])
    assert withdrawn(add(to=standing, withdraw=[theirs.id])) == (theirs.id,), "an operator may"


def test_what_is_withdrawn_already_is_not_withdrawn_again() -> None:
    gone = identified(Withdrawal(entries=(IN.id,), source="test", recorded_at=RECORDED))
    with pytest.raises(CatalogError, match=f"entry {IN.id} is withdrawn already"):
        add(to=snapshot(IN, gone), withdraw=[IN.id])


def test_who_says_so_and_why_is_no_part_of_what_is_said() -> None:
    [entry] = attributed([IN], by="key k1", note="they raised it", now=NOON)
    assert (entry.id, entry.by, entry.note, entry.recorded_at) == (IN.id, "key k1", "they raised it", NOON)
    [noted] = attributed(
        [price("m", "input_tokens", "1", note="its own")], by="x", note="the file's", now=NOON
    )
    assert noted.note == "its own"
