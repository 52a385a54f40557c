"""spendmeter incidents."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

_FLAGS = {"state": "--state", "limit": "--limit", "id": "ID"}


def command(
    id: Annotated[str, typer.Argument(help="One incident, with its trail. Default: list them.")] = "",
    state: Annotated[
        list[str] | None, typer.Option(help="open, acknowledged, resolved. Repeatable. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List incidents, the newest first; or show one: its figures, what to do, who has it in hand, and why it
    was resolved. It goes as SPENDMETER_API_KEY, or with --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter incidents --state open
      spendmeter incidents 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f --tenant acme
    """
    if id:
        answer = read(f"incidents/{id}", tenant, flags=_FLAGS)
    else:
        answer = read("incidents", tenant, {"state": state or [], "limit": limit}, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    if id:
        _print(answer)
    else:
        _print_list(answer)


def _print_list(answer: Any) -> None:
    for each in answer["incidents"]:
        why = f" ({each['resolution']})" if each["resolution"] else ""
        say(f"{minute(each['opened_at'])}  {each['state']:<12}  {each['id']}  {each['title']}{why}")
    if not answer["incidents"]:
        say("no incidents")
    if answer["next_cursor"]:
        say("There are older ones: --limit.")


def _print(incident: Any) -> None:
    say(f"{incident['state']}: {incident['title']}")
    say(f"{incident['summary']}")
    for each in incident["figures"]:
        exact = "" if each["text"] == f"{each['amount']} {each['unit']}" else f" ({each['amount']})"
        say(f"  {each['label']}: {each['text']}{exact}")
    for what, at, more in _trail(incident):
        say(f"{minute(at)}  {what}{more}")
    if incident["state"] != "resolved" and incident["suggested_action"]:
        say(f"to do: {incident['suggested_action']}")
    if incident["link"]:
        say(incident["link"])


def _trail(incident: Any) -> list[tuple[str, str, str]]:
    """What happened to it, in the order of time: what, when, and the rest of the line."""
    note = f": {incident['note']}" if incident["note"] else ""
    steps = [
        ("began", incident["began_at"], ""),
        ("opened", incident["opened_at"], ""),
        ("acknowledged", incident["acknowledged_at"], f" by {incident['acknowledged_by']}{note}"),
        ("last told", incident["updated_at"], ""),
        ("resolved", incident["resolved_at"], f": {incident['resolution']}"),
    ]
    return sorted((step for step in steps if step[1]), key=lambda step: step[1])
