"""The import contracts of pyproject.toml hold, and each of them turns red when one import goes the wrong way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import PACKAGES, ROOT

WRONG = {
    "layers": ("spendmeter/platform/settings.py", "import deploy.local.home"),
    "services": ("services/rating/rate.py", "from services.ledger import book"),
    "library": ("spendmeter/platform/postgres.py", "from spendmeter.pricing import engine"),
    "pure": ("spendmeter/pricing/engine.py", "import asyncpg"),
    "second-reader": ("spendmeter/verify/usage.py", "from spendmeter.contracts import events"),
    "cycles": (
        "services/ledger/batch.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from services.ledger import book",
    ),
}
"""Contract to (file, what is put at its end): the last one is seen by type checkers alone."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The sources and the contracts, to be spoiled."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(clone: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


def broken(output: str) -> str:
    return "\n".join(line for line in output.splitlines() if line.endswith("BROKEN"))


def test_every_import_goes_the_way_that_the_contracts_say(clone: Path) -> None:
    done = lint(clone)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("contract", WRONG)
def test_an_import_the_wrong_way_is_seen(clone: Path, contract: str) -> None:
    path, line = WRONG[contract]
    with (clone / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint(clone)
    assert done.returncode != 0
    assert "BROKEN" in done.stdout
    assert Path(path).stem in done.stdout.partition("Broken contracts")[2]


def test_every_contract_has_an_import_that_would_break_it() -> None:
    config = (ROOT / "pyproject.toml").read_text("utf-8")
    assert {line.split('"')[1] for line in config.splitlines() if line.startswith('id = "')} == set(WRONG)
