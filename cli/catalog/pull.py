"""Other people's price lists: what is new in them, what was approved, and taking that back."""

from typing import Annotated, Any

import typer

from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say
from cli.catalog._api import ask
from cli.catalog._print import amounts_line, print_offers

MODELS_SHOWN = 20
HASH_SHOWN = 12
"""The JSON has all of it."""
FAILED, OFFLINE = 1, 3
"""Exit codes: a file was refused, or the pull broke off; one cannot be had."""


def pull(
    show: Annotated[bool, typer.Option("--list", help="List what was pulled before; pull nothing.")] = False,
    withdraw: Annotated[int, typer.Option(help="Take back what the policy approved of this pull.")] = 0,
    reason: Annotated[str, typer.Option(help="With --withdraw: why.")] = "",
    json: JsonOption = False,
) -> None:
    """Pull the public price lists: what is new is proposed, and what the policy allows is approved.

    The policy approves new models alone, by their exact name, that two lists price alike and that cost about
    what their family costs (docs/catalog-sources.md). Exit code 1 where a file is refused, 3 where one
    cannot be had (offline: none, and nothing is changed).

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
            say(f"what pull {withdraw} approved is withdrawn as version {done['withdrawn_version']}")
        return
    if not json:
        say("fetching the public price lists and comparing them; some ten seconds ...", err=True)
    done = ask("POST", "pulls", "")
    if not printed_as_json(done, json):
        _print_pull(done)
        for each in _waiting(done):
            _print_waiting(ask("GET", f"proposals/{each}", ""))
    states = {done["state"], *(file["state"] for file in done["files"])}
    if states & {"failed", "refused"}:
        raise typer.Exit(FAILED)
    if "away" in states:
        raise typer.Exit(OFFLINE)


def _print_pull(pull: Any) -> None:
    say(f"pull {pull['id']}, {minute(pull['started_at'])} by {pull['started_by']}: {pull['says']}")
    for file in pull["files"]:
        size = f"{file['bytes']:,} bytes, sha256 {file['sha256'][:HASH_SHOWN]}" if file["sha256"] else ""
        say(f"  {file['source']}: {', '.join(filter(None, (file['state'], file['says'], size)))}")
    report = pull["report"]
    models = report.get("models", [])
    for model in models[:MODELS_SHOWN]:
        verdict = model["why_not"] and f"waits for a person: {model['why_not']}"
        verdict = verdict or f"approved: {model['source']} and {model['second']} agree"
        say(f"  new: {model['provider']}/{model['sku']}: {verdict}")
    if len(models) > MODELS_SHOWN:
        say(f"  ... and {len(models) - MODELS_SHOWN:,} more new models")
    for note in report.get("notes", []):
        say(f"  {note}")
    print_offers(report.get("rerates", []))
    if pull["withdrawn_version"]:
        say(f"  withdrawn by {pull['withdrawn_by']} in version {pull['withdrawn_version']}")


def _waiting(pull: Any) -> list[int]:
    """What it proposed and nobody has decided yet."""
    return [each for each in pull["report"]["proposals"] if each not in pull["report"]["approved"]]


def _print_waiting(proposal: Any) -> None:
    """A proposal in a line, with its money."""
    review = proposal["review"]
    money = "; ".join(map(amounts_line, review["impact"]["amounts"])) or "no usage of the last 30 days"
    say(
        f"proposal {proposal['id']}, {proposal['name']}: {review['changes_total']:,} changes, "
        f"{review['findings_total']:,} findings; {money}. Next: spendmeter catalog diff {proposal['id']}"
    )
