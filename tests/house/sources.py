"""The source files that the house rules are about: everything that runs, and nothing of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "deploy", "services", "spendmeter")


def sources() -> Iterator[tuple[str, str]]:
    """(path from the root, text) of every Python file."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def trees() -> Iterator[tuple[str, ast.Module]]:
    """(path from the root, syntax tree) of every Python file."""
    for path, text in sources():
        yield path, ast.parse(text)
