"""How often the true cause of an incident is named first: `python -m tests.benchmarks.causes`.

Cases are of the kind of the public generators (`cause_cases.py`) and as tenants are (`tenant_cases.py`), from seeds
that nothing was tuned on. A case counts where the first causes, as many as there are true ones, are the true ones:
the same dimensions and values (of tenants: the same leaves, for an agent and its only feature are one). Beside it
the rule that alerts had and an Adtributor of our own, which can name no combination.

`python -m tests.benchmarks.causes FILE.csv [DEPTH]`: causes of somebody else's case, up to DEPTH dimensions each (2). Columns `real` and `predict`, or `actual`
and `expected`; every other one is a dimension. Prints a cause a line, largest first; where less was spent than
expected, causes of that.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path

from services.alerts.cause.leaves import Leaf
from services.alerts.cause.search import find_causes
from tests.benchmarks.cause_baselines import first_dimension, surprising_dimension
from tests.benchmarks.cause_cases import CauseCase, cases
from tests.benchmarks.tenant_cases import tenant_cases

HELD_OUT = 20_000
"""Seeds below 100 were looked at while this was made."""
NUMBER = 10
"""Of each kind, and each move."""
CAUSES_MAX = 10

Named = Sequence[Mapping[str, str]]


def searched(leaves: Sequence[Leaf], dimensions: Sequence[str]) -> Named:
    """As alerts do, but for the number of causes."""
    return [cause.scope for cause in find_causes(leaves, dimensions, causes_max=CAUSES_MAX)]


METHODS: dict[str, Callable[[Sequence[Leaf], Sequence[str]], Named]] = {
    "ours": searched,
    "first_dimension_with_80_percent": first_dimension,
    "explanatory_power_and_surprise": surprising_dimension,
}


def cause_first(number: int = NUMBER, seed: int = HELD_OUT) -> dict[str, object]:
    """Shares of cases in which the true causes come first, of all and by kind, ours and the baselines'; how long the
    longest search took."""
    right: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    longest = 0.0
    for case in chain(cases(seed, number), tenant_cases(seed, number)):
        for method, ask in METHODS.items():
            began = time.perf_counter()
            named = ask(case.leaves, case.dimensions)
            longest = max(longest, time.perf_counter() - began)
            right[method, case.kind].append(is_right(case, named))
    shares = {
        method: _share([good for (of, _), each in right.items() if of == method for good in each])
        for method in METHODS
    }
    return {
        "cases": len(list(chain.from_iterable(each for (of, _), each in right.items() if of == "ours"))),
        "cause_first": shares.pop("ours"),
        "by_kind": {kind: _share(each) for (of, kind), each in right.items() if of == "ours"},
        "baselines": shares,
        "longest_search_s": round(longest, 2),
    }  # fmt: skip


def is_right(case: CauseCase, named: Named) -> bool:
    """Whether the true causes come first, in any order among themselves."""
    first = named[: len(case.truth)]
    if case.by_leaves:
        return {_held(case, scope) for scope in first} == {_held(case, scope) for scope in case.truth}
    return len(first) == len(case.truth) and all(scope in case.truth for scope in first)


def _held(case: CauseCase, scope: Mapping[str, str]) -> frozenset[int]:
    wanted = [(case.dimensions.index(name), value) for name, value in scope.items()]
    return frozenset(
        number
        for number, leaf in enumerate(case.leaves)
        if all(leaf.values[place] == value for place, value in wanted)
    )


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 3)


def read(path: Path) -> tuple[list[Leaf], list[str]]:
    """A case from a file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    actual, expected = ("real", "predict") if "real" in rows[0] else ("actual", "expected")
    dimensions = [name for name in rows[0] if name not in {actual, expected}]
    leaves = [
        Leaf(tuple(row[name] for name in dimensions), _amount(row[actual]), _amount(row[expected]))
        for row in rows
    ]
    return leaves, dimensions


def _amount(text: str) -> Decimal:
    return Decimal(f"{float(text):.12f}")


def main() -> None:
    """Print shares, and one JSON object last; or the causes of a file."""
    if len(sys.argv) > 1:
        depth = int(sys.argv[2]) if len(sys.argv) > 2 else 2
        for cause in find_causes(*read(Path(sys.argv[1])), causes_max=CAUSES_MAX, depth_max=depth):
            scope = "&".join(f"{name}={value}" for name, value in sorted(cause.scope.items()))
            print(f"{scope}\texcess {cause.excess:.2f}\tshare {cause.share}")
        return
    print(__doc__)
    result = cause_first()
    for kind, share in dict(result["by_kind"]).items():  # type: ignore[call-overload]
        print(f"{kind:24}{share:>7.1%}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
