"""spendmeter agents."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._table import named, print_table
from cli._terminal import say

_FIGURES = ["cost", "seats", "sessions", "merged", "per merged change"]
_SEATS = ["seats", "nobody has", "used", "idle", "idle a month"]
_FLAGS = {"from": "--since", "to": "--until", "tool": "--tool", "merged": "--merged", "seats": "--seats"}


def command(
    since: Annotated[str, typer.Option(help="From this day of UTC on. Default: 30 days.")] = "",
    until: Annotated[str, typer.Option(help="Before this day.")] = "",
    tool: Annotated[
        list[str] | None, typer.Option(help="Of this tool alone, as the label agent has it; again for more.")
    ] = None,
    merged: Annotated[
        list[str] | None, typer.Option(help="The outcome that is a merged change: pull_request_merged.")
    ] = None,
    seats: Annotated[
        list[str] | None, typer.Option(help="Whose seats a licence is, as in cursor=anysphere/teams-*.")
    ] = None,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what coding agents cost by tool and team, what a merged change cost, and seats that nobody used.
    Teams of which fewer than five people are known stand together. It goes as SPENDMETER_API_KEY, or with
    --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter agents
      spendmeter agents --since 2026-10-01 --until 2026-11-01 --tool codex --merged change_merged
    """
    query = [(name, value) for name, value in (("from", since), ("to", until)) if value]
    for name, values in (("tool", tool), ("merged", merged), ("seats", seats)):
        query += [(name, value) for value in values or ()]
    answer = read("coding-agents", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _print(answer: Any) -> None:
    say(f"{answer['first_day']} to {answer['until']}; merged: {', '.join(answer['merged_names'])}")
    columns = ["tool", "team", *_FIGURES, "currency"]
    rows = [[named(row["tool"]), _team(row), *_figures(row)] for row in answer["rows"]]
    print_table(columns, rows, figures=_FIGURES)
    for reason in dict.fromkeys(reason for row in answer["rows"] for reason in row["missing"]):
        say(f"  {reason}")
    for lack in answer["not_in_it"]:
        say(f"  {lack}")
    if answer["seats"]:
        say("")
        columns = ["licence", "tool", *_SEATS, "currency", "as of"]
        print_table(columns, [_seats(row) for row in answer["seats"]], figures=_SEATS)


def _team(row: Any) -> str:
    return f"({row['small_teams']:,} small teams)" if row["small_teams"] else named(row["team"])


def _figures(row: Any) -> list[str]:
    bound, each = "at least " if row["lower_bound"] else "", row["cost_per_merged"]
    counts = [f"{row['sessions']:,}", row["merged"], "" if each is None else bound + rounded(each)]
    return [bound + rounded(row["cost"]), rounded(row["seats"]), *counts, row["currency"]]


def _seats(row: Any) -> list[str]:
    known = ["unknown"] * 3
    if row["idle"] is not None:
        known = [str(row["active"]), str(row["idle"]), rounded(row["idle_cost_per_month"])]
    counts = [str(row["seats"]), str(row["nobody_has"])]
    return [row["licence"], row["tool"], *counts, *known, row["currency"], row["day"] or ""]
