"""spendmeter import focus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cli._imports import KEY, followed, packed, print_import, sent
from cli._options import JsonOption, printed_as_json
from cli._running import fail

NO_KEY = f"""{KEY} is not set: a bill goes in by a key that sends nothing else. Make one, and import again:
  export {KEY}=$(spendmeter keys create TENANT --scope import --scope correct --name bills)"""
app = typer.Typer(
    help="Import bills. Works with SPENDMETER_IMPORT_KEY, a key that has the scope import.",
    no_args_is_help=True,
)


@app.callback()
def imports() -> None:
    """Keeps a single command a sub-command."""


@app.command("focus")
def focus(
    files: Annotated[
        list[Path], typer.Argument(help="CSV (also in gzip) or Parquet; of one bill all files at once.")
    ],
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", help="LABEL=tag:KEY or LABEL=COLUMN. Repeatable.", metavar="LABEL=SOURCE"),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="It is the whole bill: what it lacks is retracted.")
    ] = False,
    not_metered: Annotated[
        list[str] | None,
        typer.Option(help="Rows of it are not metered here, so they are booked. Repeatable.", metavar="RULE"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    tenant: Annotated[str, typer.Option(help="Whose; for an operator's key.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Import a bill in FOCUS (1.0 to 1.4): each row is booked once, as the bill says it. Run again it changes
    nothing; a restated bill changes the book by what differs. Exit code 1 where rows were bad or it failed.

    \b
    Examples:
      spendmeter import focus 2026-10.csv.gz --map team=tag:CostCenter --map project=SubAccountName
      spendmeter import focus export/*.parquet --complete
      spendmeter import focus 2026-10.csv --not-metered bedrock --dry-run
    """
    if not os.environ.get(KEY):
        fail(NO_KEY)
    query: dict[str, Any] = {"map": mapped or [], "not_metered": not_metered or []}
    query |= {"complete": complete, "dry_run": dry_run, "file": ", ".join(file.name for file in files)[:200]}
    with packed(files) as file:
        begun = sent(file, query, tenant)
    done = followed(begun, tenant)
    if not printed_as_json(done, as_json):
        print_import(done)
    if done["state"] != "done" or done["bad"]:
        raise typer.Exit(1)
