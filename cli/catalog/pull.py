"""Other people's price lists: what is new in them, what was approved, and taking that back."""

from typing import Annotated, Any

import typer

from cli._options import JsonOption
from cli._running import usage_error
from cli.catalog._api import ask
from cli.catalog._print import minute, printed_as_json

MODELS_SHOWN = 20
FAILED, OFFLINE = 1, 3
"""Exit codes: a file was refused, or the pull broke off; no source can be reached."""


def pull(
    show: Annotated[bool, typer.Option("--list", help="List what was pulled before; pull nothing.")] = False,
    withdraw: Annotated[int, typer.Option(help="Take back what the policy approved of this pull.")] = 0,
    reason: Annotated[str, typer.Option(help="With --withdraw: why.")] = "",
    json: JsonOption = False,
) -> None:
    """Pull the public price lists: what is new is proposed, and what the policy allows is approved.

    The policy approves new models alone, by their exact name, that two lists price alike and that cost about
    what their family costs (docs/catalog-sources.md). Exit code 1 where a file is refused, 3 offline: nothing
    is changed then.

    \b
    Examples:
      spendmeter catalog pull
      spendmeter catalog pull --list
      spendmeter catalog pull --withdraw 3 --reason "the vendor has no such model"
    """
    if show:
        answer = ask("GET", "pulls", "")
        if not printed_as_json(answer, json):
            for each in answer["pulls"]:
                _print_pull(each)
        return
    if withdraw:
        if not reason:
            usage_error("--withdraw: say why with --reason")
        done = ask("POST", f"pulls/{withdraw}/withdraw", "", body={"reason": reason})
        if not printed_as_json(done, json):
            typer.echo(f"what pull {withdraw} approved is withdrawn as version {done['withdrawn_version']}")
        return
    done = ask("POST", "pulls", "")
    if not printed_as_json(done, json):
        _print_pull(done)
    if done["state"] in ("refused", "failed", "away"):
        raise typer.Exit(OFFLINE if done["state"] == "away" else FAILED)


def _print_pull(pull: Any) -> None:
    typer.echo(f"pull {pull['id']}, {minute(pull['started_at'])} by {pull['started_by']}: {pull['says']}")
    for file in pull["files"]:
        what = f"{file['bytes']:,} bytes, sha256 {file['sha256']}" if file["sha256"] else file["says"]
        typer.echo(f"  {file['source']}: {file['state']}, {what}")
    report = pull["report"]
    models = report.get("models", [])
    for model in models[:MODELS_SHOWN]:
        verdict = model["why_not"] and f"waits for a person: {model['why_not']}"
        verdict = verdict or f"approved: {model['source']} and {model['second']} agree"
        typer.echo(f"  new: {model['provider']}/{model['sku']}: {verdict}")
    if len(models) > MODELS_SHOWN:
        typer.echo(f"  ... and {len(models) - MODELS_SHOWN:,} more new models")
    for note in report.get("notes", []):
        typer.echo(f"  {note}")
    waiting = [each for each in report.get("proposals", []) if each not in report["approved"]]
    if waiting:
        named = ", ".join(map(str, waiting))
        typer.echo(f"  open proposals: {named}. Next: spendmeter catalog proposals --state open")
    if pull["withdrawn_version"]:
        typer.echo(f"  withdrawn by {pull['withdrawn_by']} in version {pull['withdrawn_version']}")
