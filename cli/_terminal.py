"""The one way to a terminal: senders choose ids, labels and reasons, and none of them may steer it."""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import typer

from spendmeter.contracts.visible import visible


def say(*lines: str, err: bool = False) -> None:
    """Print each as one line, whatever it holds; without any, an empty one."""
    _write(as_text(lines), err=err)


def say_as_json(answer: Any) -> None:
    """Print it for programs: JSON has escapes of its own for what is not ASCII."""
    _write(json.dumps(answer, indent=2))


def say_as_json_line(answer: Any) -> None:
    """The same on one line, for a program that reads many."""
    _write(json.dumps(answer, default=str))


def as_text(lines: Iterable[str]) -> str:
    """These lines, and no more than these."""
    return "\n".join(map(visible, lines))


def _write(text: str, *, err: bool = False) -> None:
    """Who closes the pipe (`| head`) has enough: the command ends and says nothing. As an OSError it would be
    taken for trouble of what the command reads meanwhile."""
    try:
        typer.echo(text, err=err)
    except BrokenPipeError:
        stream = sys.stderr if err else sys.stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is left in it goes nowhere at exit
        raise typer.Exit(1) from None
