"""spendmeter spend."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._filters import FilterOption, filters
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._table import named, print_table
from cli._terminal import say

SERIES_ROWS = 5_000
"""As many as the api gives at once."""
_FIGURES = ("events", "list", "effective", "of which provisional", "unpriced events")
_BESIDE = ("before", "change", "in %")
_FLAGS = {
    "range": "--range", "from": "--since", "to": "--until", "bucket": "--bucket", "group_by": "--group",
    "filter": "--filter", "top": "--top", "tz": "--tz", "compare": "--compare", "as_of": "--as-of",
}  # fmt: skip


def command(
    span: Annotated[
        str,
        typer.Option(
            "--range", help="today, yesterday, this_week, month_to_date, last_7_days ... Default: today."
        ),
    ] = "",
    since: Annotated[str, typer.Option(help="From this day of the tenant, or instant, on.")] = "",
    until: Annotated[str, typer.Option(help="Before this day or instant.")] = "",
    bucket: Annotated[str, typer.Option(help="Over time: a row a minute, hour, day, week or month.")] = "",
    group: Annotated[
        list[str] | None, typer.Option(help="A dimension, as in team; team,sku for two. Repeatable.")
    ] = None,
    only: FilterOption = None,
    top: Annotated[int, typer.Option(min=1, max=1_000, help="Groups that are named, the largest.")] = 100,
    tz: Annotated[str, typer.Option(help="Whose days and hours. Default: the tenant's zone.")] = "",
    compare: Annotated[
        str, typer.Option(help="What each row was: previous (as many days before) or month (the last).")
    ] = "",
    as_of: Annotated[
        str, typer.Option(help="As the book stood at this day's start, or instant: without what came since.")
    ] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what was spent: in all, by any dimensions, over time; how much of it is a bound (provisional), and
    how many events have no amount (unpriced). It goes as SPENDMETER_API_KEY, or with --tenant as
    SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter spend
      spendmeter spend --range last_7_days --group team,sku
      spendmeter spend --since 2026-11-01 --until 2026-11-08 --bucket day --compare previous
      spendmeter spend --since 2026-10-01 --until 2026-11-01 --group team --as-of 2026-11-03T09:00:00Z
      spendmeter spend --range today --filter team=search --filter team=ads
      spendmeter spend --group sku --filter team=search --tenant acme --json
    """
    groups = [name.strip() for each in group or () for name in each.split(",") if name.strip()]
    asked = {"range": span, "from": since, "to": until, "bucket": bucket, "group_by": ",".join(groups)}
    asked |= {
        "top": str(top),
        "tz": tz,
        "compare": compare,
        "as_of": as_of,
        "limit": str(SERIES_ROWS) if bucket else "",
    }
    asked |= {} if as_json else {"usage": "false"}
    query = [(name, value) for name, value in asked.items() if value]
    query += [(f"filter.{name}", value) for name, value in filters(only or ())]
    answer = read("spend", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer, groups)


def _print(answer: Any, groups: list[str]) -> None:
    known = f"as it stood at {answer['as_of']}" if answer["as_of"] else _complete(answer)
    say(f"{minute(answer['from'])} to {minute(answer['to'])} ({answer['tz']}), {known}")
    beside = _BESIDE if answer["compared_with"] else ()
    if beside:
        say("before: " + " to ".join(minute(answer["compared_with"][name]) for name in ("from", "to")))
    columns = [*groups, *_FIGURES, *beside, "currency"]
    rows = [_row(row, groups) for row in answer["totals"]]
    if series := answer["series"]:
        columns = ["from", *columns]
        over_time = [[minute(row["bucket_start"]), *_row(row, groups)] for row in series]
        rows = [*over_time, *(["in all", *row] for row in rows)]
    print_table(columns, rows, figures=[*_FIGURES, *beside])
    if answer["next_cursor"]:
        say("There are later ones: a larger --bucket, or a shorter span.")


def _row(row: Any, groups: list[str]) -> list[str]:
    if row["others"]:
        of = [f"({row['others']:,} others)", *[""] * len(groups)][: len(groups)]
    else:
        of = [named(row[name]) for name in groups]
    amounts = [rounded(row[name]) for name in ("list", "effective", "of_which_provisional")]
    beside = _beside(row["compared"]) if row["compared"] else []
    return [*of, f"{row['events']:,}", *amounts, f"{row['unpriced_events']:,}", *beside, row["currency"]]


def _beside(compared: Any) -> list[str]:
    """What it was before; '' = nothing is known of that."""
    amounts = ["" if compared[name] is None else rounded(compared[name]) for name in ("before", "change")]
    return [*amounts, "" if compared["percent"] is None else rounded_percent(compared["percent"])]


def _complete(answer: Any) -> str:
    """How far that is all of it."""
    if not answer["complete_through"]:
        return "not complete: the book is still catching up"
    flying = answer["in_flight"]
    more = f", {flying:,} events on their way" if flying else ""
    return f"complete through {answer['complete_through']}{more}"
