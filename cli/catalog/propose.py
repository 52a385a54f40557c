"""A price file on its way to a proposal."""

from pathlib import Path
from typing import Annotated

import typer

from cli._options import (
    FileArgument,
    JsonOption,
    NoteOption,
    ReplaceOption,
    TenantOption,
    WithdrawOption,
    printed_as_json,
)
from cli._running import usage_error
from cli.catalog._api import ask, send_file
from cli.catalog._print import print_findings, print_left_out, print_review


def propose(
    file: FileArgument,
    note: NoteOption = "",
    withdraw: WithdrawOption = None,
    replace: ReplaceOption = False,
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Propose the prices of a file. Nothing is in force before it is approved.

    \b
    Examples:
      spendmeter catalog propose prices.toml --note "price list of November"
      spendmeter catalog propose contract.csv --tenant acme
      spendmeter catalog propose fixed.toml --withdraw 3q5hz7m2kdw4e
    """
    print_review(send_file(file, note, withdraw, replace, tenant), json)


def import_file(
    file: FileArgument, note: NoteOption = "", tenant: TenantOption = "", json: JsonOption = False
) -> None:
    """Propose a whole source: earlier prices of its models that it does not repeat are withdrawn.

    \b
    Examples:
      spendmeter catalog import model_prices_and_context_window.json --note "LiteLLM of today"
    """
    print_review(send_file(file, note, None, True, tenant), json)


def lint(
    file: FileArgument,
    withdraw: WithdrawOption = None,
    replace: ReplaceOption = False,
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Say what looks wrong in a file, and propose nothing. Exit code 1 where anything does.

    \b
    Examples:
      spendmeter catalog lint prices.toml
    """
    review = send_file(file, "", withdraw, replace, tenant, dry_run=True)["review"]
    findings = review["findings"]
    if not printed_as_json(findings, json):
        print_findings(findings)
        print_left_out(review["not_taken"])
    if findings:
        raise typer.Exit(1)


def diff(
    what: Annotated[str, typer.Argument(help="A proposal's number, or a file that is not proposed yet.")],
    withdraw: WithdrawOption = None,
    replace: ReplaceOption = False,
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Show what a proposal or a file would change, what looks wrong, and the money of the last 30 days.

    \b
    Examples:
      spendmeter catalog diff 12
      spendmeter catalog diff prices.toml --replace
    """
    if what.isdecimal():
        print_review(ask("GET", f"proposals/{what}", tenant), json)
        return
    if not Path(what).is_file():
        usage_error(f"{what!r} is neither a proposal's number nor a file")
    print_review(send_file(Path(what), "", withdraw, replace, tenant, dry_run=True), json)
