"""spendmeter incidents, and what people do about one: acknowledge, snooze, unsnooze, feedback, acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from cli._asking import OfTenantOption, ask, read
from cli._instants import instant, minute
from cli._options import JsonOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say

_FLAGS = {"state": "--state", "limit": "--limit", "id": "ID", "until": "--until or --for", "says": "WHAT"}
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class _OrOne(TyperGroup):
    """What is no command is the id of an incident to show."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.get_command(ctx, args[0]) is not None
        return super().resolve_command(ctx, args if known else ["show", *args])


app = typer.Typer(cls=_OrOne, invoke_without_command=True)
IncidentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The incident's id, as the list shows it.")
]
ActNoteOption = Annotated[str, typer.Option(help="For those who come after.")]


@app.callback()
def list_all(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help="open, acknowledged, resolved. Repeatable. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List incidents, the newest first; with an id, show one: its figures, what to do, who has it in hand,
    and why it was resolved. It goes as SPENDMETER_API_KEY, or with --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter incidents --state open
      spendmeter incidents 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f --tenant acme
      spendmeter incidents snooze 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f --for 4h --note "vendor is at it"
    """
    if context.invoked_subcommand is not None:
        return
    answer = read("incidents", tenant, {"state": state or [], "limit": limit}, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print_list(answer)


@app.command()
def show(id: IncidentArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show one incident, with its trail."""
    answer = read(f"incidents/{quote(id, safe='')}", tenant, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


@app.command()
def acknowledge(
    id: IncidentArgument, note: ActNoteOption = "", tenant: OfTenantOption = "", as_json: JsonOption = False
) -> None:
    """Say that you have it in hand; whoever was told of it is told so. It goes as SPENDMETER_ADMIN_KEY."""
    _act(id, "acknowledge", {"note": note}, tenant, as_json)


@app.command()
def snooze(
    id: IncidentArgument,
    lasting: Annotated[str, typer.Option("--for", help="30m, 4h or 2d from now.")] = "",
    until: Annotated[str, typer.Option(help="Or until then: a day or an instant.")] = "",
    note: ActNoteOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell no channel of it until then, but for its end and for money beyond twice of what it is now.

    \b
    Examples:
      spendmeter incidents snooze 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f --for 4h
      spendmeter incidents snooze 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f --until 2026-11-30T08:00:00Z
    """
    if bool(lasting) == bool(until):
        usage_error("say --for or --until")
    body = {"until": instant(until) if until else _from_now(lasting), "note": note}
    _act(id, "snooze", body, tenant, as_json)


@app.command()
def unsnooze(
    id: IncidentArgument, note: ActNoteOption = "", tenant: OfTenantOption = "", as_json: JsonOption = False
) -> None:
    """Tell channels of it again; what waited goes out now."""
    _act(id, "unsnooze", {"note": note}, tenant, as_json)


@app.command()
def feedback(
    id: IncidentArgument,
    says: Annotated[str, typer.Argument(metavar="WHAT", help="expected, false_alarm or no_feedback.")],
    note: ActNoteOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what it was; the last word counts. Once a burst that was expected is over, its scope may spend so
    for 30 days. A false alarm counts for how good its rule is (`spendmeter rules quality`).

    \b
    Examples:
      spendmeter incidents feedback 5f4f1a52-7d0b-5b0e-8a39-9a1b1c1d1e1f expected --note "backfill"
    """
    _act(id, "feedback", {"says": says, "note": note}, tenant, as_json)


@app.command()
def acts(id: IncidentArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Who did what about it, when and why, the newest first."""
    answer = read(f"incidents/{quote(id, safe='')}/acts", tenant, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    for each in answer["acts"]:
        until = f" until {minute(each['until'])}" if each["until"] else ""
        note = f": {each['note']}" if each["note"] else ""
        say(f"{minute(each['at'])}  {each['act']}{until}  by {each['by']}{note}")
    if not answer["acts"]:
        say("nobody has done anything about it")


def _act(id: str, act: str, body: dict[str, Any], tenant: str, as_json: bool) -> None:
    answer = ask("POST", f"incidents/{quote(id, safe='')}/{act}", tenant, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _from_now(text: str) -> str:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()) or not 0 < int(number) < 100_000:
        usage_error(f"--for {text!r}: write 30m, 4h or 2d")
    return (datetime.now(UTC) + int(number) * _UNITS[unit]).isoformat(timespec="seconds")


def _print_list(answer: Any) -> None:
    for each in answer["incidents"]:
        why = f" ({each['resolution']})" if each["resolution"] else ""
        why += "" if each["told"] else " (not told)"
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
    for line in _standing(incident):
        say(line)
    if incident["state"] != "resolved" and incident["suggested_action"]:
        say(f"to do: {incident['suggested_action']}")
    if incident["link"]:
        say(incident["link"])


def _standing(incident: Any) -> list[str]:
    """Why less is told of it than there is to tell, and what people made of it."""
    lines = []
    if incident["planned"]:
        lines.append(f"planned: {incident['planned']['name']}")
    if incident["parent"]:
        lines.append(f"a part of incident {incident['parent']}")
    if incident["snoozed_until"]:
        lines.append(f"snoozed until {minute(incident['snoozed_until'])}")
    if said := incident["feedback"]:
        note = f": {said['note']}" if said["note"] else ""
        lines.append(f"{said['says'].replace('_', ' ')}, says {said['by']}{note}")
    if incident["expected_until"]:
        lines.append(f"its scope may spend so until {minute(incident['expected_until'])}")
    return lines


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
