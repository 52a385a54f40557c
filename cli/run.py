"""spendmeter run."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._terminal import say

_PARTS = (
    ("by_class", ("cost_class",)),
    ("by_model", ("provider", "sku")),
    ("by_agent", ("agent",)),
    ("by_workflow", ("workflow", "workflow_version")),
)


def command(
    run: Annotated[str, typer.Argument(help="As its events name it.")],
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show one run as a receipt: what it cost over all cost classes, how its calls went, what it achieved and
    what of that was accepted or reversed, and what is not in it.

    \b
    Examples:
      spendmeter run run-81
      spendmeter run agents/refund/2026-11-26/17 --tenant acme --json
    """
    found = read("runs", tenant, {"run": run})
    if not printed_as_json(found, as_json):
        _print(found)


def _print(found: dict[str, Any]) -> None:
    say(found["summary"])
    if found["first_at"]:
        say(f"{found['first_at']} to {found['last_at']}")
    for part, names in _PARTS:
        _print_part(found[part], names, found["beyond"].get(part, 0))
    _print_calls(found["calls"])
    for each in found["outcomes"]:
        _print_outcome(each)
    if found["not_in_it"]:
        say("", "not in it:", *(f"  {each}" for each in found["not_in_it"]))
    if found["events"]:
        say("", f"its newest events ({len(found['events'])}):")
    for each in found["events"]:
        amount = f"{each['effective']} {each['currency']}"
        say(f"  {each['time']} {each['source']}/{each['id']}: {amount} ({each['status']})")


def _print_part(rows: list[dict[str, Any]], names: tuple[str, ...], beyond: int) -> None:
    named = [(" ".join(filter(None, (row[name] for name in names))), row) for row in rows]
    if not any(name for name, _ in named):
        return
    say("", f"by {' and '.join(name.replace('_', ' ') for name in names)}:")
    for name, row in named:
        say(f"  {name or '(none)'}: {row['effective']} {row['currency']}, {row['events']:,} events")
    if beyond:
        say(f"  and {beyond:,} more")


def _print_calls(calls: dict[str, Any]) -> None:
    said = [f"{each['events']:,} {each['status'] or 'of unknown end'}" for each in calls["statuses"]]
    line = f"calls: {calls['attempts']:,} ({', '.join(said)})" if said else f"calls: {calls['attempts']:,}"
    if calls["timed"]:
        line += f"; {calls['latency_ms_mean']} ms each on average, {calls['latency_ms_max']:,} ms the longest"
    say("", line)


def _print_outcome(each: dict[str, Any]) -> None:
    counts = ", ".join(f"{each[name]:,} {name}" for name in ("accepted", "refused", "open", "reversed"))
    say(f"{each['name']}: {each['stated']:,} stated ({counts}), the last at {each['last_at']}")
    for worth in each["values"]:
        currency = worth["currency"]
        say(f"  worth {worth['value']} {currency}, of which accepted {worth['accepted']} {currency}")
    for name, count in (("cost_per_outcome", "outcome"), ("cost_per_accepted", "accepted outcome")):
        if each[name] is not None:
            say(f"  {each[name]} {each['cost_currency']} per {count}")
