"""spendmeter allocation show, plan, try and set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, ask, read
from cli._in_force import said_in
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._table import print_table
from cli._terminal import say

app = typer.Typer(
    help="Allocation: who bears what, and how shared cost is handed on (docs/allocation.md).",
    no_args_is_help=True,
)
DimensionOption = Annotated[str, typer.Option("--dimension", help="To whose values cost is handed on.")]
PoolsFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="TOML with [[pools]]; docs/allocation.md has one")
]
NOBODY = {
    "residual": "(residual: pools leave it)",
    "unattributed": "(unattributed: names nobody)",
    "folded": "(folded: one name too many that day)",
}
_FLAGS = {
    "from": "--since",
    "to": "--until",
    "range": "--range",
    "month": "--month",
    "first_day": "--first-day",
}
_FIGURES = ("direct", "shared", "total", "unpriced events")


@app.command()
def show(
    span: Annotated[
        str, typer.Option("--range", help="month_to_date, last_month ... Default: month_to_date.")
    ] = "",
    since: Annotated[str, typer.Option(help="The first day, of the tenant.")] = "",
    until: Annotated[str, typer.Option(help="The day after the last one.")] = "",
    dimension: DimensionOption = "team",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show who bears what: what each spent itself, its parts of pools, and what nobody bears.

    \b
    Examples:
      spendmeter allocation show
      spendmeter allocation show --range last_month --tenant acme
      spendmeter allocation show --since 2026-11-01 --until 2026-11-16 --dimension workflow --json
    """
    asked = {"range": span, "from": since, "to": until, "dimension": dimension}
    query = {name: value for name, value in asked.items() if value} | ({} if as_json else {"shares": "false"})
    answer = read("allocations", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


@app.command()
def plan(
    dimension: DimensionOption = "team", tenant: OfTenantOption = "", as_json: JsonOption = False
) -> None:
    """Show the plan: its versions, from when each holds, by whom and why.

    \b
    Examples:
      spendmeter allocation plan --tenant acme
    """
    answer = read(_path(dimension), tenant)
    if not printed_as_json(answer, as_json):
        _print_plan(answer)


@app.command("set")
def set_version(
    file: PoolsFile,
    first_day: Annotated[str, typer.Option(help="From which day of the tenant on it holds: 2026-12-01.")],
    reason: Annotated[str, typer.Option(help="For whoever asks later.")],
    dimension: DimensionOption = "team",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set a version of the plan, as a file says. Nothing that is booked changes; try it first.

    \b
    Examples:
      spendmeter allocation set pools.toml --first-day 2026-12-01 --reason "as agreed" --tenant acme
    """
    body = {"pools": _pools(file), "first_day": first_day, "reason": reason}
    answer = ask("PUT", _path(dimension), tenant, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print_plan(answer)


@app.command("try")
def try_plan(
    file: PoolsFile,
    month: Annotated[str, typer.Option(help="2026-10; default: the last one that is over.")] = "",
    dimension: DimensionOption = "team",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what a plan would have made of a month. Nothing is set.

    \b
    Examples:
      spendmeter allocation try pools.toml --tenant acme
    """
    body = {"pools": _pools(file)} | ({"month": month} if month else {})
    answer = ask("POST", f"{_path(dimension)}/dry-run", tenant, body=body, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    say(f"{answer['dimension']}, {answer['month']}: now, and by this plan")
    table = [
        [_named(row), *(rounded(row[name]) for name in ("before", "after", "change")), row["currency"]]
        for row in answer["rows"]
    ]
    print_table(["", "before", "after", "change", "currency"], table, figures=("before", "after", "change"))
    _print_pools(answer["pools"])
    _print_unseen(answer)


def _path(dimension: str) -> str:
    return f"allocation-plans/{quote(dimension, safe='')}"


def _pools(file: Path) -> Any:
    return said_in(file).get("pools", [])


def _print(answer: Any) -> None:
    say(f"{answer['first_day']} until {answer['until']} ({answer['tz']}), by {answer['dimension']}")
    table = [
        [
            _named(row), *(rounded(row[name]) for name in ("direct", "shared", "total")),
            f"{row['unpriced_events']:,}", row["currency"],
        ]
        for row in answer["rows"]
    ]  # fmt: skip
    print_table([answer["dimension"], *_FIGURES, "currency"], table, figures=_FIGURES)
    for whole in answer["totals"]:
        say(f"in all {rounded(whole['total'])} {whole['currency']}; {_coverage(whole)}")
    _print_pools(answer["pools"])


def _coverage(whole: Any) -> str:
    if whole["attributed_percent"] is None:
        return (
            f"{rounded(whole['unattributed'])} name nobody (credits or events without a price lie in it: no "
            "percentage would be true)"
        )
    named, borne = rounded_percent(whole["attributed_percent"]), rounded_percent(whole["borne_percent"])
    return (
        f"{named} names somebody, {borne} is borne by somebody, {rounded(whole['unattributed'])} names nobody"
    )


def _print_pools(pools: Any) -> None:
    for each in pools:
        left = f"; {rounded(each['residual'])} left: {each['because']}" if each["because"] else ""
        unpriced = f"; {each['unpriced_events']:,} events have no amount" if each["unpriced_events"] else ""
        driver = f" by {each['driver']}" if each["driver"] else ""
        fed = f" and was fed {rounded(each['fed'])}" if each["fed"] != "0" else ""
        taken = f"{rounded(each['taken'])} {each['currency']}{fed}"
        say(f"pool {each['pool']}: took {taken}, {each['rule']}{driver}{left}{unpriced}")


def _print_unseen(answer: Any) -> None:
    if answer["unseen"]:
        say(f"no event ever named {', '.join(answer['unseen'])}: a typing error, or somebody new")


def _print_plan(answer: Any) -> None:
    if not answer["versions"]:
        say(f"no plan for {answer['dimension']}: what names nobody stays unattributed")
    for version in answer["versions"]:
        until = f" until {version['until']}" if version["until"] else ""
        replaced = "" if version["holds"] else " (replaced)"
        say(f"from {version['first_day']}{until}, revision {version['revision']}{replaced}, "
            f"{version['at'][:16]}, {version['by']}: {version['reason']}")  # fmt: skip
        for pool in version["pools"]:
            say(f"  {_told(pool)}")
        if not version["pools"]:
            say("  nothing is shared out")
    _print_unseen(answer)


def _told(pool: Any) -> str:
    scope = ", ".join(f"{name}={value or '(none)'}" for name, value in pool["filter"].items()) or "everything"
    if pool["driver"]:
        of = ", ".join(f"{name}={value or '(none)'}" for name, value in pool["driver"]["filter"].items())
        how = f"by {pool['driver']['measure']}{f' of {of}' if of else ''}"
    else:
        weights = [
            *pool["weights"].items(),
            *((f"pool {name}", part) for name, part in pool["pools"].items()),
        ]
        parts = ", ".join(f"{name} {weight}" for name, weight in weights)
        whole = f" of {pool['of'] or 100}" if pool["rule"] == "fixed" else ""
        how = f"{parts}{whole}" if parts else ""
    among = f"among {', '.join(pool['among'])}" if pool["among"] else ""
    return " ".join(filter(None, [f"{pool['name']} ({scope}): {pool['rule']}", how, among]))


def _named(row: Any) -> str:
    return row["cost_centre"] if row["kind"] == "cost_centre" else NOBODY[row["kind"]]
