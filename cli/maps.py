"""spendmeter maps show, add, drop, signal and set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._in_force import said_in, say_revision
from cli._options import JsonOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say

app = typer.Typer(
    help="Label maps: which attribute of what exporters send means which label; by which signal a coding "
    "agent is priced. Without --tenant, an operator's: which attribute means which tenant.",
    no_args_is_help=True,
)

AttributeArgument = Annotated[str, typer.Argument(help="As exporters send it: organization.id, team.id")]
LabelArgument = Annotated[str, typer.Argument(help="team, project, ... or a dimension of the tenant's own")]
WhyOption = Annotated[str, typer.Option("--reason", help="For whoever asks later.")]
_PATH = "label-maps"


@app.command()
def show(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """What is in force, by whom and why."""
    answer = ask("GET", _PATH, tenant)
    if not printed_as_json(answer, as_json):
        _show(answer)


@app.command()
def add(
    attribute: AttributeArgument,
    label: LabelArgument,
    reason: WhyOption,
    value: Annotated[
        list[str] | None,
        typer.Option(help="VALUE=LABEL, what a value means. Repeatable. None: the value itself."),
    ] = None,
    first: Annotated[bool, typer.Option("--first", help="Before the rules that there are.")] = False,
    tenant: OfTenantOption = "",
) -> None:
    """Add a rule after those that there are, or more values to the one of this attribute and label.

    \b
    Examples:
      spendmeter maps add team.id team --reason "as laptops are set up" --tenant acme
      spendmeter maps add organization.id team --value 5f1c0a52=platform --reason "theirs" --tenant acme
    """
    values = _values(value or ())
    now = ask("GET", _PATH, tenant)
    rules = now["labels"]
    of_both = [rule for rule in rules if (rule["attribute"], rule["label"]) == (attribute, label)]
    if of_both and values:
        of_both[0]["values"] |= values
    elif not of_both:
        rules.insert(0 if first else len(rules), {"attribute": attribute, "label": label, "values": values})
    _show(_put(tenant, now, reason))


@app.command()
def drop(
    attribute: AttributeArgument, label: LabelArgument, reason: WhyOption, tenant: OfTenantOption = ""
) -> None:
    """Take the rules of this attribute and label away; what they made of what was sent stays."""
    now = ask("GET", _PATH, tenant)
    now["labels"] = [r for r in now["labels"] if (r["attribute"], r["label"]) != (attribute, label)]
    _show(_put(tenant, now, reason))


@app.command()
def signal(
    tool: Annotated[str, typer.Argument(help="claude-code, codex or gemini-cli")],
    by: Annotated[str, typer.Argument(help="logs or traces", metavar="SIGNAL")],
    reason: WhyOption,
    tenant: OfTenantOption = "",
) -> None:
    """Say by which of its signals a coding agent is priced: each of them tells of the same calls."""
    now = ask("GET", _PATH, tenant)
    now["signals"][tool] = by
    _show(_put(tenant, now, reason))


@app.command("set")
def set_all(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="TOML: [[labels]] and [signals]")],
    reason: WhyOption,
    tenant: OfTenantOption = "",
) -> None:
    """Set all of it anew, as a file says."""
    _show(ask("PUT", _PATH, tenant, body=said_in(file) | {"reason": reason}))


def _values(said: Sequence[str]) -> dict[str, str]:
    pairs = [each.rpartition("=") for each in said]
    if not all(value and label for value, _, label in pairs):
        usage_error("--value is VALUE=LABEL")
    return {value: label for value, _, label in pairs}


def _put(tenant: str, now: dict[str, Any], reason: str) -> dict[str, Any]:
    body = {name: now[name] for name in ("labels", "signals", "revision")} | {"reason": reason}
    answer: dict[str, Any] = ask("PUT", _PATH, tenant, body=body)
    return answer


def _show(answer: dict[str, Any]) -> None:
    for rule in answer["labels"]:
        its_own = "" if rule["values"] else "its own value"
        say(f"{rule['attribute']:<32}  {rule['label']:<16}  {its_own}".rstrip())
        for value, label in rule["values"].items():
            say(f"  {value:<30}  {label}")
    if not answer["labels"]:
        say("no attribute means a label")
    for tool, by in answer["signals"].items():
        say(f"{tool} is priced by its {by}")
    say_revision(answer)
