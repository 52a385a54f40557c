"""What the entries of an event come to. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal, Protocol

from spendmeter.contracts.money import plain, total, totals
from spendmeter.contracts.true_ups import SEQ as TRUE_UP_SEQ

_AMOUNTS = ("list", "contracted", "effective")
EntryKind = Literal["usage", "reversal", "replacement", "true_up"]


class BookedAmount(Protocol):
    """An entry's amount, as rows and answers have it."""

    currency: str
    list: Decimal
    contracted: Decimal
    effective: Decimal


def signs_of(seq: int) -> dict[str, Any]:
    """What an entry's number in its event says of it: kind, sign, and which entry it reverses."""
    if seq == TRUE_UP_SEQ:
        return {"kind": "true_up", "sign": 1, "reverses": None}
    if seq % 2:
        return {"kind": "reversal", "sign": -1, "reverses": seq - 1}
    return {"kind": "replacement" if seq else "usage", "sign": 1, "reverses": None}


def comes_to(entries: Iterable[BookedAmount]) -> str:
    """Their effective sum for people; amounts of two currencies stand side by side."""
    found = totals((entry.currency, entry.effective) for entry in entries)
    amounts = {currency: amount for currency, amount in found.items() if amount} or found
    return " + ".join(f"{plain(amount)} {currency}" for currency, amount in amounts.items()) or "nothing"


def sums_of(entries: Sequence[BookedAmount]) -> list[dict[str, Any]]:
    """All that they come to, in each currency."""
    found = []
    for currency in dict.fromkeys(entry.currency for entry in entries):
        theirs = [entry for entry in entries if entry.currency == currency]
        sums = {name: total(getattr(entry, name) for entry in theirs) for name in _AMOUNTS}
        found.append({"currency": currency, **sums})
    return found
