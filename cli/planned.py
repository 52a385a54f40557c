"""spendmeter planned list, add and cancel."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, ask, read
from cli._filters import FilterOption, filters
from cli._instants import instant, minute
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

app = typer.Typer(
    help="Planned spend: what is unusual in a window is kept and shown, and told nobody; budgets are told.",
    no_args_is_help=True,
)
_FLAGS = {
    "name": "NAME",
    "filter": "--filter",
    "starts_at": "--from",
    "ends_at": "--until",
    "reason": "--reason",
    "id": "ID",
}
_STATES = {"ahead": "ahead", "under_way": "under way", "over": "over", "cancelled": "cancelled"}
PlanReasonOption = Annotated[str, typer.Option(help="For whoever asks later.", prompt="Why")]


@app.command("list")
def list_all(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show what is planned, and what was, with how many incidents were kept in it."""
    answer = read("planned-windows", tenant)
    if printed_as_json(answer, as_json):
        return
    for window in answer["windows"]:
        _print(window)
    if not answer["windows"]:
        say("nothing is planned")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    start: Annotated[str, typer.Option("--from", help="A day or an instant.")],
    end: Annotated[str, typer.Option("--until", help="The same; within 31 days.")],
    reason: PlanReasonOption,
    only: FilterOption = None,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Plan spend: bursts, shifts, loops, firsts and drift in it are told nobody. It goes as
    SPENDMETER_ADMIN_KEY.

    \b
    Example:
      spendmeter planned add "Re-embedding" --filter team=data --from 2026-11-28T20:00:00Z
        --until 2026-11-29T06:00:00Z --reason "approved by finance"
    """
    body = {
        "name": name,
        "filter": dict(filters(only or ())),
        "starts_at": instant(start),
        "ends_at": instant(end),
        "reason": reason,
    }
    answer = ask("POST", "planned-windows", tenant, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


@app.command()
def cancel(
    id: Annotated[str, typer.Argument(metavar="ID", help="The window's id, as the list shows it.")],
    reason: PlanReasonOption,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a window now, or call it off. What goes on six minutes later is told."""
    path = f"planned-windows/{quote(id, safe='')}"
    answer = ask("DELETE", path, tenant, {"reason": reason}, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _print(window: Any) -> None:
    scope = ", ".join(f"{name}={value}" for name, value in window["filter"].items()) or "everything"
    when = f"{minute(window['starts_at'])} to {minute(window['ends_at'])}"
    say(f"{window['name']} ({_STATES[window['state']]}): {scope}, {when}")
    kept = f"{window['incidents']} incidents kept; " if window["incidents"] else ""
    why = f"by {window['created_by']}: {window['reason']}"
    if window["cancelled_at"]:
        why += f"; cancelled by {window['cancelled_by']}: {window['cancel_reason']}"
    say(f"  {kept}{why}; {window['id']}")
