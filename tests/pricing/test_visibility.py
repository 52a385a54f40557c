"""Who may see which entry of the catalog: the one rule, whoever asks and for what."""

from __future__ import annotations

import pytest

from spendmeter.contracts.catalog import PeriodTerm, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.visibility import EVERYBODY, Viewer, viewer
from tests.pricing.entries import RECORDED, adjustment, model, price, terms

LIST = price("m", "input_tokens", "1")
OWN = price("m", "input_tokens", "0.7", layer="organisation", tenant="acme")
FRAME = price("m", "input_tokens", "0.5", layer="contract", contract="frame-9", kind="contracted")
REBATE = adjustment("rebate", "0.9", layer="contract", contract="frame-9")
ALLOWANCE = identified(
    PeriodTerm(
        effect="allowance",
        layer="contract",
        contract="frame-9",
        provider="openai",
        units=("input_tokens",),
        quantity="100",
        source="test",
        recorded_at=RECORDED,
    )
)
ACME = Viewer(tenant="acme", contracts=frozenset())
PARTY = Viewer(tenant="globex", contracts=frozenset({"frame-9"}))
OPERATOR = viewer(EVERYBODY, [])


@pytest.mark.parametrize(
    ("who", "seen"),
    [(ACME, [LIST, OWN]), (PARTY, [LIST, FRAME, REBATE, ALLOWANCE]), (OPERATOR, [LIST, FRAME, REBATE, ALLOWANCE])],
    ids=["a tenant", "a tenant with the contract", "an operator"],
)  # fmt: skip
def test_own_and_everybodys_entries_are_seen_and_a_contracts_by_those_who_have_it(
    who: Viewer, seen: list[object]
) -> None:
    assert who.visible([LIST, OWN, FRAME, REBATE, ALLOWANCE]) == seen


def test_contracts_are_those_of_all_of_a_tenants_terms_also_of_those_that_are_over() -> None:
    early = terms("acme", contracts=("frame-8",))
    late = terms("acme", contracts=("frame-9",), effective_from=RECORDED)
    others = terms("globex", contracts=("frame-7",))
    found = viewer("acme", [LIST, early, late, others])
    assert found == Viewer(tenant="acme", contracts=frozenset({"frame-8", "frame-9"}))


def test_a_withdrawal_names_what_its_viewer_may_see_of_it() -> None:
    gone = identified(Withdrawal(entries=(LIST.id, FRAME.id), source="test", recorded_at=RECORDED))
    [_, shown] = ACME.visible([LIST, FRAME, gone])
    assert isinstance(shown, Withdrawal)
    assert (shown.id, shown.entries) == (gone.id, (LIST.id,))


def test_names_and_terms_of_nobody_in_particular_are_everybodys() -> None:
    assert ACME.visible([model("m"), terms("globex"), terms("acme")]) == [model("m"), terms("acme")]
