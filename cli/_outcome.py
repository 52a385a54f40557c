"""What became of one submission, told from the receipts before and after it."""

from collections.abc import Mapping
from typing import Any, Literal

from cli._running import NO_PRICE
from cli._terminal import say
from spendmeter.contracts.units import UNITS, nearest_unit

SentOutcome = Literal["booked", "duplicate", "conflict", "rejected"]
ReceiptJson = Mapping[str, Any]


def outcome_of(earlier: ReceiptJson | None, receipt: ReceiptJson) -> SentOutcome:
    """What the newest submission of the id became; `earlier`: the receipt before it, None = none."""
    known = {_place(copy) for copy in earlier["copies"]} if earlier else set()
    new: list[SentOutcome] = [copy["outcome"] for copy in receipt["copies"] if _place(copy) not in known]
    if new:
        return new[0]
    return "booked" if receipt["entries"] else "rejected"


def _place(copy: Mapping[str, Any]) -> tuple[int, int]:
    return copy["partition"], copy["offset"]


def exit_code(outcome: SentOutcome, receipt: ReceiptJson) -> int:
    """0 = in the book with a price, NO_PRICE = without one for some of it, 1 = not in the book."""
    if outcome in ("conflict", "rejected"):
        return 1
    last = receipt["entries"][-1]
    return NO_PRICE if last["in_force"] and last["status"] in ("provisional", "unpriced") else 0


def hints(receipt: ReceiptJson) -> list[str]:
    """Units that are none, with the one that was probably meant."""
    units = {
        line["unit"]
        for entry in receipt["entries"]
        for line in entry["lines"]
        if line["status"] == "unpriced" and line["unit"] not in UNITS
    }
    near = {unit: nearest_unit(unit, UNITS) for unit in sorted(units)}
    return [
        f"{unit}: did you mean {meant}?" if meant else f"{unit}: no unit of the registry is near it"
        for unit, meant in near.items()
    ]


def print_receipt(outcome: SentOutcome, receipt: ReceiptJson) -> None:
    """For people: what became of it first, then what is in the book, then what else was sent under the id."""
    named = f"{receipt['source']}/{receipt['id']}"
    say(f"{outcome}: {named}{_news(outcome, receipt)}")
    for entry in receipt["entries"]:
        say(f"  at {receipt['time']}, recorded {entry['recorded_at']}")
        for line in entry["lines"]:
            steps = line["arithmetic"] or [f"{line['unit']}: {line['status']}"]
            for step in steps:
                say(f"    {step}")
            if line["reason"] and line["reason"] not in steps[-1]:
                say(f"    {line['unit']}: {line['reason']}")
        for remark in dict.fromkeys(remark for line in entry["lines"] for remark in line["remarks"]):
            say(f"  {remark}")
        say(
            f"  {entry['status']}: {entry['effective']} {entry['currency']}"
            f" (catalog version {entry['catalog_version']})"
        )
    for hint in hints(receipt):
        say(f"  {hint}")
    for copy in receipt["copies"]:
        say(f"  {copy['outcome']}: {copy['reason']} ({copy['recorded_at']})")
    if earlier := receipt.get("supersedes"):
        say(f"  supersedes {earlier['source']}/{earlier['id']}: {earlier['says']}")


def _news(outcome: SentOutcome, receipt: ReceiptJson) -> str:
    if outcome == "rejected":
        return f" was not booked: {receipt['copies'][0]['reason']}"
    if outcome == "booked":
        return ""
    first = receipt["entries"][0]["recorded_at"]
    if outcome == "duplicate":
        return f" was booked already, at {first}: nothing was added"
    return (
        f" is another event, booked first, at {first}; yours was not booked: send it under an id of its own. "
        "In the book is:"
    )
