"""spendmeter unit-costs."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._filters import FilterOption, filters
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._table import named, print_table
from cli._terminal import say

_FIGURES = (
    "requests", "cost", "a request", "1,000 tokens", "from cache", "cache return", "attempts a success",
)  # fmt: skip
_FLAGS = {
    "range": "--range", "from": "--since", "to": "--until", "group_by": "--group", "filter": "--filter",
    "top": "--top",
}  # fmt: skip


def command(
    span: Annotated[
        str, typer.Option("--range", help="last_7_days, month_to_date ... Default: last_30_days.")
    ] = "",
    since: Annotated[str, typer.Option(help="The first day, of UTC.")] = "",
    until: Annotated[str, typer.Option(help="The day after the last one.")] = "",
    group: Annotated[
        list[str] | None, typer.Option(help="A dimension, as in team; team,sku for two. Repeatable.")
    ] = None,
    only: FilterOption = None,
    top: Annotated[int, typer.Option(min=1, max=500, help="Groups, the dearest first.")] = 100,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what a request and a thousand tokens of models cost, how much of the input came from a cache and
    what that saved, and how many attempts a success took. A dash: it cannot be said. --json has all of it.

    \b
    Examples:
      spendmeter unit-costs
      spendmeter unit-costs --range last_7_days --group sku
      spendmeter unit-costs --group workflow_version --filter workflow=refund --tenant acme --json
    """
    groups = [name.strip() for each in group or () for name in each.split(",") if name.strip()]
    asked = {"range": span, "from": since, "to": until, "group_by": ",".join(groups), "top": str(top)}
    query = [(name, value) for name, value in asked.items() if value]
    query += [(f"filter.{name}", value) for name, value in filters(only or ())]
    answer = read("unit-economics", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _print(answer: Any) -> None:
    say(f"{answer['first_day']} until {answer['until']} (UTC)")
    rows = [[*(named(row[name]) for name in answer["group_by"]), *_row(row)] for row in answer["rows"]]
    print_table([*answer["group_by"], *_FIGURES, "currency"], rows, figures=_FIGURES)
    if (more := answer["groups"] - len(rows)) > 0:
        say(f"{more:,} more groups: a larger --top, or a --filter")
    if unpriced := sum(row["unpriced_events"] for row in answer["rows"]):
        say(f"{unpriced:,} events have no price, and are in no amount")
    for row in answer["rows"]:
        if row["billed"] != "0":
            of = ", ".join(named(row[name]) for name in answer["group_by"]) or "it"
            said = "is what bills say: in no cost of a request"
            say(f"{rounded(row['billed'])} {row['currency']} of {of} {said}")
    for lack in answer["not_in_it"]:
        say(lack)
    for release in answer["releases"]:
        say(f"{release['day']}: version {release['version']} of {release['workflow']} came")


def _row(row: Any) -> list[str]:
    share, percent = row["cache_hit_rate"], row["cache_return_percent"]
    saved = _amount(row["cache_return"]) + ("" if percent is None else f" ({rounded_percent(percent)})")
    return [
        rounded(row["requests"]).removesuffix(".00"),
        ("at least " if row["lower_bound"] else "") + rounded(row["cost"]),
        _amount(row["cost_per_request"]),
        _amount(row["cost_per_1k_tokens"]),
        "-" if share is None else rounded_percent(str(100 * Decimal(share))),
        saved,
        _amount(row["attempts_per_success"]),
        row["currency"],
    ]


def _amount(amount: str | None) -> str:
    return "-" if amount is None else rounded(amount)
