"""docs/faults.md, from what the faults' last runs on this machine said. Nobody writes in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from deploy.local.home import CLONE
from tests.faults.rows import ROWS, Row
from tests.faults.trial import Outcome

KEPT = CLONE / ".spendmeter" / "faults.json"
PAGE = CLONE / "docs" / "faults.md"
HEAD = """# What faults do to the book

Written by `make faults`: the matrix with real processes, each fault at a seeded random moment under load. *Events* is what the
sender sent meanwhile, by its own log; *lost* is what it was told of as accepted and is not in the book; *twice* is what is there
more than once, or in the rollups and not in the book. Both are looked up event by event after each fault, and the money is
compared to the last digit with prices written down by hand; the reconciler has proved each offset and found nothing. After all
faults of a system `spendmeter verify` reads the log and the book again (I1 to I9): where that has not been done, the row says "not
verified". *Recovered*: seconds from the fault's end until all that had been accepted by then was booked. One fault again: `make faults ARGS="--only 'zombie ledger' --seed 1"`.

| # | fault | what is expected | shown by | events | lost | twice | recovered | seed | when (UTC) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def kept() -> dict[str, Outcome]:
    """The last outcome of each fault here."""
    if not KEPT.exists():
        return {}
    return {each.name: each for each in msgspec.json.decode(KEPT.read_bytes(), type=list[Outcome])}


def page(outcomes: Mapping[str, Outcome]) -> str:
    """The whole text."""
    lines = [line for row in ROWS for line in _lines(row, outcomes)]
    seen = [f"- {each.name}: {each.seen}" for each in outcomes.values() if each.seen]
    tests = [f"- {row.number}: {', '.join(f'`{test}`' for test in row.tests)}" for row in ROWS if row.tests]
    parts = [HEAD + "\n".join(lines), "## What was seen", "\n".join(seen) or "Nothing yet."]
    return "\n\n".join([*parts, "## Tests that show a row", "\n".join(tests)]) + "\n"


def _lines(row: Row, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    head = (str(row.number), row.fault, row.expected)
    for name in row.faults:
        yield _table(*head, *_cells(name, outcomes.get(name)))
        head = ("", "", "")
    if not row.faults:
        yield _table(*head, "tests, see below", *[""] * 6)


def _cells(name: str, outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return (name, "not run yet", *[""] * 5)
    if outcome.not_run:
        return (name, f"cannot be shown here: {outcome.not_run}", *[""] * 5)
    recovered = f"{outcome.recovery_s:.1f} s" if outcome.recovery_s is not None else ""
    wrong = f" **wrong**: {outcome.wrong}" if outcome.wrong else ""
    figures = (f"{outcome.events:,}", str(outcome.lost), str(outcome.doubled), recovered)
    when = outcome.at if outcome.verified else f"{outcome.at}, not verified"
    return (name + wrong, *figures, str(outcome.seed), when)


def _table(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
