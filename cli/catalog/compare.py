"""The catalog beside itself at another time, and beside other sources; what is agreed with tenants."""

from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli._instants import minute, version
from cli._options import JsonOption, TenantOption, printed_as_json
from cli._terminal import say
from cli.catalog._api import ask, contents
from cli.catalog._print import print_changes, print_left_out

NAMES_SHOWN = 20


def changes(
    since: Annotated[str, typer.Argument(help="A version, a day, or an instant as 2026-11-01T00:00:00Z.")],
    until: Annotated[str, typer.Argument(help="The same. Default: now.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many to print.")] = 200,
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Report what changed between two publications or instants.

    \b
    Examples:
      spendmeter catalog changes 1
      spendmeter catalog changes 2026-10-01 2026-11-01
    """
    asked = {"from": version(since)} | ({"to": version(until)} if until else {})
    answer = ask("GET", "changes", tenant, asked)
    if not printed_as_json(answer, json):
        answer["changes"] = answer["changes"][:limit]
        say(f"after version {answer['since']}, up to {answer['until']}:")
        print_changes(answer)


def terms(
    tenant: TenantOption = "",
    history: Annotated[bool, typer.Option("--history", help="With those that were withdrawn.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what is agreed with tenants, from when: currency, time zone, contracts, bounds of the unknown.

    \b
    Examples:
      spendmeter catalog terms
      spendmeter catalog terms --tenant acme --history
    """
    answer = ask("GET", "terms", tenant, {"history": str(history).lower()})
    if printed_as_json(answer, json):
        return
    for each in answer["terms"]:
        since, until = each.get("effective_from"), each["effective_to"]
        span = f"from {minute(since) if since else 'the beginning'}"
        span += f" until {minute(until)}" if until else ""
        counts = f"{each.get('currency', 'USD')}, {each.get('time_zone', 'UTC')}"
        say(f"{each['tenant']}: {counts}, {span} ({each['state']})")
        by = f" by {each['by']}" if each.get("by") else ""
        stated = f"stated {minute(each['recorded_at'])}{by}"
        say(f"  entry {each['id']}, version {each['version']}, {stated}, says {each['source']}")
        if more := {name: value for name, value in each.items() if name not in _SHOWN_OF_TERMS}:
            say(f"  {dumps(more)}")
    if not answer["terms"]:
        say("none: US dollars, UTC, no contracts")


_SHOWN_OF_TERMS = frozenset(
    """type id version source recorded_at by note revision tenant currency time_zone effective_from
    effective_to state""".split()
)


def consensus(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Other sources' price files. Default: the opinions of this release.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    state: Annotated[
        str, typer.Option(help="Without files: only these (corrected, reviewed, open or missing).")
    ] = "",
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Report where other sources state other prices than the catalog. Exit code 1 where any does.

    Without files: where genai-prices and LiteLLM, as of this release, are more than one percent from what is
    charged, and what decides whose word holds; exit code 1 where something is open.

    \b
    Examples:
      spendmeter catalog consensus --state open
      spendmeter catalog consensus model_prices_and_context_window.json genai-prices.json
    """
    if not files:
        _opinions(state, tenant, json)
        return
    reports = {
        str(file): ask("POST", "consensus", tenant, {"name": file.name}, content=contents(file))
        for file in files
    }
    if not printed_as_json(reports, json):
        for name, report in reports.items():
            _print_consensus(name, report)
    if any(report["disagreements_total"] for report in reports.values()):
        raise typer.Exit(1)


def _opinions(state: str, tenant: str, json: bool) -> None:
    report = ask("GET", "opinions", tenant, {"state": state} if state else {})
    if not printed_as_json(report, json):
        counted = ", ".join(f"{count:,} {name}" for name, count in report["states"].items()) or "they agree"
        say(f"genai-prices and LiteLLM beside catalog version {report['version']}: {counted}")
        for each in report["opinions"]:
            _print_opinion(each)
        if more := report["total"] - len(report["opinions"]):
            say(f"  ... and {more:,} more")
    if report["states"].get("open"):
        raise typer.Exit(1)


def _print_opinion(opinion: Any) -> None:
    found = opinion["difference"]
    conditions = f" ({found['conditions']})" if found["conditions"] else ""
    charged = found["charged"] or "no price"
    apart = f" ({opinion['apart_percent']} %)" if opinion["apart_percent"] else ""
    say(
        f"  {opinion['state']}: {found['provider']}/{found['sku']} {found['unit']}{conditions}: "
        f"here {charged}, {found['catalog']} {found['theirs']} {found['currency']} "
        f"per {found['per']:,}{apart}{_as_called(found)}"
    )
    if opinion["rule"]:
        say(f"    {opinion['right']}: {opinion['rule']} {opinion['source']}")


def _as_called(difference: Any) -> str:
    return f" as {difference['name']}" if difference["name"] else ""


def _print_consensus(name: str, report: Any) -> None:
    """Where one source differs."""
    say(f"{name} and catalog version {report['version']}: {report['models']:,} models in both")
    for each in report["disagreements"]:
        conditions = f" ({each['conditions']})" if each["conditions"] else ""
        what = f"{each['provider']}/{each['sku']} {each['unit']}{conditions}"
        here = f"{each['ours']} {each['our_currency']}" if each["ours"] else "no price"
        per = f" per {each['per']:,}" if each["per"] > 1 else ""
        say(f"  {what}: here {here}, there {each['theirs']} {each['currency']}{per}{_as_called(each)}")
    if more := report["disagreements_total"] - len(report["disagreements"]):
        say(f"  ... and {more:,} more")
    if not report["disagreements"]:
        say("  they agree")
    print_left_out(report["not_taken"])
    if alone := report["only_theirs"]:
        names = ", ".join(alone[:NAMES_SHOWN])
        say(f"  {len(alone):,} there alone: {names}{' ...' if len(alone) > NAMES_SHOWN else ''}")
