"""Models, what they cost, and what was ever recorded of them."""

from typing import Annotated

import typer

from cli._instants import instant, minute
from cli._options import JsonOption, ModelArgument, TenantOption, printed_as_json
from cli._terminal import say
from cli.catalog._api import ask, ask_model
from cli.catalog._print import entry_line, order


def list_models(
    search: Annotated[str, typer.Argument(help="A part of a name or an alias.")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider's.")] = "",
    at: Annotated[
        str, typer.Option(help="The instant to look at, as 2026-11-01T00:00:00Z. Default: now.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """List models and what they cost.

    \b
    Examples:
      spendmeter catalog list sonnet
      spendmeter catalog list --provider openai --at 2025-06-01T00:00:00Z
    """
    asked = {"q": search, "provider": provider, "limit": str(limit)} | ({"at": instant(at)} if at else {})
    answer = ask("GET", "models", tenant, asked)
    if printed_as_json(answer, json):
        return
    if not answer["models"]:
        say("nothing in the catalog has such a name")
    for model in answer["models"]:
        say(f"{model['provider']}/{model['sku']}{'  (retired)' if model['retired'] else ''}")
        for price in sorted(model["prices"], key=order):
            say(f"  {entry_line(price)}")
    if answer["next_cursor"]:
        say(f"... and more: search for a longer part of the name, or --limit above {limit}")


def show(model: ModelArgument, tenant: TenantOption = "", json: JsonOption = False) -> None:
    """Show a model: its names and what prices it now.

    \b
    Examples:
      spendmeter catalog show anthropic/claude-sonnet-4-5
    """
    answer = ask_model(model, tenant)
    if printed_as_json(answer, json):
        return
    for meant in answer["naming"]:
        say(meant)
    say(f"{answer['provider']}/{answer['sku']}")
    if answer["aliases"]:
        say(f"also: {', '.join(answer['aliases'])}")
    for price in sorted(answer["prices"], key=order):
        say(f"  {price['entry']['id']}  {entry_line(price)}")


def history(model: ModelArgument, tenant: TenantOption = "", json: JsonOption = False) -> None:
    """Show everything ever recorded of a model: stated and withdrawn, minute, by whom, why.

    \b
    Examples:
      spendmeter catalog history openai/o3
    """
    answer = ask_model(model, tenant)
    if printed_as_json(answer, json):
        return
    for row in answer["history"]:
        why = row["entry"].get("note", "")
        say(f"{row['entry']['id']}  {entry_line(row)}")
        say(
            f"  stated {minute(row['recorded_at'])} in {row['version']} by {row['recorded_by']}"
            f"{why and ': ' + why}"
        )
        if row["withdrawn_version"]:
            why = row["withdrawn_why"]
            say(
                f"  withdrawn {minute(row['withdrawn_at'])} in {row['withdrawn_version']} by "
                f"{row['withdrawn_by']}{why and ': ' + why}"
            )
