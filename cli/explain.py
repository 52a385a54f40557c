"""spendmeter explain."""

from typing import Annotated, Any

import msgspec
import typer

from cli._asking import OfTenantOption, read
from cli._options import JsonOption, printed_as_json
from cli._terminal import say
from spendmeter.pricing.explain import ExplainedLine, text


def command(
    source: Annotated[str, typer.Argument(help="Who sent the event.")],
    id: Annotated[str, typer.Argument(help="The event's id.")],
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Explain what a booked event cost: which price decided each line, why the others lost, the arithmetic;
    of one that was corrected, every entry, with who asked for it and why.

    \b
    Examples:
      spendmeter explain cli cli-7d1c0a52
      spendmeter explain checkout-bot req/81 --json
    """
    receipt = read("events", tenant, {"source": source, "id": id})
    if not printed_as_json(receipt, as_json):
        _print(receipt)


def _print(receipt: dict[str, Any]) -> None:
    say(receipt["summary"])
    say(f"{receipt['source']}/{receipt['id']}")
    for entry in receipt["entries"]:
        _print_heading(receipt, entry)
        for each in entry["naming"]:
            say(each)
        for line in entry["lines"]:
            say()
            say(*text(msgspec.convert(line, ExplainedLine)))
        say()
        say(f"{entry['status']}: {entry['arithmetic']}")
        if entry["remark"]:
            say(entry["remark"])
    if len(receipt["entries"]) > 1:
        sums = " + ".join(f"{each['effective']} {each['currency']}" for each in receipt["sums"])
        say("", f"all entries together: {sums}")
    for copy in receipt["copies"]:
        say(f"{copy['outcome']}: {copy['reason']} ({copy['recorded_at']})")


def _print_heading(receipt: dict[str, Any], entry: dict[str, Any]) -> None:
    """What an entry is, which one counts, and who asked for it and why."""
    if not entry["seq"]:
        counts = "" if entry["in_force"] else " (counts no longer)"
        say(f"booked, of {receipt['time']}, by catalog version {entry['catalog_version']}{counts}")
        return
    if entry["kind"] == "true_up":
        say(f"true-up of {receipt['time']}, by catalog version {entry['catalog_version']}")
        return
    what = f"reversal of entry {entry['reverses']}" if entry["sign"] < 0 else f"replacement {entry['seq']}"
    counts = " (counts)" if entry["in_force"] else ""
    at = f"recorded {entry['recorded_at']}, by catalog version {entry['catalog_version']}"
    say("", f"{what}, {at}{counts}")
    for each in entry.get("difference", ()):
        amounts = f"{each['before']} -> {each['after']} {each['currency']} ({each['difference']})"
        say(f"because of {each['cause']}: {amounts}")
    if cause := entry["cause"]:
        say(f"{cause['kind']} {cause['id']} by {cause['author']}: {cause['reason']}")
