"""spendmeter rules list, show, set, on, off, try, history and quality."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import CHANGES, OfTenantOption, ask, read
from cli._filters import FilterOption, filters
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._running import fail, usage_error
from cli._terminal import say
from spendmeter.platform.spoken import duration

app = typer.Typer(
    help="The rules by which a tenant is watched, beside its budgets. Changes go as SPENDMETER_ADMIN_KEY.",
    no_args_is_help=True,
)
_FLAGS = {
    "id": "ID",
    "settings": "SETTING",
    "severity": "--severity",
    "name": "--name",
    "reason": "--reason",
    "days": "--days",
    "filter": "--filter",
}
RuleArgument = Annotated[str, typer.Argument(metavar="ID", help="The rule's id, as the list shows it.")]
RuleReasonOption = Annotated[str, typer.Option("--reason", help="For whoever asks later.", prompt="Why")]

SettingsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SETTING",
        help="NAME=VALUE, as in amount_min=25 or subjects=model,key; amount_min= is its default again.",
    ),
]
_ASK_AGAIN_S = 1.0


@app.command("list")
def list_all(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show every rule: whether it is on, and what of it is not as everybody has it."""
    answer = read("rules", tenant)
    if printed_as_json(answer, as_json):
        return
    for rule in answer["rules"]:
        changed = {name: each for name, each in rule["settings"].items() if each["value"] != each["default"]}
        settings = "".join(f", {name}={_written(each['value'])}" for name, each in changed.items())
        scope = "".join(f", {name}={value}" for name, value in rule["filter"].items())
        state = "on " if rule["enabled"] else "off"
        say(f"{state}  {rule['id']:<16}  {rule['severity']:<8}  {rule['name']}{scope}{settings}")


