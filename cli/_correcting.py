"""What commands that correct what is booked share: the reason, a question before it is done, and what came of
it."""

import sys
from typing import Annotated, Any

import typer

from cli._terminal import say
from spendmeter.contracts.visible import visible

ReasonOption = Annotated[str, typer.Option(help="Why; it stays on the receipt.", prompt="Why")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
NOTHING_CHANGED = ("refused", "superseded", "unknown")


def confirm(question: str, yes: bool) -> None:
    """Ask, where somebody sits at a terminal; ends the command at a no."""
    if not yes and at_a_terminal():
        typer.confirm(visible(question), abort=True)


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def print_correction(answer: Any) -> None:
    """What became of it, for people; ends the command with exit code 1 where nothing will."""
    say(answer["summary"])
    say(f"{answer['source']}/{answer['id']}: {asked(answer)}")
    for entry in answer["entries"]:
        amount = f"{entry['effective']} {entry['currency']}"
        say(f"  {entry['seq']} {entry['kind']:<11}  {amount:>20}  {entry['status']}")
    if answer["state"] in NOTHING_CHANGED:
        raise typer.Exit(1)


def asked(correction: Any) -> str:
    """What was asked for, by whom and why."""
    stated = correction["kind"] == "amend" and correction["revision"] >= 0  # below: the sender's own word
    revision = f", revision {correction['revision']}" if stated else ""
    named = f"{correction['kind']}{revision} {correction['correction_id']}"
    return f"{named} by {correction['author']}: {correction['reason']}"
