"""spendmeter export focus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli._asking import OfTenantOption
from cli._exports import FORMS, written
from cli._options import JsonOption, printed_as_json
from cli._running import fail
from cli._table import print_table
from cli._terminal import say

app = typer.Typer(
    help="Write what was spent into files for other tools. Works with a key that reads.", no_args_is_help=True
)


@app.callback()
def exports() -> None:
    """Keeps a single command a sub-command."""


@app.command("focus")
def focus(
    file: Annotated[Path, typer.Argument(help="Where to: its name ends in .csv or .parquet.")],
    version: Annotated[Literal["1.2", "1.4"], typer.Option(help="Of FOCUS.")] = "1.4",
    start: Annotated[str, typer.Option("--from", help="First day, in UTC. Default: of the month.")] = "",
    end: Annotated[str, typer.Option("--to", help="The day after the last, in UTC. Default: today.")] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write whole days that are over in FOCUS: a row a day, series, unit and price, and one for each row of a
    bill. The file is there once it is whole, in the place of an older one; run again, it is written anew.

    \b
    Examples:
      spendmeter export focus 2026-10.csv --from 2026-10-01 --to 2026-11-01
      spendmeter export focus 2026-10.parquet --version 1.2 --from 2026-10-01 --to 2026-11-01
    """
    if (form := FORMS.get(file.suffix.lower())) is None:
        fail(f"{file} names no form: end it in {' or '.join(FORMS)}")
    query = {"version": version, "format": form, "from": start, "to": end}
    done = written(file, {name: said for name, said in query.items() if said}, tenant)
    if printed_as_json(done, as_json):
        return
    say(f"{file}: {done['bytes']:,} bytes of FOCUS {version}; its rows come to")
    columns = ("currency", "list", "contracted", "effective")
    rows = [[total[name] for name in columns] for total in done["totals"]]
    print_table(columns, rows, columns[1:])
    through = done["complete_through"]
    known = f"all that was accepted before {through} is in it"
    say(known if through else "nobody can say whether some of it is not booked yet: spendmeter status")