@app.command()
def show(id: RuleArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show one rule with its settings, what each means, and what it may be."""
    rule = read(_path(id), tenant, flags=_FLAGS)
    if not printed_as_json(rule, as_json):
        _print(rule)


@app.command("set")
def set_(
    id: RuleArgument,
    reason: RuleReasonOption,
    settings: SettingsArgument = None,
    severity: Annotated[str, typer.Option(help="info, warning or critical.")] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change a rule; alerts obeys within two seconds.

    \b
    Example:
      spendmeter rules set minute-burst amount_min=25 --reason "cents wake nobody"
    """
    rule = _as_it_is(id, tenant)
    body: dict[str, Any] = {"settings": _changes(rule, settings or ())}
    body |= {"severity": severity} if severity else {}
    body |= {"name": name} if name else {}
    _change(rule, body, reason, tenant, as_json)


@app.command()
def on(
    id: RuleArgument, reason: RuleReasonOption, tenant: OfTenantOption = "", as_json: JsonOption = False
) -> None:
    """Switch a rule on."""
    _change(_as_it_is(id, tenant), {"enabled": True}, reason, tenant, as_json)


@app.command()
def off(
    id: RuleArgument, reason: RuleReasonOption, tenant: OfTenantOption = "", as_json: JsonOption = False
) -> None:
    """Switch a rule off. What is open by it stays open until it is over."""
    _change(_as_it_is(id, tenant), {"enabled": False}, reason, tenant, as_json)


@app.command("try")
def try_(
    id: RuleArgument,
    settings: SettingsArgument = None,
    only: FilterOption = None,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=30,
            help="At most 7 for bursts and silence; 30 for loops, firsts and unreserved; else 28.",
        ),
    ] = 7,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Try a rule on what was spent, with other settings: alerts a day, money caught, what would have fired.
    Nobody is told of it, and the rule stays as it is.

    \b
    Examples:
      spendmeter rules try minute-burst amount_min=25
      spendmeter rules try loop --days 30 --tenant acme
    """
    rule = _as_it_is(id, tenant)
    body: dict[str, Any] = {"settings": _changes(rule, settings or ()), "days": days}
    body |= {"filter": dict(filters(only))} if only else {}
    answer = ask("POST", f"{_path(id)}/dry-run", tenant, body=body, flags=_FLAGS)
    while answer["state"] in ("waiting", "running"):
        time.sleep(_ASK_AGAIN_S)
        answer = ask("GET", f"{_path(id)}/dry-run/{answer['id']}", tenant, key=CHANGES)
    if answer["state"] == "failed":
        fail(f"not tried: {answer['error']}")
    if not printed_as_json(answer, as_json):
        _print_trial(answer["result"])


@app.command()
def history(id: RuleArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Who changed a rule, when and why, the newest first."""
    answer = read(f"{_path(id)}/history", tenant, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    for act in answer["acts"]:
        state = "removed" if act["removed"] else "on" if act["enabled"] else "off"
        settings = "".join(f", {name}={_written(value)}" for name, value in act["settings"].items())
        say(f"{minute(act['at'])}  {act['revision']}  {state}{settings}  by {act['by']}: {act['reason']}")
    if not answer["acts"]:
        say("it is as everybody has it")


@app.command()
def quality(
    id: Annotated[str, typer.Argument(metavar="ID", help="One rule. Default: all, the worst first.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say how good rules are, by what people made of their incidents, and which gate would be better.

    \b
    Examples:
      spendmeter rules quality
      spendmeter rules quality minute-burst --tenant acme
    """
    ids = [id] if id else [rule["id"] for rule in read("rules", tenant)["rules"]]
    found = [read(f"{_path(each)}/quality", tenant, flags=_FLAGS) for each in ids]
    if printed_as_json(found[0] if id else {"rules": found}, as_json):
        return
    for each in sorted(found, key=_worst_first):
        _print_quality(each)


def _print_trial(result: Any) -> None:
    currency, caught = result["currency"], rounded(result["caught"])
    say(
        f"{result['incidents']} incidents in {minute(result['since'])} to {minute(result['until'])}: "
        f"{result['per_day']} a day, {result['messages']} messages, {caught} {currency} caught"
    )
    for each in result["fired"]:
        scope = ", ".join(f"{name}={value}" for name, value in each["scope"].items()) or "everything"
        say(f"  {minute(each['at'])}  {rounded(each['amount'])} {currency}  {scope}")
    if len(result["fired"]) < result["incidents"]:
        say(f"  and {result['incidents'] - len(result['fired'])} more")
    for note in result["notes"]:
        say(f"  {note}")


def _path(id: str) -> str:
    return f"rules/{quote(id, safe='')}"


def _as_it_is(id: str, tenant: str) -> Any:
    return ask("GET", _path(id), tenant, key=CHANGES, flags=_FLAGS)


def _change(rule: Any, body: dict[str, Any], reason: str, tenant: str, as_json: bool) -> None:
    body |= {"reason": reason, "revision": rule["revision"]}
    answer = ask("PATCH", _path(rule["id"]), tenant, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _changes(rule: Any, items: list[str] | tuple[()]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            usage_error(f"{item!r}: write NAME=VALUE, as in amount_min=25")
        kind = rule["settings"].get(name, {}).get("type")
        chosen = [each.strip() for each in value.split(",")] if kind == "choices" else value
        changes[name] = chosen if value else None
    return changes


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _print(rule: Any) -> None:
    state = "on" if rule["enabled"] else "off"
    scope = ", ".join(f"{name}={value}" for name, value in rule["filter"].items()) or "everything"
    say(f"{rule['name']} ({rule['id']}): {state}, {rule['severity']}, {scope}", f"  {rule['means']}")
    for name, each in rule["settings"].items():
        default = "" if each["value"] == each["default"] else f" (default {_written(each['default'])})"
        say(f"  {name} = {_written(each['value'])}{default}: {each['means']}")
    if rule["revision"]:
        say(f"  revision {rule['revision']}, {minute(rule['at'])} by {rule['by']}: {rule['reason']}")


def _worst_first(quality: Any) -> tuple[bool, float, int]:
    last = quality["records"][-1]
    precision = last["precision"]
    return precision is None, float(precision or 0), -last["incidents"]


def _print_quality(quality: Any) -> None:
    say(f"{quality['name']} ({quality['id']}){'' if quality['enabled'] else ', off'}")
    for record in quality["records"]:
        after = record["acknowledged_after_s"]
        seen = f"{record['acknowledged']} acknowledged" + (f" after {duration(after)}" if after else "")
        money = "".join(f", {rounded(amount)} {currency}" for currency, amount in record["money"].items())
        right = "too few to judge" if record["precision"] is None else f"{record['precision']} were worth it"
        say(
            f"  {record['days']} days: {record['incidents']} told ({record['per_day']} a day), {seen}, "
            f"{record['expected']} expected, {record['false_alarm']} false alarms, "
            f"{record['repeats']} repeats{money}; {right}"
        )
    if proposal := quality["proposal"]:
        say(
            f"  proposed: {proposal['setting']} of {proposal['value']} (now {proposal['now']}) spares "
            f"{proposal['spares']} of {proposal['noise']}; {proposal['keeps']} that were worth it cost more"
        )
