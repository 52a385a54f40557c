"""spendmeter correct."""

import json
from collections.abc import Iterable
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import ReasonOption, print_correction
from cli._event import pairs
from cli._options import JsonOption, printed_as_json
from cli._running import usage_error

_AS_JSON = frozenset({"context.batch", "performance.latency_ms", "outcome.count"})
"""Fields that are no text in an event; quantities and amounts may be."""


def command(
    source: Annotated[str, typer.Argument(help="Who sent the event.")],
    id: Annotated[str, typer.Argument(help="The event's id.")],
    reason: ReasonOption,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A field of its data: FIELD=VALUE. Repeatable.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="A field that it is not to have. Repeatable.", metavar="FIELD")
    ] = None,
    revision: Annotated[
        int | None, typer.Option(min=0, help="Of several the highest holds. Default: the next.")
    ] = None,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say anew what a booked event was: it is reversed, and priced again as corrected. Both entries stay.

    \b
    Examples:
      spendmeter correct checkout-bot req/81 --set usage.input_tokens=5 --reason "counted twice"
      spendmeter correct checkout-bot req/81 --set labels.team=search --unset labels.feature --reason "moved"
    """
    patch = _patch(set_ or (), unset or ())
    if not patch:
        usage_error("say what changes: --set FIELD=VALUE or --unset FIELD, as in --set usage.input_tokens=5")
    body: dict[str, Any] = {"kind": "amend", "source": source, "id": id, "reason": reason, "patch": patch}
    body |= {"correction_id": str(uuid4())} | ({} if revision is None else {"revision": revision})
    answer = ask("POST", "corrections", tenant, body=body)
    if not printed_as_json(answer, as_json):
        print_correction(answer)


def _patch(said: Iterable[str], unset: Iterable[str]) -> dict[str, Any]:
    """The merge patch: `usage.input_tokens` is a field of `usage`."""
    fields = pairs(said, "FIELD=VALUE, as in usage.input_tokens=5")
    patch: dict[str, Any] = {}
    for field, value in [*fields.items(), *((field, None) for field in unset)]:
        if field in fields and value is None:
            usage_error(f"--set and --unset {field}: one of them")
        inner, *names = patch, *field.split(".")
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                usage_error(f"{field}: {name} is set as a whole already")
        inner[names[-1]] = _value(field, value)
    return patch


def _value(field: str, text: str | None) -> Any:
    if text is None or field not in _AS_JSON:
        return text
    try:
        return json.loads(text)
    except ValueError:
        usage_error(f"--set {field}={text}: write a number, or true or false")
