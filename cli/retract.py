"""spendmeter retract."""

from typing import Annotated
from uuid import uuid4

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import ReasonOption, YesOption, confirm, print_correction
from cli._options import JsonOption, printed_as_json


def command(
    source: Annotated[str, typer.Argument(help="Who sent the event.")],
    id: Annotated[str, typer.Argument(help="The event's id.")],
    reason: ReasonOption,
    yes: YesOption = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Void an event that should never have been booked: it is reversed, and counts no longer. Its id stays
    taken; the right event needs one of its own.

    \b
    Examples:
      spendmeter retract load-test run-7 --reason "a test against production"
    """
    confirm(f"Void {source}/{id}? It cannot be brought back under this id.", yes)
    body = {"kind": "retract", "source": source, "id": id, "reason": reason, "correction_id": str(uuid4())}
    answer = ask("POST", "corrections", tenant, body=body)
    if not printed_as_json(answer, as_json):
        print_correction(answer)
