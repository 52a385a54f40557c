"""The tests of the tests: a deliberate bug in the ledger must turn them red."""

from __future__ import annotations

import pytest

from tests.faults.mutants import MUTANTS, Mutant, caught


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_tests_notice(mutant: Mutant) -> None:
    assert caught(mutant)
