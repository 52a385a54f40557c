"""spendmeter workflows list and compare."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._table import named, print_table
from cli._terminal import say

app = typer.Typer(
    help="Workflows: what a solved case costs, version by version (docs/workflows.md).", no_args_is_help=True
)
_FLAGS = {
    "workflow": "WORKFLOW", "from": "--since", "to": "--until", "version": "--version",
    "against": "--against", "team": "--team",
}  # fmt: skip
_SHARES = ("success_share",)


@app.command("list")
def list_workflows(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show the workflows of the last 90 days, with their versions and when each came.

    \b
    Examples:
      spendmeter workflows list --tenant acme
    """
    answer = read("workflows", tenant)
    if printed_as_json(answer, as_json):
        return
    rows = [
        [
            named(workflow["workflow"]),
            named(version["version"]),
            version["kind"] or "",
            f"{version['runs']:,}",
            version["first_day"] or "",
            version["last_day"] or "",
            _each(version),
        ]
        for workflow in answer["workflows"]
        for version in workflow["versions"]
    ]
    heads = ["workflow", "version", "kind", "runs", "came", "last run", "an accepted outcome"]
    print_table(heads, rows, figures=["runs", heads[-1]])
    if answer["pending"]:
        say("sums of days that count are being made again")


@app.command()
def compare(
    workflow: Annotated[str, typer.Argument(help="Which: the label `workflow` of its events.")],
    since: Annotated[str, typer.Option(help="The first day, of UTC. Default: 90 days ago.")] = "",
    until: Annotated[str, typer.Option(help="The day after the last one.")] = "",
    version: Annotated[
        list[str] | None, typer.Option(help="A version; repeatable. Default: those with most runs.")
    ] = None,
    against: Annotated[str, typer.Option(help="What the others are held against.")] = "",
    team: Annotated[str, typer.Option(help="Of one team alone.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show versions of a workflow side by side: each figure with its 95 % interval, or what lacks to say it;
    what one saves a month against the other; and its dearest runs. --json has all of it.

    \b
    Examples:
      spendmeter workflows compare refund
      spendmeter workflows compare refund --version v1 --version v2 --against v1 --tenant acme
    """
    asked = {"workflow": workflow, "from": since, "to": until, "against": against, "team": team}
    query = [(name, value) for name, value in asked.items() if value]
    query += [("version", each) for each in version or ()]
    answer = read("workflows/comparison", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _print(answer: Any) -> None:
    again = ", some days are being added up again" if answer["pending"] else ""
    say(f"{answer['first_day']} until {answer['until']} (UTC), runs before {answer['mature_until']}{again}")
    for version in answer["versions"]:
        say("")
        kind = f", {version['kind']}" if version["kind"] else ""
        came = f", came {version['first_seen']}" if version["first_seen"] else ""
        said = "as entered" if version["entered"] else f"{version['runs']:,} runs"
        say(f"{named(version['version'])}{kind}{came}: {said}")
        rows = [_figure(figure) for figure in version["figures"]]
        print_table(["figure", "value", "low", "high", ""], rows, figures=["value", "low", "high"])
        for run in version["dearest"][:3]:
            say(f"run {run['run']} of {named(run['team'])} cost {rounded(run['cost'])} {run['currency']}")
    for difference in answer["differences"]:
        _print_difference(difference)


def _figure(figure: Any) -> list[str]:
    name = figure["name"]
    amounts = [_amount(figure[each], name in _SHARES) for each in ("value", "low", "high")]
    if figure["value"] is not None:
        bound = "at least " if figure["lower_bound"] else "at most " if figure["upper_bound"] else ""
        amounts[0] = bound + amounts[0]
    return [name.replace("_", " "), *amounts, "; ".join(figure["missing"])]


def _each(version: Any) -> str:
    cost = version["cost_per_accepted"]
    bound = "at least " if version["lower_bound"] else ""
    return "-" if cost is None else f"{bound}{rounded(cost)} {version['currency']}"


def _amount(amount: str | None, is_share: bool = False) -> str:
    if amount is None:
        return "-"
    return rounded_percent(str(100 * Decimal(amount))) if is_share else rounded(amount)


def _print_difference(difference: Any) -> None:
    say("")
    say(f"{named(difference['version'])} against {named(difference['against'])}: {difference['claim']}")
    saving, low, high = (difference[f"monthly_saving{end}"] for end in ("", "_low", "_high"))
    if saving is None:
        say("saves nobody knows what: " + "; ".join(difference["missing"]))
        return
    between = f" ({_amount(low)} to {_amount(high)})"
    say(f"saves {rounded(saving)}{between} {difference['currency']} a month at its volume")
    if difference["payback_months"] is not None:
        say(f"its change is paid back in {rounded(difference['payback_months'])} months")
