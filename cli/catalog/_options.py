"""What the options and arguments of several commands are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli._running import as_json

Json = Annotated[bool, typer.Option("--json", help="Print the api's answer as JSON.", callback=as_json)]
Tenant = Annotated[
    str, typer.Option(help="For an operator's key: the tenant to act for. Default: everybody's catalog.")
]
Model = Annotated[str, typer.Argument(help="PROVIDER/SKU, as in openai/gpt-4o.", metavar="MODEL")]
File = Annotated[Path, typer.Argument(help="A price file.", exists=True, dir_okay=False)]
Note = Annotated[str, typer.Option(help="Why; it stays in the history.")]
Withdraw = Annotated[
    list[str] | None, typer.Option(help="Id of an entry that no longer holds. Repeatable.", metavar="ID")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Withdraw whatever else is in force about what the file states.")
]
Id = Annotated[int, typer.Argument(help="The proposal's number.")]
