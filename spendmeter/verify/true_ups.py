"""Holds what is booked of whole periods against its list, its term, and a second reckoning from the cells."""

import decimal
import json
from datetime import UTC, datetime, time
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from spendmeter.verify.entries import Entries
from spendmeter.verify.periods import MONEY, Unsure, covered, reckon
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE
from spendmeter.verify.usage import decode

_PRECISE = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_EVEN)
_FIGURES = ("quantity", "booked", "due", "used", "unused")


async def check_true_ups(connection: Any, entries: Entries) -> None:
    """Each true-up is listed and booked once, by the id of its term, period and revision; and what is booked
    of a period with its true-ups is what it costs by its term. `entries` knows the terms of tenants."""
    async for row in connection.cursor(SQL["true_ups"], prefetch=ROWS_AT_ONCE):
        judge_true_up(row, entries)
    with decimal.localcontext(_PRECISE):
        for row in await connection.fetch(SQL["true_up_periods"]):
            await _judge_period(connection, row, entries.report)


def judge_true_up(row: Any, entries: Entries) -> None:
    """What is booked of a period, beside what its list says; either may be missing."""
    report = entries.report
    report.check("I1")
    report.check("I4")
    if row["booked"] is None or row["term"] is None:
        named = f"true-up {(row['booked'] or row['identity']).hex()}"
        missing = "its entry is missing" if row["booked"] is None else "doubled: no period lists it"
        report.find("I1", missing, named)
        return
    named = f"true-up {row['term']}/{row['period_start']}/{row['revision']} of {row['tenant']}"
    if row["revision"] != row["number"]:
        report.find("I1", f"missing: it is number {row['number']} of its period", named)
    if row["identity"] != _identity(row):
        report.find("I1", "changed: its id is not of its tenant, term, period and revision", named)
    faults = []
    if (row["tenant"], row["currency"], row["amount"]) != (
        row["booked_of"],
        row["booked_in"],
        row["effective"],
    ):
        faults.append(f"{row['effective']} {row['booked_in']} are booked, {row['amount']} are listed")
    due = entries.terms.due(row["tenant"], row["occurred_at"])
    misplaced = entries.closings.fault(row["tenant"], due.month, row["accounting_period"], row["recorded_at"])
    if row["currency"] != due.currency or misplaced:
        report.find("I4a", "changed: its currency or month is not of its tenant's terms", named)
    lines, event = decode(row["lines"]), json.loads(row["event"])
    if [Decimal(str(each.get("effective_amount", "0"))) for each in lines] != [row["amount"]]:
        faults.append("its line says another amount")
    if event["id"] != f"{row['term']}/{row['period_start']}/{row['revision']}" or event["data"]["usage"]:
        faults.append("what stands in its event's place says something else")
    if faults:
        report.find("I4", f"changed: {'; '.join(faults)}", named)


def _identity(row: Any) -> bytes:
    start = f"{row['period_start']}T00:00:00Z"
    parts = [part.encode() for part in (row["tenant"], row["term"], start, str(row["revision"]))]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(text, digest_size=16, person=b"true-up").digest()


async def _judge_period(connection: Any, row: Any, report: Report) -> None:
    report.check("I4")
    named = f"period from {row['period_start']} of term {row['term']} of {row['tenant']}"
    if row["refused"]:
        report.pass_over("I4", "periods of which nothing could be worked out")
        return
    if row["number"] != row["revisions"]:
        report.find("I4", f"{row['revisions']} revisions are listed, {row['number']} are booked", named)
    if row["is_mixed"]:
        report.pass_over("I4", "periods that were trued up in several currencies")
    elif row["of_revisions"] != row["trued_up"]:
        report.find("I4", f"trued up {row['trued_up']}, all revisions come to {row['of_revisions']}", named)
    if row["booked"] + row["trued_up"] != row["due"]:
        report.find("I4", f"{row['booked']} booked and {row['trued_up']} are not {row['due']}", named)
    if row["body"] is None or row["is_due"]:
        return  # withdrawn: all is taken back, as was seen; or it is to be worked out again
    try:
        should = await _reckon_again(connection, row, json.loads(row["body"]))
    except Unsure as error:
        report.pass_over("I4", str(error))
        return
    for name in _FIGURES:
        said, due = row[name], getattr(should, name)
        if said != due:
            report.find("I4", f"{name} is {said}, its usage comes to {due}", named)


async def _reckon_again(connection: Any, row: Any, term: dict[str, Any]) -> Any:
    if term.get("currency", "USD") != row["currency"]:
        raise Unsure("terms in another currency than the book's")
    for other in await connection.fetch(SQL["period_terms"], row["tenant"]):
        if other["id"] != row["term"] and _rivals(term, json.loads(other["body"])):
            raise Unsure("terms beside others for the same provider")
    start = max(filter(None, (row["period_start"], _day(term, "effective_from"))))
    if contract := term.get("contract"):
        stated = [
            json.loads(each["body"]) for each in await connection.fetch(SQL["own_terms"], row["tenant"])
        ]
        begins = [_day({"when": each}, "effective_from") for each in stated]
        if all(begin and begin > start for begin in begins) or any(
            contract not in each.get("contracts", ()) for each in stated
        ):
            raise Unsure("terms of a contract that the tenant has for a part of the time")
    uses = await connection.fetch(SQL["true_up_uses"], row["tenant"], start, row["covered_to"])
    counted = covered(term, uses)
    if any(use["currency"] != row["currency"] for use in counted):
        raise Unsure("periods in several currencies")
    quantity = sum((use["quantity"] for use in counted), Decimal(0))
    booked = sum((use["amount"] for use in counted), Decimal(0))
    if term["effect"] == MONEY and not (term.get("units") or term.get("skus")):
        within = [datetime.combine(row[name], time(), UTC) for name in ("period_start", "period_end")]
        asked = row["tenant"], row["provider"], *within, row["currency"], term.get("cost_classes", ())
        others = await connection.fetchrow(SQL["true_ups_within"], *asked)
        if others["others"]:
            raise Unsure("periods in several currencies")
        booked += others["amount"]
    return reckon(term, quantity, booked, Decimal(1), ended=row["ended"])


def _rivals(one: dict[str, Any], other: dict[str, Any]) -> bool:
    same_kind = (one["effect"] == MONEY) == (other["effect"] == MONEY)
    units, others = set(one.get("units", ())), set(other.get("units", ()))
    meet = not units or not others or bool(units & others)
    return same_kind and meet and one["provider"].lower() == other["provider"].lower()


def _day(term: dict[str, Any], name: str) -> Any:
    said = term.get("when", {}).get(name)
    return datetime.fromisoformat(said).astimezone(UTC).date() if said else None
