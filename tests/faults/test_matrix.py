"""Every row of the matrix is answered: by faults that `make faults` knows, and by tests that exist."""

from __future__ import annotations

import ast
from collections import Counter
from decimal import Decimal

from deploy.local.home import CLONE
from tests.faults.compared import difference
from tests.faults.matrix import FAULTS, STAGES
from tests.faults.page import page
from tests.faults.rows import ROWS
from tests.faults.trial import Outcome


def test_the_rows_are_1_to_32() -> None:
    assert [row.number for row in ROWS] == list(range(1, 33))


def test_every_row_has_a_fault_or_a_test_and_every_fault_is_in_one_row_and_on_one_system() -> None:
    assert [row.number for row in ROWS if not row.faults and not row.tests] == []
    assert Counter(name for row in ROWS for name in row.faults) == Counter([*FAULTS])
    assert Counter(name for names in STAGES.values() for name in names) == Counter([*FAULTS])


def test_every_test_that_a_row_names_exists() -> None:
    assert [test for row in ROWS for test in row.tests if not exists(test)] == []


def exists(node: str) -> bool:
    file, _, name = node.partition("::")
    tree = ast.parse((CLONE / file).read_text("utf-8"))
    functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    return bool(functions) and (not name or name in functions)


def test_the_page_says_what_was_not_run_and_what_went_wrong() -> None:
    outcomes = {
        "kill rating": Outcome(
            name="kill rating", seed=7, at="2026-11-27 22:10", events=1_200, recovery_s=2.04, verified=True
        ),
        "full disk": Outcome(name="full disk", seed=0, at="2026-11-27 22:10", not_run="needs a mount"),
        "slow network": Outcome(name="slow network", seed=9, at="2026-11-27 22:12", lost=2, wrong="2 lost"),
    }
    text = page(outcomes)
    assert "| kill rating | 1,200 | 0 | 0 | 2.0 s | 7 | 2026-11-27 22:10 |" in text
    assert "| full disk | cannot be shown here: needs a mount |" in text
    assert "| slow network **wrong**: 2 lost | 0 | 2 | 0 |  | 9 | 2026-11-27 22:12, not verified |" in text
    assert "| kill ingest | not run yet |" in text


def event(id: str, outcome: str = "accepted") -> dict[str, object]:
    """1,000 tokens of gpt-4o at 2.50 USD a million are 0.0025 USD."""
    said = {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 1_000}}
    return {"tenant": "acme", "id": id, "outcome": outcome} | said


def test_a_log_against_a_book_with_one_missing_one_twice_and_one_that_nobody_sent() -> None:
    price = Decimal("0.0025")
    booked = {("acme", "a"): (1, price), ("acme", "b"): (2, 2 * price), ("acme", "x"): (1, price)}
    found = difference([event("a"), event("b"), event("c"), event("d", "unknown")], booked)
    assert (found.events, found.lost, found.doubled) == (4, 1, 2)
    assert found.wrong == "1 lost, 2 twice, of 4"


def test_a_log_whose_money_is_booked_otherwise_is_wrong() -> None:
    found = difference([event("a")], {("acme", "a"): (1, Decimal("0.0024"))})
    assert (found.lost, found.doubled) == (0, 0)
    assert found.wrong == "0.0024 USD booked, 0.0025000 were spent"
