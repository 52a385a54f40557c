"""What commands that correct what is booked share: the api as a key that may, and a question before it is
done."""

import sys
from typing import Annotated, Any

import typer

from cli._http import problem_of, problem_text, request
from cli._running import environment_values, fail

ReasonOption = Annotated[str, typer.Option(help="Why; it stays on the receipt.", prompt="Why")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
OfTenantOption = Annotated[str, typer.Option("--tenant", help="For an operator's key: whose events.")]
TIMEOUT_S = 30.0
"""The api waits for the broker, and then for the corrector."""
NOTHING_CHANGED = ("refused", "superseded", "unknown")


def ask(method: str, path: str, tenant: str, query: Any = None, *, body: Any = None) -> Any:
    """The api's answer, as SPENDMETER_ADMIN_KEY; ends the command with what it says when it refuses."""
    url, key = environment_values("SPENDMETER_API_URL", "SPENDMETER_ADMIN_KEY")
    url = f"{url.rstrip('/')}/v1/{path}"
    answer = request(method, url, key, tenant=tenant, timeout_s=TIMEOUT_S, params=query, json=body)
    if not answer.is_success:
        hint = "\nadd --tenant TENANT" if problem_of(answer).get("title") == "No tenant" else ""
        fail(problem_text(answer) + hint, problem_of(answer))
    return answer.json()


def confirm(question: str, yes: bool) -> None:
    """Ask, where somebody sits at a terminal; ends the command at a no."""
    if not yes and at_a_terminal():
        typer.confirm(question, abort=True)


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def print_correction(answer: Any) -> None:
    """What became of it, for people; ends the command with exit code 1 where nothing will."""
    typer.echo(answer["summary"])
    typer.echo(f"{answer['source']}/{answer['id']}: {asked(answer)}")
    for entry in answer["entries"]:
        amount = f"{entry['effective']} {entry['currency']}"
        typer.echo(f"  {entry['seq']} {entry['kind']:<11}  {amount:>20}  {entry['status']}")
    if answer["state"] in NOTHING_CHANGED:
        raise typer.Exit(1)


def asked(correction: Any) -> str:
    """What was asked for, by whom and why."""
    revision = f", revision {correction['revision']}" if correction["kind"] == "amend" else ""
    named = f"{correction['kind']}{revision} {correction['correction_id']}"
    return f"{named} by {correction['author']}: {correction['reason']}"
