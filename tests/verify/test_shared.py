"""A second opinion is one only where it is of another's making: what verify shares with what it checks."""

from __future__ import annotations

import ast
from pathlib import Path

import spendmeter

ROOT = Path(spendmeter.__path__[0])
SHARED = {"spendmeter.platform.kafka_access", "spendmeter.platform.sql", "spendmeter.platform.topic_ids"}
READ = {"tables.md", "units.toml"}


def imported(file: Path) -> set[str]:
    """The modules of ours that a file imports, at its head or anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.partition(".")[0] in ("spendmeter", "services", "deploy", "cli")}


def own(names: set[str]) -> set[str]:
    return {name for name in names if name == "spendmeter.verify" or name.startswith("spendmeter.verify.")}


def test_verify_imports_three_files_that_neither_read_nor_price_an_event() -> None:
    names = set().union(*(imported(file) for file in (ROOT / "verify").glob("*.py")))
    assert names - own(names) == SHARED


def test_what_it_imports_brings_nothing_else_of_ours_along() -> None:
    for name in SHARED:
        assert imported(ROOT.parent / Path(*name.split(".")).with_suffix(".py")) <= SHARED


def test_the_readme_names_each_file_that_it_shares_and_each_table_that_it_reads() -> None:
    readme = (ROOT / "verify" / "README.md").read_text("utf-8")
    said = readme.partition("**What it shares with what it checks.**")[2].partition("\n\n")[0]
    for name in SHARED:
        assert f"`platform/{name.rpartition('.')[2]}.py`" in said
    source = "".join(file.read_text("utf-8") for file in (ROOT / "verify").glob("*.py"))
    for table in READ:
        assert f'"{table}"' in source
        assert f"`contracts/{table}`" in said
