"""Bills as clouds write them, in FOCUS 1.2 and 1.3 and converted to 1.4 by somebody else's tool: to the last digit, and
the same rows in each version."""

from __future__ import annotations

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from services.api.imports.reader import HowToRead, read
from services.api.imports.rows import BilledRow, SnapshotSeen

ROWS = 300
COSTS = {
    "list": "ListCost",
    "contracted": "ContractedCost",
    "effective": "EffectiveCost",
    "billed": "BilledCost",
}


def toolkit(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "focus_data_toolkit", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 4), done.stdout + done.stderr  # 4: it has assumed what the source lacks


def rows_of(path: Path) -> list[BilledRow]:
    with path.open("rb") as file:
        found = list(read(file, HowToRead(labels=("feature=ServiceCategory",))))
    rows = [each for each in found if isinstance(each, BilledRow)]
    assert len(rows) + sum(isinstance(each, SnapshotSeen) for each in found) == len(found), "no row is bad"
    return rows


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_a_bill_is_the_same_in_each_version(provider: str, version: str, tmp_path: Path) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    toolkit(
        "generate", "--provider", provider, "--focus-version", version, "--rows", str(ROWS), "--out", older
    )
    (source,) = older.glob("*cost_and_usage*.csv")
    form = "parquet" if version == "1.2" else "csv"
    toolkit(
        "convert", "--cost-and-usage", source, "--mode", "synthetic", "--out", newer, "--output-format", form
    )
    (converted,) = newer.glob(f"*cost_and_usage*.{form}")
    with source.open(newline="", encoding="utf-8-sig") as file:
        written = list(csv.DictReader(file))
    rows = rows_of(source)
    assert len(rows) == ROWS
    for name, column in COSTS.items():
        assert sum(Decimal(getattr(row, name)) for row in rows) == sum(
            Decimal(row[column]) for row in written
        )
    assert {row.row_id: row.hash for row in rows_of(converted)} == {row.row_id: row.hash for row in rows}
