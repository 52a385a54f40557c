"""Answers of the API as a terminal shows them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from cli._instants import minute
from cli._options import printed_as_json
from cli._terminal import say
from spendmeter.contracts.money import plain

LEFT_OUT_SHOWN = 3
"""Models beside a field; the JSON has more."""


def order(row: Any) -> tuple[str, int, str]:
    """By unit, what holds always before what holds under conditions."""
    return row["entry"]["unit"], len(row["conditions"]), row["conditions"]


def entry_line(row: Any) -> str:
    """What a recorded entry says, in a line."""
    entry = row["entry"]
    return f"{row['says'] or entry['type'].split('.')[-2]}, says {entry['source']}"


def print_offers(offers: Iterable[Any]) -> None:
    """What had waited for an approval, and what to type to have it priced anew."""
    for offer in offers:
        say(offer["says"])
        if offer["rerate_id"]:
            say(f"  see: spendmeter rerates show {offer['rerate_id']} --tenant {offer['tenant']}")
        else:
            command = f"spendmeter rerate --publication {offer['body']['publication']}"
            statuses = " ".join(f"--status {status}" for status in offer["body"]["statuses"])
            say(f"  next: {command} {statuses} --tenant {offer['tenant']}")


def print_review(proposal: Any, json: bool) -> None:
    """Print a proposal's diff, findings and money."""
    if printed_as_json(proposal, json):
        return
    review = proposal["review"]
    print_changes(review)
    for name in review["names"]:
        say(f"  {name}")
    print_findings(review["findings"])
    for change in review["terms"]:
        _print_terms_change(change)
    print_left_out(review["not_taken"])
    if effect := review["effect"]:
        say(f"what it does: {effect['says']}")
    if money := review["impact"]:
        known = "an unknown number" if money["events"] is None else f"{money['events']:,}"
        say(
            f"were they priced again: {money['repriced']:,} of {known} events since {minute(money['since'])} "
            "priced by both books, the newest first"
        )
        for each in money["amounts"]:
            say(f"  {amounts_line(each)}")
        if money["statuses_before"] != money["statuses_after"]:
            say(f"  by status: {_counts(money['statuses_before'])} -> {_counts(money['statuses_after'])}")
    if proposal["id"] is not None and proposal["state"] == "open":
        say(f"proposal {proposal['id']} is open. Next: spendmeter catalog approve {proposal['id']}")


def amounts_line(each: Any) -> str:
    """What usage would cost, before and after."""
    return f"{each['before']} -> {each['after']} {each['currency']} ({each['difference']})"


def _print_terms_change(change: Any) -> None:
    """In what a tenant counts from an instant on, and what becomes of its budgets."""
    for sentence in change["says"]:
        say(f"terms: {sentence}")
    for budget in change["budgets"]:
        say(budget_line(budget))
        if budget["needs_amount"] and not budget["becomes"]:
            say(f"    approve with --budget {budget['id']}=AMOUNT (in {change['currency']}) or =close")


def budget_line(budget: Any) -> str:
    """A budget whose tenant's terms change."""
    becomes = f"; becomes {budget['becomes']}" if budget["becomes"] else ""
    return f"  budget {budget['id']} {budget['name']!r}: {budget['says']}{becomes}"


def print_left_out(fields: Any) -> None:
    """Which fields of another vendor's file are not taken over."""
    for each in fields:
        names = ", ".join(each["of"][:LEFT_OUT_SHOWN])
        more = each["models"] - min(LEFT_OUT_SHOWN, len(each["of"]))
        say(f"not taken over: {each['field']} of {names}{f' and {more:,} more' if more else ''}")


def _counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())) or "none"


def finding_line(finding: Any) -> str:
    return f"  {finding['severity']}: {finding['message']}"


def print_findings(findings: Any) -> None:
    for finding in findings:
        say(finding_line(finding))
    if not findings:
        say("nothing looks wrong")


def print_changes(report: Any) -> None:
    for change in report["changes"]:
        what = f"{change['provider']}/{change['sku']} {change['unit']}"
        ratio = f" (x {plain(Decimal(change['ratio']))})" if change.get("ratio") else ""
        amounts = f"{_amount(change, 'before')} -> {_amount(change, 'after')}"
        say(f"  {change['change']}: {what}: {amounts}{ratio}")
        if change["conditions"]:
            say(f"    {change['conditions']}")
    if more := report["changes_total"] - len(report["changes"]):
        say(f"  ... and {more:,} more")
    if not report["changes"]:
        say("no price changes")


def _amount(change: Any, side: str) -> str:
    entry = change.get(side)
    if entry is None:
        return "none"
    if "factor" in entry:
        return f"times {entry['factor']}"
    return f"{entry['price']} {entry.get('currency', 'USD')} per {entry.get('per', 1):,}"
