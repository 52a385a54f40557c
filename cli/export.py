"""spendmeter export focus, spendmeter export statement."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli._asking import OfTenantOption
from cli._exports import form_of, print_written, written
from cli._options import JsonOption, printed_as_json

app = typer.Typer(
    help="Write what was spent into files for other tools. Works with a key that reads.", no_args_is_help=True
)


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
    query = {"version": version, "format": form_of(file), "from": start, "to": end}
    done = written(file, "focus", {name: said for name, said in query.items() if said}, tenant)
    if not printed_as_json(done, as_json):
        print_written(done, f"FOCUS {version}")


@app.command("statement")
def statement(
    cost_centre: Annotated[str, typer.Argument(help="Whose: a team, or another value of --dimension.")],
    file: Annotated[Path, typer.Argument(help="Where to: its name ends in .csv or .parquet.")],
    dataset: Annotated[
        Literal["invoice-detail", "billing-period"], typer.Option(help="Of FOCUS 1.4.")
    ] = "invoice-detail",
    month: Annotated[str, typer.Option(help="2026-10; default: the month that runs.")] = "",
    dimension: Annotated[str, typer.Option(help="Of what it is a value.")] = "team",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write what a cost centre bears of a month in FOCUS: a row a line of its statement, and one for what
    corrections made of it. Until periods are closed it stays open: run again, it is written anew.

    \b
    Examples:
      spendmeter export statement search search.csv --month 2026-10
      spendmeter export statement search period.csv --month 2026-10 --dataset billing-period
    """
    query = {
        "cost_centre": cost_centre, "month": month, "dimension": dimension,
        "dataset": dataset.replace("-", "_"), "format": form_of(file),
    }  # fmt: skip
    done = written(file, "statement", {name: said for name, said in query.items() if said}, tenant)
    if not printed_as_json(done, as_json):
        print_written(done, f"the statement of {cost_centre} in FOCUS 1.4")
