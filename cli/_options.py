"""Options and arguments that several commands have, and an answer printed as one of them asks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli._running import choose_json
from cli._terminal import say_as_json

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, refusals too.", callback=choose_json)
]
ModelArgument = Annotated[str, typer.Argument(help="PROVIDER/SKU, as in openai/gpt-4o.", metavar="MODEL")]
UsageArgument = Annotated[
    list[str], typer.Argument(help="Quantities: UNIT=NUMBER. Cached tokens are no input tokens.")
]
LabelOption = Annotated[list[str] | None, typer.Option(help="NAME=VALUE, as in team=search. Repeatable.")]
TierOption = Annotated[str, typer.Option(help="The service tier that served: batch, flex, priority ...")]
RegionOption = Annotated[str, typer.Option(help="The region that served.")]

TenantOption = Annotated[
    str, typer.Option(help="For an operator's key: the tenant to act for. Default: everybody's catalog.")
]
FileArgument = Annotated[Path, typer.Argument(help="A price file.", exists=True, dir_okay=False)]
NoteOption = Annotated[str, typer.Option(help="Why; it stays in the history.")]
WithdrawOption = Annotated[
    list[str] | None, typer.Option(help="Id of an entry that no longer holds. Repeatable.", metavar="ID")
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Withdraw whatever else is in force about what the file states.")
]
ProposalArgument = Annotated[int, typer.Argument(help="The proposal's number.")]


def printed_as_json(answer: Any, json: bool) -> bool:
    """Whether the answer was wanted as JSON, and is printed."""
    if json:
        say_as_json(answer)
    return json
