"""Rows as a table: as wide as the terminal, and in a file as wide as it needs."""

import sys
from collections.abc import Collection, Iterable, Sequence

from spendmeter.contracts.visible import visible

PLAIN_WIDTH = 1_000
"""Of a table that goes into a file: nothing of it is cut."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], figures: Collection[str] = ()) -> None:
    """`figures`: the columns that stand to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in figures else "left")
    for row in rows:
        table.add_row(*map(visible, row))
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    Console(markup=False, highlight=False, width=width).print(table)


def named(value: str | None) -> str:
    """A dimension's value; of events without one it is ''."""
    return value or "(none)"
