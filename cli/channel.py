"""spendmeter channel add, list, test, enable, disable, remove, rotate-secret and deliveries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, ask, read
from cli._correcting import YesOption, at_a_terminal, confirm
from cli._filters import FilterOption, filters
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._running import fail, usage_error
from cli._terminal import say

app = typer.Typer(
    help="Channels: where incidents are told, which and when. Changes go as SPENDMETER_ADMIN_KEY.",
    no_args_is_help=True,
)
_FLAGS = {
    "name": "NAME",
    "kind": "KIND",
    "settings": "--set",
    "match": "--severity, --incident or --filter",
    "quiet": "--quiet",
    "digest_minutes": "--digest",
    "position": "--position",
    "id": "ID",
}
_DAYS = {str(day): day for day in range(1, 8)}
ChannelArgument = Annotated[str, typer.Argument(metavar="ID", help="The channel's id, as the list shows it.")]


@app.command("list")
def list_all(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show every channel, what it is told, and how it fares.

    \b
    Examples:
      spendmeter channel list
      spendmeter channel list --tenant acme --json
    """
    answer = read("channels", tenant)
    if printed_as_json(answer, as_json):
        return
    for channel in answer["channels"]:
        _print(channel)
    if not answer["channels"]:
        say("no channels: incidents are told to the topic alerts.events, the api and the portal alone")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    kind: Annotated[str, typer.Argument(help="webhook, alertmanager, pagerduty, slack or apprise.")],
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING",
            help="NAME=VALUE, as in url=https://...; NAME=@FILE takes a secret from a file; "
            "labels.team=search is one label. Repeatable.",
        ),
    ] = None,
    severity: Annotated[str, typer.Option(help="Told from this on: info, warning or critical.")] = "info",
    incident: Annotated[
        list[str] | None, typer.Option(help="Told of this kind alone: budget, anomaly, ... Repeatable.")
    ] = None,
    only: FilterOption = None,
    quiet: Annotated[
        list[str] | None,
        typer.Option(help="22:00-08:00, or 22:00-08:00/12345 with weekdays (1 = Monday). Repeatable."),
    ] = None,
    digest: Annotated[int, typer.Option(help="Tell together what can wait, every so many minutes.")] = 0,
    position: Annotated[int, typer.Option(help="Its place where one channel stands in for another.")] = 0,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a channel. A webhook's signing secret is printed, once. Try it with `channel test`.

    \b
    Examples:
      spendmeter channel add ops webhook --set url=https://hooks.example.org/spend
      spendmeter channel add page pagerduty --set routing_key=@key.txt --severity critical
      spendmeter channel add team slack --set token=@token.txt --set channel=C0123ABCD --filter team=search
      spendmeter channel add mail apprise --set url=@mail.txt --digest 60 --quiet 20:00-07:00
    """
    match: dict[str, Any] = {"severity": severity}
    match |= {"kinds": incident} if incident else {}
    match |= {"scope": dict(filters(only))} if only else {}
    body = {
        "name": name,
        "kind": kind,
        "settings": _settings(set or ()),
        "match": match,
        "quiet": [_quiet(each) for each in quiet or ()],
        "digest_minutes": digest,
        "position": position,
    }
    answer = ask("POST", "channels", tenant, body=body, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    _print(answer)
    if answer["secret"]:
        say(f"  signed with {answer['secret']}", "  It is not shown again.")


@app.command("test")
def test(id: ChannelArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Send a test message, and say what came of it. Exit code 1: it did not arrive.

    \b
    Examples:
      spendmeter channel test 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11
    """
    answer = ask("POST", f"channels/{quote(id, safe='')}/test", tenant, flags=_FLAGS)
    if answer["state"] != "delivered":
        fail(f"{answer['state']}: {answer['error']}")
    if not printed_as_json(answer, as_json):
        say("delivered" + (f": {answer['error']}" if answer["error"] else ""))


