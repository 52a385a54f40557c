"""spendmeter proof: up to when the book is proved, and what was found wrong with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._counts import proved_text
from cli._options import JsonOption, printed_as_json
from cli._terminal import say


def command(
    tenant: OfTenantOption = "",
    seen: Annotated[
        str, typer.Option(help="Let the proof go on past this finding, by its id; an operator's act.")
    ] = "",
    note: Annotated[str, typer.Option(help="With --seen: why it may go on.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show up to when the book is proved against the events on the topic, and what was found wrong with it.
    It goes as SPENDMETER_ADMIN_KEY; without --tenant an operator sees all.

    \b
    Examples:
      spendmeter proof
      spendmeter proof --tenant acme --json
      spendmeter proof --seen 6b1f0c5d7e8f90a1b2c3d4e5f6071829 --note "restored from the backup of Monday"
    """
    if seen:
        answer = ask(
            "POST", f"proof/findings/{seen}/seen", tenant, body={"note": note}, flags={"note": "--note"}
        )
    else:
        answer = ask("GET", "proof", tenant)
    if printed_as_json(answer, as_json):
        return
    say(proved_text(answer["proved_until"]))
    if answer["line"]:
        say(f"the line stands still: {answer['line']}")
    for mark in answer["marks"]:
        say(f"  {_mark(mark)}")
    for finding in answer["findings"]:
        whose = f"{finding['tenant']}: " if finding["tenant"] else ""
        say(f"{finding['found_at'][:19]}Z  {finding['id']}  {whose}{finding['named']}: {finding['what']}")
        if finding["gone_at"]:
            say(f"    not found any more since {finding['gone_at'][:19]}Z")
        if finding["seen_at"]:
            say(f"    seen by {finding['seen_by']}: {finding['note']}")
    if not answer["findings"]:
        say("nothing was found wrong")
    elif answer["unseen"]:
        say(f"nobody has seen {answer['unseen']} of these; the proof waits there (--seen ID --note WHY)")


def _mark(mark: dict[str, Any]) -> str:
    what = "corrections" if mark["partition"] < 0 else f"partition {mark['partition']}"
    stands = f", looked at up to {mark['looked']:,}" if mark["looked"] > mark["next_origin"] else ""
    alone = f", {mark['without_record']:,} without their record" if mark["without_record"] else ""
    return f"{what}: proved from {mark['first_origin']:,} up to {mark['next_origin']:,}{stands}{alone}"
