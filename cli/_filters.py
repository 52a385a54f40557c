"""Dimensions to filter by, as arguments."""

from collections.abc import Iterable
from typing import Annotated

import typer

from cli._running import usage_error

FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="NAME=VALUE, as in team=search; team= is what has none. Repeatable.",
        metavar="FILTER",
    ),
]


def filters(items: Iterable[str]) -> list[tuple[str, str]]:
    """Dimension and value of each; ends the command where one has not that form."""
    found = []
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            usage_error(f"--filter {item!r}: write NAME=VALUE, as in team=search")
        found.append((name, value))
    return found
