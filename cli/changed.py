"""spendmeter changed."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._filters import FilterOption, filters
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded, rounded_percent
from cli._table import named, print_table
from cli._terminal import say

_FIGURES = ("before", "now", "change", "in %")
_SAID = {
    "days": "the period is of another length",
    "volume": "calls (hours, seats, gigabytes: themselves)",
    "mix": "other models",
    "tokens_per_call": "size of a call",
    "cache": "share of the input that is cached",
    "price": "what a unit costs",
    "new": "what was not there before",
    "gone": "what is there no more",
    "unsplit": "without a settled price, or without quantities",
}
_FLAGS = {
    "range": "--range", "from": "--since", "to": "--until", "compare": "--month",
    "before_from": "--before-since", "before_to": "--before-until",
    "group_by": "--by", "filter": "--filter", "top": "--top", "tz": "--tz",
}  # fmt: skip


def command(
    span: Annotated[str, typer.Option("--range", help="As of `spend`. Default: last_7_days.")] = "",
    since: Annotated[str, typer.Option(help="From this day of the tenant, or instant, on.")] = "",
    until: Annotated[str, typer.Option(help="Before this day or instant.")] = "",
    month: Annotated[bool, typer.Option("--month", help="Against the same days last month.")] = False,
    before_since: Annotated[str, typer.Option(help="Against another period: from here on.")] = "",
    before_until: Annotated[str, typer.Option(help="... before this day or instant.")] = "",
    by: Annotated[str, typer.Option(help="Contributors by this dimension, as in team.")] = "",
    only: FilterOption = None,
    top: Annotated[int, typer.Option(min=1, max=1_000, help="Contributors, the largest change first.")] = 20,
    tz: Annotated[str, typer.Option(help="Whose days and hours. Default: the tenant's zone.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show why a period cost more or less than the one before: parts that sum to the change, and who
    contributed. It goes as SPENDMETER_API_KEY, or with --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter changed
      spendmeter changed --range month_to_date --month --by team
      spendmeter changed --since 2026-11-16 --until 2026-11-23 --by sku --filter team=search
    """
    asked = {"range": span, "from": since, "to": until, "compare": "month" if month else ""}
    asked |= {
        "before_from": before_since,
        "before_to": before_until,
        "group_by": by,
        "top": str(top),
        "tz": tz,
    }
    query = [(name, value) for name, value in asked.items() if value]
    query += [(f"filter.{name}", value) for name, value in filters(only or ())]
    answer = read("spend/changes", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer, [name.strip() for name in by.split(",") if name.strip()])


def _print(answer: Any, groups: list[str]) -> None:
    say(f"{_span(answer, 'period')}, {answer['tz']}")
    say(f"against {_span(answer, 'before')}")
    for row in answer["currencies"]:
        say("")
        say(
            " ".join([*_amounts(row), row["currency"]][2:])
            + f": {rounded(row['before'])} was, now {rounded(row['amount'])}"
        )
        for side, unpriced in (("before", row["unpriced_events_before"]), ("now", row["unpriced_events"])):
            if unpriced:
                say(f"{unpriced:,} events {side} have no price, and are in no amount")
        parts = [(name, rounded(amount)) for name, amount in row["parts"].items() if amount != "0"]
        print_table(
            ["part", "of the change", ""],
            [[name, amount, _SAID.get(name, "")] for name, amount in parts],
            figures=["of the change"],
        )
    if answer["contributors"]:
        say("")
        columns = [*groups, *_FIGURES, "currency"]
        print_table(columns, [_row(row, groups) for row in answer["contributors"]], figures=_FIGURES)


def _span(answer: Any, name: str) -> str:
    span = answer[name]
    return f"{minute(span['from'])} to {minute(span['to'])}: {span['length']:,} {answer['measured_in']}"


def _row(row: Any, groups: list[str]) -> list[str]:
    if row["others"]:
        of = [f"({row['others']:,} others)", *[""] * len(groups)][: len(groups)]
    else:
        of = [named(row[name]) for name in groups]
    return [*of, *_amounts(row), row["currency"]]


def _amounts(row: Any) -> list[str]:
    percent = row["change_percent"]
    amounts = [rounded(row[name]) for name in ("before", "amount", "change")]
    return [*amounts, "" if percent is None else f"({rounded_percent(percent)})"]
