"""spendmeter unbooked."""

from typing import Annotated, Any

import typer

from cli._asking import CHANGES, OfTenantOption, ask, read
from cli._options import JsonOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say

ROWS_MAX = 200


def command(
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="conflict, rejected, duplicate. Repeatable. Default: all but duplicate."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Id of the key that sent it; '' = of none known.")] = None,
    source: Annotated[str | None, typer.Option(help="Who sent it.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="A part of the reason, or a fault as it is counted.")
    ] = None,
    resolved: Annotated[
        bool | None, typer.Option("--resolved/--unresolved", help="Whether something was booked instead.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="A day or an instant. Default: a day ago.")] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Each event; default: counted by key and fault.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="Of --rows: how many.")] = 50,
    nobody: Annotated[
        bool,
        typer.Option(
            "--nobody", help="What names no tenant, for operators: what cannot be read as an event."
        ),
    ] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what was accepted and not booked: why, who sent it, what was booked instead, and what to do. It
    goes as SPENDMETER_API_KEY, or with --tenant or --nobody as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter unbooked --unresolved
      spendmeter unbooked --rows --outcome conflict --source checkout-bot
      spendmeter unbooked --tenant acme --key k7f3a0c91d2e4
      spendmeter unbooked --nobody --rows
      spendmeter unbooked --rows --reason "is more than one event may state" --since 2026-11-25 --json
    """
    if nobody and tenant:
        usage_error("--nobody: is what names no tenant, so --tenant is not asked for with it")
    asked: dict[str, Any] = {
        "outcome": outcome,
        "key": key,
        "source": source,
        "reason": reason,
        "from": since,
        "resolved": None if resolved is None else str(resolved).lower(),
        "limit": limit if rows else None,
    }
    parameters = {name: value for name, value in asked.items() if value is not None}
    path = "unbooked" if rows else "unbooked/faults"
    found = ask("GET", path, "", parameters, key=CHANGES) if nobody else read(path, tenant, parameters)
    if not printed_as_json(found, as_json):
        _print_rows(found) if rows else _print_faults(found)


def _print_faults(answer: dict[str, Any]) -> None:
    for each in answer["faults"]:
        left = f", {each['unresolved']:,} without remedy" if each["outcome"] != "duplicate" else ""
        say(f"{each['events']:,} {each['outcome']} of {_key(each)}{left}: {each['fault']}")
        say(f"  last {each['last_at']}: {each['source']}/{each['id']}")
        say(f"  to do: {each['what_to_do']}")
    if not answer["faults"]:
        say("none")
    if answer["counted_from"]:
        say(f"Only what came since {answer['counted_from']} is counted: there is more.")


def _print_rows(answer: dict[str, Any]) -> None:
    for each in answer["unbooked"]:
        say(f"{each['outcome']}: {each['source']}/{each['id']}: {each['reason']}")
        place = f"partition {each['partition']}, offset {each['offset']}"
        facts = [each["recorded_at"], _key(each), place, f"{each['size']:,} bytes"]
        say(f"  {', '.join([*facts, *_digest(each)])}")
        if instead := each["booked_instead"]:
            say(f"  booked instead: {instead['source']}/{instead['id']} ({instead['at']})")
        else:
            say(f"  to do: {each['what_to_do']}")
    if not answer["unbooked"]:
        say("none")
    if answer["next_cursor"]:
        say("There are older ones: --limit, or another --since.")


def _key(each: dict[str, Any]) -> str:
    if not each["key_id"]:
        return "no known key"
    return f"key {each['key_name']} ({each['key_id']})" if each["key_name"] else f"key {each['key_id']}"


def _digest(each: dict[str, Any]) -> list[str]:
    return [f"sha256 {each['sha256']}"] if each["sha256"] else []
