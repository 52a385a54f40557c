"""spendmeter true-ups."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._table import print_table
from cli._terminal import say

_FIGURES = ["booked", "due", "trued up", "used", "unused"]
_FLAGS = {"from": "--since", "to": "--until"}


def command(
    since: Annotated[
        str, typer.Option(help="Periods with days of UTC from this one on. Default: 400 days.")
    ] = "",
    until: Annotated[str, typer.Option(help="And before this day.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the latest first.")] = 50,
    explain: Annotated[bool, typer.Option("--explain", help="With the arithmetic, to redo by hand.")] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show how steps, allowances and commitments of whole periods stand: what was booked, what is due by the
    term, what true-ups booked of the difference, and of a commitment what is used and unused. It goes as
    SPENDMETER_API_KEY, or with --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter true-ups
      spendmeter true-ups --since 2026-11-01 --explain
    """
    query = {name: value for name, value in (("from", since), ("to", until)) if value} | {"limit": limit}
    answer = read("true-ups", tenant, query, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    if not answer["periods"]:
        say("no term of a whole period counts: docs/price-files.md says how one is stated")
        return
    columns = ["from", "to", "provider", "effect", *_FIGURES, "currency", "term"]
    print_table(columns, [_row(each) for each in answer["periods"]], figures=_FIGURES)
    for each in answer["periods"]:
        for line in _remarks(each, explain):
            say(line)


def _row(each: Any) -> list[str]:
    figures = ("booked", "due", "trued_up", "used", "unused")
    shown = ["" if each[name] is None else rounded(each[name]) for name in figures]
    until = each["period_end"] if each["ended"] else f"{each['covered_to']}, running"
    return [
        each["period_start"], until, each["provider"], each["effect"], *shown, each["currency"], each["term"],
    ]  # fmt: skip


def _remarks(each: Any, explain: bool) -> list[str]:
    named = f"  {each['period_start']} {each['term']}: "
    said = [f"nothing is worked out: {each['refused']}"] if each["refused"] else []
    said += [f"provisional: {why}" for why in each["provisional"]]
    if explain:
        said += each["explanation"]
        said += [
            f"booked {booked['source']} {booked['id']}: {booked['amount']}" for booked in each["true_ups"]
        ]
    return [named + line for line in said]
