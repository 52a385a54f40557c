"""spendmeter budget add, list and remove; requests, approve and refuse."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import YesOption, at_a_terminal, confirm
from cli._filters import FilterOption, filters
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._running import usage_error
from cli._terminal import say

app = typer.Typer(
    help="Budgets: what may be spent in a period, by whom; an incident opens where more is. It goes as "
    "SPENDMETER_ADMIN_KEY.",
    no_args_is_help=True,
)
_FLAGS = {
    "name": "NAME",
    "amount": "AMOUNT",
    "period": "--period",
    "starts_on": "--from",
    "ends_on": "--to",
    "last_hours": "--last",
    "each": "--each",
    "filter": "--filter",
    "thresholds_percent": "--threshold",
    "forecast_thresholds_percent": "--forecast-threshold",
    "next_amount": "--next-amount",
    "hard": "--hard",
}


@app.command("list")
def list_all(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show every budget in force, and what its open period has come to.

    \b
    Examples:
      spendmeter budget list --tenant acme
    """
    answer = ask("GET", "budgets", tenant)
    if printed_as_json(answer, as_json):
        return
    names = {budget["id"]: budget["name"] for budget in answer["budgets"]}
    for budget in answer["budgets"]:
        _print(budget, names)
    if not answer["budgets"]:
        say("no budgets")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What alerts call it.")],
    amount: Annotated[str, typer.Argument(help="In the tenant's currency: 5000 or 12.50.")],
    period: Annotated[str, typer.Option(help="day, week, month, quarter or year of the tenant.")] = "month",
    since: Annotated[
        str, typer.Option("--from", help="With --to: for these days alone, once. The first of them.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="The day after the last one.")] = "",
    last: Annotated[str, typer.Option(help="Of the last hours or days, as they go by: 24h or 7d.")] = "",
    each: Annotated[
        str, typer.Option(help="One for every value: key_id, agent, run, user or another dimension.")
    ] = "",
    only: FilterOption = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="Percent at which to tell. Repeatable. Default: 80 and 100.")
    ] = None,
    forecast_threshold: Annotated[
        list[str] | None,
        typer.Option(help="Percent that the period is expected to reach. Repeatable. Default: 100; none: 0."),
    ] = None,
    hard: Annotated[
        bool, typer.Option("--hard", help="It refuses, too, what is not left of it: docs/hard-budgets.md.")
    ] = False,
    next_amount: Annotated[
        str, typer.Option(help="Where the tenant's currency is about to change: the amount in it, or close.")
    ] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set a budget, of all that the tenant spends or of what the filters name. Alerts watches it within two
    seconds.

    \b
    Examples:
      spendmeter budget add "All of it" 5000 --tenant acme
      spendmeter budget add "Search, daily" 120.50 --period day --filter team=search --threshold 100
      spendmeter budget add "Launch" 9000 --from 2026-12-01 --to 2026-12-15
      spendmeter budget add "Any day" 400 --last 24h
      spendmeter budget add "Each agent" 50 --period day --each agent
      spendmeter budget add "Triage" 50 --period day --filter agent=triage --hard
    """
    pairs = filters(only or ())
    scope = dict(pairs)
    if len(scope) < len(pairs):
        usage_error("--filter: a budget is of one value of a dimension, and one is named twice")
    body: dict[str, Any] = {"name": name, "amount": amount, "filter": scope}
    body |= _time(period, since, until, last)
    body |= {"each": each} if each else {}
    body |= {"thresholds_percent": threshold} if threshold else {}
    if forecast_threshold:
        body["forecast_thresholds_percent"] = [each for each in forecast_threshold if each != "0"]
    body |= {"hard": {}} if hard else {}
    body |= {"next_amount": next_amount} if next_amount else {}
    answer = ask("POST", "budgets", tenant, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


@app.command("remove")
def remove(
    id: Annotated[str, typer.Argument(help="The budget's id, as the list shows it.")],
    yes: YesOption = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a budget out of force, once: typed again, it says the same. Its incidents stay, and one that is
    open is resolved.

    \b
    Examples:
      spendmeter budget remove 0b9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11
      spendmeter budget remove 0b9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11 --yes --tenant acme
    """
    if not yes and at_a_terminal():
        listed = ask("GET", "budgets", tenant)["budgets"]
        for budget in listed:
            if budget["id"] == id.lower():
                confirm(f"{_named(budget)}. Take it out of force?", yes)
    answer = ask("DELETE", f"budgets/{quote(id, safe='')}", tenant, flags={"id": "ID"})
    if not printed_as_json(answer, as_json):
        say(f"removed: {_named(answer)}")
        count = answer["incidents"]
        stays = f"{count:,} incidents of it stay" if count != 1 else "1 incident of it stays"
        say(f"  out of force since {minute(answer['removed_at'])}; {stays}")