@app.command("enable")
def enable(id: ChannelArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Tell a channel again that was switched off, by somebody or because its receiver answered 410 Gone.

    \b
    Examples:
      spendmeter channel enable 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11
    """
    _switch(id, True, tenant, as_json)


@app.command("disable")
def disable(id: ChannelArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Tell a channel nothing until it is enabled; its settings stay.

    \b
    Examples:
      spendmeter channel disable 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11
    """
    _switch(id, False, tenant, as_json)


@app.command("rotate-secret")
def rotate_secret(id: ChannelArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Give a webhook a new signing secret and print it, once. The next message is signed with it.

    \b
    Examples:
      spendmeter channel rotate-secret 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11
    """
    answer = ask("POST", f"channels/{quote(id, safe='')}/rotate-secret", tenant, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        say(f"signed with {answer['secret']}", "It is not shown again.")


@app.command("remove")
def remove(id: ChannelArgument, yes: YesOption = False, tenant: OfTenantOption = "") -> None:
    """Tell a channel nothing any more; where it led, and its secrets, are forgotten.

    \b
    Examples:
      spendmeter channel remove 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11 --yes
    """
    channel = ask("GET", f"channels/{quote(id, safe='')}", tenant, flags=_FLAGS)
    if not yes and at_a_terminal():
        confirm(f"{channel['name']} ({channel['kind']}). Tell it nothing any more?", yes)
    ask("DELETE", f"channels/{quote(id, safe='')}", tenant, flags=_FLAGS)
    say(f"removed: {channel['name']} ({channel['kind']})")


@app.command("deliveries")
def deliveries(
    id: ChannelArgument,
    state: Annotated[
        list[str] | None, typer.Option(help="pending, delivered, failed or merged. Repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what a channel was told, is to be told, and could not be told.

    \b
    Examples:
      spendmeter channel deliveries 7a9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11 --state failed
    """
    query = {"state": state or [], "limit": limit}
    answer = read(f"channels/{quote(id, safe='')}/deliveries", tenant, query, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    for each in answer["deliveries"]:
        say(f"{minute(each['created_at'])}  {each['state']:<9}  {each['transition']:<12}  {_what(each)}")
    if not answer["deliveries"]:
        say("no deliveries")
    if answer["next_cursor"]:
        say("There are older ones: --limit.")


def _switch(id: str, on: bool, tenant: str, as_json: bool) -> None:
    answer = ask("PATCH", f"channels/{quote(id, safe='')}", tenant, body={"enabled": on}, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _settings(items: list[str] | tuple[()]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            usage_error("--set: write NAME=VALUE, as in url=https://...")
        if value.startswith("@"):
            value = _from_file(value[1:])
        within, _, rest = name.partition(".")
        if rest:
            found.setdefault(within, {})[rest] = value
        else:
            found[name] = value
    return found


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        usage_error(f"--set: {path} cannot be read: {error}")


def _quiet(text: str) -> dict[str, Any]:
    hours, slash, days = text.partition("/")
    begin, dash, end = hours.partition("-")
    if not dash or (slash and not (days and all(day in _DAYS for day in days))):
        usage_error(f"--quiet {text!r}: write 22:00-08:00, or 22:00-08:00/12345 with weekdays")
    weekdays = {"weekdays": sorted({_DAYS[day] for day in days})} if days else {}
    return {"from": begin, "until": end, **weekdays}


def _what(delivery: Any) -> str:
    parts = [delivery["title"], f"after {delivery['attempts']} attempts" if delivery["attempts"] > 1 else ""]
    if delivery["next_attempt_at"]:
        why = f" ({delivery['held']})" if delivery["held"] else ""
        parts.append(f"next {minute(delivery['next_attempt_at'])}{why}")
    return "; ".join(part for part in [*parts, delivery["last_error"]] if part)


def _print(channel: Any) -> None:
    say(f"{channel['name']} ({channel['kind']}): {_state(channel)}")
    match, told = channel["match"], []
    told.append(f"from {match['severity']} on" if match.get("severity", "info") != "info" else "everything")
    told += match.get("kinds", []) + [f"{name}={value}" for name, value in match.get("scope", {}).items()]
    told += [f"quiet {each['from']}-{each['until']}" for each in channel["quiet"]]
    told += [f"a digest every {channel['digest_minutes']} min"] if channel["digest_minutes"] else []
    say(f"  told: {', '.join(told)}; {channel['id']}")
    if channel["disabled_at"]:
        say(f"  on again: spendmeter channel enable {channel['id']}")


def _state(channel: Any) -> str:
    if channel["disabled_at"]:
        return f"off since {minute(channel['disabled_at'])}: {channel['disabled_reason']}"
    if channel["failing_since"]:
        return f"failing since {minute(channel['failing_since'])}: {channel['last_error']}"
    if channel["last_success_at"]:
        return f"last delivered {minute(channel['last_success_at'])}"
    return "nothing was delivered yet"
