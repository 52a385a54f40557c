"""Proposals and their decision."""

from typing import Annotated

import typer

from cli._instants import minute
from cli._options import JsonOption, ProposalArgument, TenantOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say
from cli.catalog._api import ask
from cli.catalog._print import print_offers


def approve(
    id: ProposalArgument,
    confirm: Annotated[bool, typer.Option("--confirm", help="What lint asks to confirm is meant.")] = False,
    reason: Annotated[str, typer.Option(help="What to remember of the decision.")] = "",
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a tenant's currency changes: a budget's amount in the new one, or close. Repeatable.",
            metavar="ID=AMOUNT|close",
        ),
    ] = None,
    rerate: Annotated[
        str, typer.Option(help="What had waited for it: offer a re-rate, or start it.", metavar="offer|start")
    ] = "",
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Bring a proposal into force: usage is priced by it within 2 seconds; what is booked keeps its price
    until it is re-rated.

    \b
    Examples:
      spendmeter catalog approve 12
      spendmeter catalog approve 13 --confirm --reason "the vendor's price did fall by 80 %"
      spendmeter catalog approve 14 --confirm --budget 0b6c3f0e-5d3f-4c0e-9f5e-2f1d1c5f8a11=4600
    """
    body = {"confirm": confirm, "reason": reason, "budgets": dict(map(_budget, budget or ()))}
    body |= {"rerate": rerate} if rerate else {}
    answer = ask("POST", f"proposals/{id}/approve", tenant, body=body)
    if not printed_as_json(answer, json):
        effect = answer["review"]["effect"]
        say(f"proposal {id} is in force as version {answer['version']}: {effect['says']}")
        print_offers(answer["rerates"] or ())
        if not answer["rerates"] and effect["keep"]:
            say(f"  to price what is booked anew: spendmeter rerate --publication {answer['version']}")


def _budget(said: str) -> tuple[str, str | dict[str, str]]:
    """A budget's id and what becomes of it; ends the command where it says neither."""
    budget, sign, amount = said.partition("=")
    if not (budget and sign and amount):
        usage_error(f"--budget {said}: write ID=AMOUNT or ID=close")
    return budget, amount if amount == "close" else {"amount": amount}


def reject(
    id: ProposalArgument,
    reason: Annotated[str, typer.Option(help="Why not.", prompt="Why not")],
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Turn a proposal down.

    \b
    Examples:
      spendmeter catalog reject 12 --reason "prices of another region"
    """
    answer = ask("POST", f"proposals/{id}/reject", tenant, body={"reason": reason})
    if not printed_as_json(answer, json):
        say(f"proposal {id} is rejected")


def proposals(
    state: Annotated[str, typer.Option(help="open, approved or rejected.")] = "",
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """List what was proposed, newest first.

    \b
    Examples:
      spendmeter catalog proposals --state open
    """
    answer = ask("GET", "proposals", tenant, {"state": state} if state else {})
    if printed_as_json(answer, json):
        return
    for each in answer["proposals"]:
        decided = f" by {each['decided_by']}" if each["decided_by"] else ""
        say(
            f"{each['id']:>5}  {each['state']}{decided}  {minute(each['proposed_at'])} by "
            f"{each['proposed_by']}  {each['name']}  {each['note']}"
        )