@app.command("requests")
def list_requests(
    state: Annotated[str, typer.Option(help="open, approved or refused; empty: all.")] = "open",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show who asks for more of a budget, and why; the newest first.

    \b
    Examples:
      spendmeter budget requests --tenant acme
      spendmeter budget requests --state ""
    """
    answer = ask("GET", "budget-requests", tenant, query={"state": state} if state else {})
    if printed_as_json(answer, as_json):
        return
    for request in answer["requests"]:
        _print_request(request)
    if not answer["requests"]:
        say("no requests")


@app.command("approve")
def approve(
    id: Annotated[str, typer.Argument(help="The request's id, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
    amount: Annotated[str, typer.Option(help="How much more, where it is not what was asked for.")] = "",
    for_good: Annotated[bool, typer.Option("--for-good", help="Not only until the period ends.")] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give more of a budget, at once: until its period ends, or for good.

    \b
    Examples:
      spendmeter budget approve 5b0b7f6e-8f2f-4d2e-9d0c-3f1f8a5c2e10 --reason "until the release"
      spendmeter budget approve 5b0b7f6e-8f2f-4d2e-9d0c-3f1f8a5c2e10 --reason grew --amount 300 --for-good
    """
    body = {"reason": reason, "lasts": "for_good" if for_good else "period"}
    if amount:
        body["amount"] = amount
    _decide("approve", id, body, tenant, as_json)


@app.command("refuse")
def refuse(
    id: Annotated[str, typer.Argument(help="The request's id, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="Why not, for whoever asked.")],
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give no more of a budget, and say why.

    \b
    Examples:
      spendmeter budget refuse 5b0b7f6e-8f2f-4d2e-9d0c-3f1f8a5c2e10 --reason "it loops: see the run"
    """
    _decide("refuse", id, {"reason": reason}, tenant, as_json)


def _decide(how: str, id: str, body: dict[str, str], tenant: str, as_json: bool) -> None:
    flags = {"id": "ID", "amount": "--amount", "reason": "--reason"}
    answer = ask("POST", f"budget-requests/{quote(id, safe='')}/{how}", tenant, body=body, flags=flags)
    if not printed_as_json(answer, as_json):
        _print_request(answer)


def _print_request(request: Any) -> None:
    currency = request["currency"]
    say(f"{request['state']}: {request['amount']} {currency} more of {request['budget_id']}; {request['id']}")
    say(f"  asked {minute(request['requested_at'])} by {request['requested_by']}: {request['reason']}")
    if request["decided_at"]:
        given = f"{request['granted']} {currency}, " if request["granted"] else ""
        lasts = {"period": "until its period ends, ", "for_good": "for good, ", None: ""}[request["lasts"]]
        by = f"by {request['decided_by']}: {request['decision_reason']}"
        say(f"  {given}{lasts}{minute(request['decided_at'])} {by}")


def _time(period: str, since: str, until: str, last: str) -> dict[str, Any]:
    """What the body says of when it is for."""
    if last:
        number, unit = last[:-1], {"h": 1, "d": 24}.get(last[-1])
        if since or until or unit is None or not number.isdecimal():
            usage_error("--last: a number of hours or days, 24h or 7d, without --from and --to")
        return {"period": "rolling", "last_hours": int(number) * unit}
    if since or until:
        return {"period": "custom", "starts_on": since or None, "ends_on": until or None}
    return {"period": period}


def _named(budget: Any) -> str:
    scope = ", ".join(f"{name}={value}" for name, value in budget["filter"].items()) or "all of it"
    each = f", for each {budget['each']}" if budget["each"] else ""
    return f"{budget['name']}: {budget['amount']} {budget['currency']} {_for_what(budget)}{each}, {scope}"


def _for_what(budget: Any) -> str:
    if budget["period"] == "rolling":
        days, hours = divmod(budget["last_hours"], 24)
        return f"in any {days} days" if days > 1 and not hours else f"in any {budget['last_hours']} hours"
    if budget["period"] == "custom":
        return f"from {budget['starts_on']} until before {budget['ends_on']}"
    return f"a {budget['period']}"


def _print(budget: Any, names: Mapping[str, str] = MappingProxyType({})) -> None:
    currency = budget["currency"]
    say(_named(budget))
    bounds = f"{minute(budget['period_start'])} to {minute(budget['period_end'])}"
    if budget["spent"] is None:
        say(f"  of each {budget['each']} by itself, {bounds}")
    else:
        provisional = f", of which provisional {rounded(budget['of_which_provisional'])}"
        share = f" ({rounded_percent(budget['percent'])})" if budget["percent"] is not None else ""
        say(f"  spent {rounded(budget['spent'])} {currency}{share}{provisional}, {bounds}")
    if allocated := budget["allocated"]:
        overlap = "; some of it counts in two of them" if allocated["overlap"] else ""
        number = f"{allocated['budgets']} budgets" if allocated["budgets"] != 1 else "1 budget"
        say(f"  {rounded(allocated['amount'])} {currency} of it are promised to {number} below it{overlap}")
    if budget["parents"]:
        say(f"  lies within {', '.join(names.get(each, each) for each in budget['parents'])}")
    told = ", ".join(f"{each} %" for each in budget["thresholds_percent"])
    if expected := ", ".join(f"{each} %" for each in budget["forecast_thresholds_percent"]):
        told += f", and when {expected} is expected"
    if hard := budget.get("hard"):
        held, debt = rounded(hard["held"]), rounded(hard["debt"])
        say(f"  refuses what is not left: {held} {currency} are held, {debt} are debt")
    _print_forecast(budget["forecast"], currency, budget["spent"])
    say(f"  tells at {told}; {budget['id']}")
    if later := budget["next"]:
        becomes = f"{later['amount']} {later['currency']}" if later["amount"] else "closed"
        say(f"  from {minute(later['effective_from'])} on: {becomes}")


def _print_forecast(forecast: Any, currency: str, spent: str | None) -> None:
    """What is below the spend of now is no forecast any more: it is up to an hour old."""
    if forecast is None:
        return
    middle = forecast["p50"] or forecast["run_rate"]
    if middle and spent and Decimal(middle) < Decimal(spent):
        say(f"  more than was expected by its end at {minute(forecast['as_of'])}")
        return
    if forecast["p50"] is None:
        rate = rounded(forecast["run_rate"]) if forecast["run_rate"] else "unknown"
        say(f"  as it goes {rate} {currency} by its end, but it is {forecast['why_not']}")
        return
    span = f"{rounded(forecast['p10'])} to {rounded(forecast['p90'])}"
    early = f", but it is {forecast['why_not']}" if forecast["why_not"] else ""
    say(f"  expected by its end {rounded(forecast['p50'])} {currency} ({span}){early}")
    if forecast["exhausted_at"]:
        say(f"  used up about {minute(forecast['exhausted_at'])}")
