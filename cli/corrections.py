"""spendmeter corrections."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import asked
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._terminal import say


def command(
    state: Annotated[
        str, typer.Option(help="waiting, applied, refused, duplicate, superseded or unknown.")
    ] = "",
    since: Annotated[str, typer.Option(help="A day or an instant. Default: 400 days ago.")] = "",
    until: Annotated[str, typer.Option(help="Before this one.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List corrections of events and voids, with who asked for them, why, and what became of them.

    \b
    Examples:
      spendmeter corrections
      spendmeter corrections --state waiting
    """
    query: dict[str, Any] = {"state": state, "from": since, "to": until, "limit": limit}
    answer = ask("GET", "corrections", tenant, {name: value for name, value in query.items() if value})
    if printed_as_json(answer, as_json):
        return
    for each in answer["corrections"]:
        at, why = minute(each["requested_at"]), f" ({each['why']})" if each["why"] else ""
        say(f"{at}  {each['state']}{why}  {each['source']}/{each['id']}: {asked(each)}")
    if not answer["corrections"]:
        say("none was asked for")
