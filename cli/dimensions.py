"""spendmeter dimensions list, add and retire."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._terminal import say

app = typer.Typer(
    help="A tenant's own dimensions: labels of these names are kept, grouped and filtered by.",
    no_args_is_help=True,
)

DimensionName = Annotated[str, typer.Argument(help="As senders write the label: cost_centre")]
Why = Annotated[str, typer.Option(help="For whoever asks later.")]


@app.command("list")
def list_all(tenant: OfTenantOption = "") -> None:
    """What the tenant has declared, and whether its labels are kept still."""
    _show(ask("GET", "dimensions", tenant))


@app.command()
def add(name: DimensionName, reason: Why, tenant: OfTenantOption = "") -> None:
    """Declare a dimension, or a retired one again. It goes as SPENDMETER_ADMIN_KEY.

    \b
    Example: spendmeter dimensions add cost_centre --reason "finance books by it"
    """
    _show(ask("POST", "dimensions", tenant, body={"name": name, "reason": reason}))


@app.command()
def retire(name: DimensionName, reason: Why, tenant: OfTenantOption = "") -> None:
    """Keep labels of that name no longer; what is booked can still be asked for by it."""
    _show(ask("POST", f"dimensions/{name}/retire", tenant, body={"reason": reason}))


def _show(answer: dict[str, Any]) -> None:
    for own in answer["own"]:
        state = "active" if own["active"] else "retired"
        say(f"{own['name']:<32}  {state:<7}  {own['at'][:16]}  {own['by']}: {own['reason']}")
    if not answer["own"]:
        say("no dimensions of its own")
