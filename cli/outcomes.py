"""spendmeter outcomes."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

ROWS_MAX = 200


def command(
    run: Annotated[str | None, typer.Option(help="Of this run.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Of this workflow.")] = None,
    name: Annotated[str | None, typer.Option(help="Of this name.")] = None,
    state: Annotated[str | None, typer.Option(help="open, accepted, refused or reversed.")] = None,
    since: Annotated[str | None, typer.Option(help="A day or an instant. Default: a day ago.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many.")] = 50,
    faults: Annotated[
        bool, typer.Option("--faults", help="What was accepted and is not kept, and why.")
    ] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what work achieved, as outcome events say it, and what became of each: accepted, refused,
    reversed, or still open.

    \b
    Examples:
      spendmeter outcomes --state open --since 2026-11-01
      spendmeter outcomes --workflow refund --tenant acme --json
      spendmeter outcomes --faults
    """
    asked: dict[str, Any] = {"from": since, "limit": limit}
    if not faults:
        asked |= {"run": run, "workflow": workflow, "name": name, "state": state}
    parameters = {key: value for key, value in asked.items() if value is not None}
    found = read("outcomes/faults" if faults else "outcomes", tenant, parameters)
    if not printed_as_json(found, as_json):
        _print_faults(found["faults"]) if faults else _print(found["outcomes"])
        if found["next_cursor"]:
            say("There are older ones: --limit, or another --since.")


def _print(outcomes: list[dict[str, Any]]) -> None:
    for each in outcomes:
        worth = f", worth {each['value']} {each['currency']}" if each["value"] is not None else ""
        by = each["said_by"]
        said = f" by {by['source']}/{by['id']} ({by['at']})" if by else ""
        say(f"{each['time']} {each['count']:,} {each['name']}{worth}: {each['state']}{said}")
        of = [each["source"] + "/" + each["id"]]
        if each["run"]:
            of.append(f"run {each['run']}")
        if each["workflow"]:
            of.append(f"workflow {' '.join(filter(None, (each['workflow'], each['workflow_version'])))}")
        say(f"  {', '.join(of)}")
    if not outcomes:
        say("none")


def _print_faults(faults: list[dict[str, Any]]) -> None:
    for each in faults:
        named = f"{each['source']}/{each['id']}" if each["id"] else "one that names no id"
        say(f"{each['recorded_at']} {each['fault']}: {named} of key {each['key_id'] or '(none)'}")
        say(f"  {each['reason']}")
    if not faults:
        say("none")
