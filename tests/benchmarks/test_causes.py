"""The benchmark of causes on a small scale: its cases, its baselines, and somebody else's file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from services.alerts.cause.search import find_causes
from tests.benchmarks.cause_baselines import first_dimension, surprising_dimension
from tests.benchmarks.cause_cases import KINDS, MOVES, cases
from tests.benchmarks.causes import is_right, read, searched
from tests.benchmarks.tenant_cases import tenant_cases

SMALL = ((6, 8, 10, 5),)


def test_the_true_causes_come_first_in_nine_of_ten() -> None:
    found = [*cases(20_001, 1, SMALL), *tenant_cases(20_001, 2)]
    right = [is_right(case, searched(case.leaves, case.dimensions)) for case in found]
    assert sum(right) >= 0.9 * len(right)


def test_cases_are_the_same_for_the_same_seed_and_of_every_kind() -> None:
    assert list(cases(7, 1, SMALL)) == list(cases(7, 1, SMALL))
    assert {case.kind for case in cases(7, 1, SMALL)} == {
        f"{kind}_{move}" for kind in KINDS for move in MOVES
    }


def test_baselines_know_single_values_and_no_pair() -> None:
    by_kind = {case.kind: case for case in cases(7, 1, SMALL)}
    single, pair = by_kind["single_rise"], by_kind["pair_rise"]
    for ask in (first_dimension, surprising_dimension):
        assert is_right(single, ask(single.leaves, single.dimensions))
        assert not is_right(pair, ask(pair.leaves, pair.dimensions))


def test_a_file_of_the_public_generators_is_read(tmp_path: Path) -> None:
    rows = ["a,b,real,predict"]
    rows += [f"a{a},b{b},{5.5 if a == 1 and b == 2 else 10},10.0" for a in range(4) for b in range(4)]
    path = tmp_path / "case.csv"
    path.write_text("\n".join(rows))
    leaves, dimensions = read(path)
    (cause,) = find_causes(leaves, dimensions)
    # It fell, so that is what is explained.
    assert (cause.scope, cause.excess) == ({"a": "a1", "b": "b2"}, Decimal("-4.5"))
