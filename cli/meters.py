"""spendmeter meters show and set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._in_force import said_in, say_revision
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

app = typer.Typer(
    help="Meters: what events of other meters' clients (OpenMeter, Kong, Lago) mean for a tenant.",
    no_args_is_help=True,
)

_PATH = "meters"


@app.command()
def show(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """What is in force, by whom and why."""
    answer = ask("GET", _PATH, tenant)
    if not printed_as_json(answer, as_json):
        _show(answer)


@app.command("set")
def set_all(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="TOML with [[meters]]")],
    reason: Annotated[str, typer.Option("--reason", help="For whoever asks later.")],
    tenant: OfTenantOption = "",
) -> None:
    """Set all of them anew, as a file says.

    \b
    Example of a file:
      [[meters]]
      event_type = "image.generated"
      provider = "openai"
      sku = "$.model"
      counted = true
      unit = "images"
    """
    _show(ask("PUT", _PATH, tenant, body=said_in(file) | {"reason": reason}))


def _show(answer: dict[str, Any]) -> None:
    for meter in answer["meters"]:
        say(f"{meter['event_type']:<32}  {_told(meter)}")
    if not answer["meters"]:
        say("no meters of its own")
    say(f"everybody's: {', '.join(answer['built_in'])}")
    say_revision(answer)


def _told(meter: dict[str, Any]) -> str:
    if why := meter.get("ignored"):
        return f"costs nothing: {why}"
    units = [meter.get("unit", ""), *meter.get("units", {}).values(), *meter.get("usage", {})]
    used = ", ".join(dict.fromkeys(filter(None, units))) or f"usage as {meter.get('dialect')} states it"
    return f"{meter['provider']} {meter['sku']}: {used}"
