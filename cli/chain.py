"""spendmeter chain list, export and put-back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask, read
from cli._terminal import say, say_as_json_line

app = typer.Typer(
    help="The chain of days: what the book was on each day, to be kept where nobody here can write.",
    no_args_is_help=True,
)
_FLAGS = {"from": "--from", "to": "--to", "reason": "--reason"}
FirstDayOption = Annotated[str, typer.Option("--from", help="The first day, of UTC. Default: all.")]
DayAfterOption = Annotated[str, typer.Option("--to", help="The day after the last one.")]


@app.command("list")
def list_days(tenant: OfTenantOption = "", start: FirstDayOption = "", end: DayAfterOption = "") -> None:
    """Show closed days, newest first, and how the chain stands. It goes as SPENDMETER_API_KEY, or with
    --tenant as SPENDMETER_ADMIN_KEY.

    \b
    Examples:
      spendmeter chain list
      spendmeter chain list --tenant acme --from 2026-11-01
    """
    for number, answer in enumerate(_pages(tenant, start, end)):
        if not number:
            _say_standing(answer)
        for day in answer["days"]:
            sums = ", ".join(f"{each['effective']} {currency}" for currency, each in day["sums"].items())
            say(f"{day['day']}  {day['leaves']:,} entries  {sums}  {day['root']}")


@app.command()
def export(tenant: OfTenantOption = "", start: FirstDayOption = "", end: DayAfterOption = "") -> None:
    """Print the roots of closed days, and when the book was put back, one JSON object a line. Keep the file
    where nobody who runs this installation can write; verify tells whether the book still says the same.

    \b
    Examples:
      spendmeter chain export --tenant acme > acme-roots.jsonl
      spendmeter verify --roots acme-roots.jsonl
    """
    for number, answer in enumerate(_pages(tenant, start, end)):
        for each in [*answer["days"], *(() if number else answer["put_backs"])]:
            say_as_json_line(each)


@app.command("put-back")
def put_back(
    reason: Annotated[str, typer.Option(help="Which backup was restored, and why. It is told for ever.")],
) -> None:
    """Say that a backup was restored, so that days are closed again: docs/chain.md says when. It goes as
    SPENDMETER_ADMIN_KEY, which is an operator's.

    \b
    Examples:
      spendmeter chain put-back --reason "disk lost; backup of 2026-11-26 restored"
    """
    said = ask("POST", "chain/put-backs", "", body={"reason": reason}, flags=_FLAGS)
    through = said["stands_through"] or "none"
    say(f"epoch {said['epoch']} has begun; the last day that stands as it was closed: {through}")


def _pages(tenant: str, start: str, end: str) -> Iterator[Any]:
    asked = {name: value for name, value in (("from", start), ("to", end)) if value}
    cursor: str | None = ""
    while cursor is not None:
        answer = read("chain", tenant, asked | ({"cursor": cursor} if cursor else {}), flags=_FLAGS)
        yield answer
        cursor = answer["next_cursor"]


def _say_standing(answer: Any) -> None:
    say(f"closed through {answer['closed_through'] or 'no day yet'}")
    if not answer["agrees"]:
        what = f": {answer['contradictions']}" if answer["contradictions"] else ""
        say(f"what was told of closed days says otherwise than the book{what} (docs/chain.md)")
    for each in answer["put_backs"]:
        through = each["stands_through"] or "none"
        said = f"epoch {each['epoch']}: put back {each['began_at'][:16]}Z by {each['by']}: {each['reason']}"
        say(f"{said}; the last day that stands: {through}")
