"""spendmeter statement."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._table import print_table
from cli._terminal import say

_FIGURES = ("list", "effective", "of which corrected")
_FLAGS = {"month": "--month"}


def command(
    cost_centre: Annotated[str, typer.Argument(help="Whose: a team, or another value of --dimension.")],
    month: Annotated[str, typer.Option(help="2026-10; default: the month that runs.")] = "",
    dimension: Annotated[str, typer.Option(help="Of what it is a value.")] = "team",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what a cost centre bears of a month: what it spent itself, and its parts of shared cost, each with
    the pool, the ratio and the revision of the plan.

    \b
    Examples:
      spendmeter statement search
      spendmeter statement search --month 2026-10 --tenant acme
      spendmeter statement triage --dimension workflow --json
    """
    query = {"dimension": dimension} | ({"month": month} if month else {})
    answer = read(f"statements/{quote(cost_centre, safe='')}", tenant, query, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        _print(answer)


def _print(answer: Any) -> None:
    state = "" if answer["is_over"] else ", not over"
    say(f"{answer['cost_centre']}, {answer['month']}{state} ({answer['tz']})")
    rows = [
        [
            line["cost_class"], line["provider"], line["sku"], _how(line),
            *(rounded(line[name]) for name in ("list", "effective", "corrected")), line["currency"],
        ]
        for line in answer["lines"]
    ]  # fmt: skip
    print_table(["class", "provider", "sku", "how", *_FIGURES, "currency"], rows, figures=_FIGURES)
    for whole in answer["totals"]:
        say(
            f"in all {rounded(whole['total'])} {whole['currency']}: {rounded(whole['direct'])} direct, "
            f"{rounded(whole['shared'])} shared; list {rounded(whole['list'])}, "
            f"provisional {rounded(whole['of_which_provisional'])}, "
            f"of months closed before {rounded(whole['of_closed_periods'])}"
        )
    if unpriced := sum(line["unpriced_events"] for line in answer["lines"]):
        say(
            f"{unpriced:,} events behind these lines have no amount yet: the statement is too small by theirs"
        )
    closed = (
        f"closed {answer['closed_at'][:16]}" if answer["closed_at"] else "not closed: it may still change"
    )
    say(f"{closed}; held against no invoice: spendmeter invoice variance is of the whole book")


def _how(line: Any) -> str:
    if line["corrects"]:
        return f"of {line['corrects']}, closed by then" + (f", by {line['pool']}" if line["pool"] else "")
    if line["kind"] == "direct":
        return "direct"
    fed = f" (from {line['source']})" if line["source"] != line["pool"] else ""
    return f"{line['weight']}/{line['of']} of {line['pool']}{fed}, revision {line['revision']}"
