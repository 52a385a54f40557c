"""spendmeter period list, close and reopen."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask, read
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._table import print_table
from cli._terminal import say

app = typer.Typer(
    help="Accounting periods: which months are closed, closing one, reopening it (docs/closing-a-month.md).",
    no_args_is_help=True,
)
WAIT_S_MAX = 30
PeriodArgument = Annotated[str, typer.Argument(help="A month of the tenant: 2026-10.")]
_FLAGS = {"period": "PERIOD", "limit": "--limit", "note": "--note", "reason": "--reason"}
_FIGURES = ("events", "effective", "of earlier periods")


@app.command("list")
def list_periods(
    limit: Annotated[int, typer.Option(min=1, max=60, help="How many, the newest first.")] = 12,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show which months are closed, by whom and when, and what each had at its close.

    \b
    Examples:
      spendmeter period list --tenant acme
    """
    answer = read("periods", tenant, {"limit": limit}, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    rows = [_row(each) for each in answer["periods"]]
    print_table(["period", "state", *_FIGURES, "by", "when", "note"], rows, figures=_FIGURES)
    for each in answer["periods"]:
        for closing in each["closings"]:
            if closing["reopened_at"]:
                say(_history(each["period"], closing))


@app.command()
def close(
    period: PeriodArgument,
    note: Annotated[str, typer.Option(help="For whoever asks later.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close a month that is over: its statements change no more. What comes late for it, or corrects it, is
    booked in the next month that is open.

    \b
    Examples:
      spendmeter period close 2026-10 --note "as agreed" --tenant acme
    """
    answer = ask("POST", f"periods/{period}/close", tenant, body={"note": note}, flags=_FLAGS)
    began = time.monotonic()
    while answer["state"] == "closing" and time.monotonic() - began < WAIT_S_MAX:
        time.sleep(0.5)
        found = read("periods", tenant, {"limit": 60}, flags=_FLAGS)["periods"]
        answer = next((each for each in found if each["period"] == period), answer)
    if printed_as_json(answer, as_json):
        return
    if answer["state"] == "closing":
        say(f"{period} is being closed: bookings that are under way are waited for (spendmeter period list)")
        return
    had = ", ".join(_money(each) for each in answer["closings"][0]["sums"]) or "nothing"
    say(f"{period} is closed with {had}")


@app.command()
def reopen(
    period: PeriodArgument,
    reason: Annotated[str, typer.Option(help="For whoever asks later.")],
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open the month that was closed last again: what comes for it is booked in it. What was booked elsewhere
    meanwhile stays there.

    \b
    Examples:
      spendmeter period reopen 2026-10 --reason "a bill came after all" --tenant acme
    """
    answer = ask("POST", f"periods/{period}/reopen", tenant, body={"reason": reason}, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        say(f"{period} is open again: its statements may change until it is closed")


def _history(period: str, closing: Any) -> str:
    closed = f"{period} was closed {closing['asked_at'][:16]} by {closing['closed_by']}"
    reopened = f"reopened {closing['reopened_at'][:16]} by {closing['reopened_by']}"
    return f"{closed} and {reopened}: {closing['reopen_reason']}"


def _row(each: Any) -> list[str]:
    closing = each["closings"][0] if each["closings"] and each["state"] in ("closing", "closed") else None
    sums = closing["sums"] if closing else []
    return [
        each["period"],
        each["state"] if each["is_over"] else "open, running",
        ", ".join(f"{one['events']:,}" for one in sums),
        ", ".join(map(_money, sums)),
        ", ".join(map(_money, each["corrections_of_earlier_periods"])),
        closing["closed_by"] if closing else "",
        (closing["closed_at"] or "")[:16] if closing else "",
        closing["note"] if closing else "",
    ]


def _money(one: Any) -> str:
    return f"{rounded(one['effective'])} {one['currency']}"
