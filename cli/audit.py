"""spendmeter audit: who changed what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

_FLAGS = {"from": "--from", "to": "--to", "by": "--by", "object": "--object", "object_id": "--id"}
_SHOWN_CHARACTERS_MAX = 60


def command(
    tenant: OfTenantOption = "",
    by: Annotated[str, typer.Option(help="Only by this one: 'key k7f3a0c91d2e4'.")] = "",
    object: Annotated[str, typer.Option(help="Only of this kind: budgets, api_keys, channels, ...")] = "",
    object_id: Annotated[str, typer.Option("--id", help="Only of this one, as the list shows it.")] = "",
    start: Annotated[str, typer.Option("--from", help="A day or an instant. Default: 400 days ago.")] = "",
    end: Annotated[str, typer.Option("--to", help="Exclusive. Default: now.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what and when, the newest first: what it was and what it became. It holds no secrets.
    It goes as SPENDMETER_ADMIN_KEY; without --tenant an operator reads what was changed for everybody.

    \b
    Examples:
      spendmeter audit --tenant acme
      spendmeter audit --tenant acme --object budgets --from 2026-11-01
      spendmeter audit --tenant acme --by "key k7f3a0c91d2e4" --json
    """
    asked = {"by": by, "object": object, "object_id": object_id, "from": start, "to": end}
    query = {name: value for name, value in asked.items() if value} | {"limit": limit}
    answer = ask("GET", "audit", tenant, query, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    for change in answer["changes"]:
        who = change["by"] + (f" ({change['by_name']})" if change["by_name"] else "")
        say(f"{change['at'][:19]}Z  {who}  {change['act']} {change['object']} {change['object_id']}")
        for each in change["differences"]:
            say(f"    {each['field']}: {_shown(each, change['act'])}")
        if change["withheld"]:
            say(f"    and, which is told nowhere: {', '.join(change['withheld'])}")
    if not answer["changes"]:
        say("nothing was changed")


def _shown(difference: dict[str, Any], act: str) -> str:
    was, became = (_cut(difference[each]) for each in ("was", "became"))
    return {"made": became, "removed": was}.get(act, f"{was} -> {became}")


def _cut(value: Any) -> str:
    text = "(none)" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}..."
