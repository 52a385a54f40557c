"""An asset in lines, for people."""

import json
from typing import Any

from cli._terminal import say


def print_asset(asset: Any) -> None:
    """What it is, and what it has come to."""
    currency = asset["currency"]
    rest = "" if asset["remaining"] is None else f", {asset['remaining']} to come"
    ends = f" to {asset['ends_at'][:10]}" if asset["ends_at"] else ""
    say(f"{asset['id']}: {asset['name']} ({asset['kind']}), {asset['starts_on']}{ends}, {asset['state']}")
    say(f"  accrued {asset['accrued']} {currency} by {asset['accrued_until'][:16]}{rest}")
    for name, value in asset["labels"].items():
        say(f"  {name}={value}")
    for part in asset["assigned"]:
        labels = ",".join(f"{name}={value}" for name, value in part["labels"].items())
        say(f"  {part['weight']:,} of {labels}")
    if asset["trouble"]:
        say(f"  ingest refuses it: {asset['trouble']}")


def print_report(asset: Any) -> None:
    """With whose it was, what is booked, and all that was said of it."""
    print_asset(asset)
    for each in asset["by_label"]:
        labels = ",".join(f"{name}={value}" for name, value in each["labels"].items()) or "nobody's"
        say(f"  {each['amount']:>24} {asset['currency']}  {labels}{' (idle)' if each['idle'] else ''}")
    if asset["timesheet_hours"] != "0":
        entered = f"{asset['timesheet_amount']} {asset['currency']}"
        say(f"  {entered} for {asset['timesheet_hours']} h that were written down")
    for each in asset["booked"] or ():
        say(f"  booked {each['amount']} {each['currency']} in {each['events']:,} events")
    if use := asset["seat_use"]:
        used = "" if use["active"] is None else f", {use['active']:,} used on {use['day']}"
        say(f"  {use['assigned']:,} of {use['seats']:,} seats assigned, {use['idle']:,} idle{used}")
    for said in asset["revisions"]:
        what = ", ".join(f"{name}={_in_short(value)}" for name, value in sorted(said["change"].items()))
        say(f"  {said['revision']} from {said['effective_from'][:16]} by {said['author']}: {said['reason']}")
        say(f"    {what}")


def _in_short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
