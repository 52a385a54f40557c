"""The one way to a terminal: senders choose ids, labels and reasons, and none of them may steer it."""

import json
from collections.abc import Iterable
from typing import Any

import typer

from spendmeter.contracts.visible import visible


def say(*lines: str, err: bool = False) -> None:
    """Print each as one line, whatever it holds; without any, an empty one."""
    typer.echo(as_text(lines), err=err)


def say_as_json(answer: Any) -> None:
    """Print it for programs: JSON has escapes of its own for what is not ASCII."""
    typer.echo(json.dumps(answer, indent=2))


def say_as_json_line(answer: Any) -> None:
    """The same on one line, for a program that reads many."""
    typer.echo(json.dumps(answer, default=str))


def as_text(lines: Iterable[str]) -> str:
    """These lines, and no more than these."""
    return "\n".join(map(visible, lines))
