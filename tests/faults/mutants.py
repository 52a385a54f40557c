"""Breaks the ledger on purpose, in a copy of the tree, and expects its tests to turn red.

    python -m tests.faults.mutants      exit code 0 when every mutant was caught

The tree itself is never touched, so there is nothing to restore.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("spendmeter", "services", "deploy", "tests", "pyproject.toml")
SECONDS_MAX = 240
RED = 1
"""pytest's exit code for "ran, and some failed": any other means that it could not run."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One bug: `before` becomes `after` in `file`, and one of `tests` must fail."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        name="no ON CONFLICT",
        file="services/ledger/sql/book.sql",
        before="ON CONFLICT (identity) DO NOTHING\nRETURNING identity",
        after="RETURNING identity",
        tests=("tests/ledger/test_book.py",),
    ),
    Mutant(
        name="Kafka committed before Postgres",
        file="services/ledger/lane.py",
        before="batch = collect(self.progress, records)\n",
        after="batch = collect(self.progress, records)\n"
        "        applied = {'position': batch.position, 'next_origin': batch.next_origin}\n"
        "        self.progress = BookPosition(**vars(self.progress) | applied)\n",
        tests=("tests/faults/test_commit_order.py",),
    ),
    Mutant(
        name="rollups from the message instead of the returned rows",
        file="services/ledger/book.py",
        before="sums = rollup(booked)",
        after="sums = rollup(batch.usage.values())",
        tests=("tests/ledger/test_book.py",),
    ),
)


def caught(mutant: Mutant) -> bool:
    """Whether the tests notice the bug. RuntimeError when the bug no longer fits the code, or when the tests
    could not run."""
    with tempfile.TemporaryDirectory(prefix="mutant") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy)
        (copy / ".spendmeter").mkdir()
        (copy / ".spendmeter" / "kafka").symlink_to(ROOT / ".spendmeter" / "kafka")
        target = copy / mutant.file
        text = target.read_text()
        if text.count(mutant.before) != 1:
            raise RuntimeError(f"{mutant.name}: {mutant.file} does not say {mutant.before!r} once")
        target.write_text(text.replace(mutant.before, mutant.after))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests]
        environment = os.environ | {"PYTHONPATH": str(copy)}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX
        )
    if done.returncode not in (0, RED):
        raise RuntimeError(f"{mutant.name}: pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    print(f"{mutant.name}: {failed or 'green'}")
    return done.returncode == RED


def main() -> int:
    """Try all; says which were caught."""
    survivors = [mutant.name for mutant in MUTANTS if not caught(mutant)]
    for name in survivors:
        print(f"NOT CAUGHT: {name}")
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} deliberate bugs turned the tests red")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
