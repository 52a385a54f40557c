"""spendmeter dimensions list, add and retire."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli._http import access, problem_text, request
from cli._running import fail

app = typer.Typer(
    help="A tenant's own dimensions: labels of these names are kept, grouped and filtered by.",
    no_args_is_help=True,
)

DimensionName = Annotated[str, typer.Argument(help="As senders write the label: cost_centre")]
Why = Annotated[str, typer.Option(help="For whoever asks later.")]
Whose = Annotated[str, typer.Option(help="Whose, with an operator's key.")]


@app.command("list")
def list_all(tenant: Whose = "") -> None:
    """What the tenant has declared, and whether its labels are kept still."""
    _show(_asked("GET", "", tenant))


@app.command()
def add(name: DimensionName, reason: Why, tenant: Whose = "") -> None:
    """Declare a dimension, or a retired one again. Needs a key with the scope admin.

    \b
    Example: spendmeter dimensions add cost_centre --reason "finance books by it"
    """
    _show(_asked("POST", "", tenant, json={"name": name, "reason": reason}))


@app.command()
def retire(name: DimensionName, reason: Why, tenant: Whose = "") -> None:
    """Keep labels of that name no longer; what is booked can still be asked for by it."""
    _show(_asked("POST", f"/{name}/retire", tenant, json={"reason": reason}))


def _asked(method: str, path: str, tenant: str, **more: Any) -> dict[str, Any]:
    system = access()
    answer = request(method, f"{system.api_url}/v1/dimensions{path}", system.key, tenant=tenant, **more)
    if not answer.is_success:
        fail(problem_text(answer))
    found: dict[str, Any] = answer.json()
    return found


def _show(answer: dict[str, Any]) -> None:
    for own in answer["own"]:
        state = "active" if own["active"] else "retired"
        typer.echo(f"{own['name']:<32}  {state:<7}  {own['at'][:16]}  {own['by']}: {own['reason']}")
    if not answer["own"]:
        typer.echo("no dimensions of its own")
