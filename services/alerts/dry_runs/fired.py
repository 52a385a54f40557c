"""What a rule would have told, had it been on: what comes of a dry run. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from spendmeter.contracts.money import divided, plain, total

FIRED_SHOWN_MAX = 50
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class WouldHaveFired:
    """One incident; `amount`: what it was about in all, over what was usual where the rule knows that.
    `messages`: how often it would have been told, its end not counted."""

    scope: Mapping[str, str]
    at: datetime
    amount: Decimal
    messages: int = 1
    by_chance: bool = False
    """It may be: then it is told in the day's digest alone."""


def dry_run_result(
    fired: Iterable[WouldHaveFired], since: datetime, until: datetime, currency: str, notes: Sequence[str]
) -> dict[str, Any]:
    """As it is kept and shown: amounts are plain decimal strings; of the incidents the first 50, in time."""
    ordered = sorted(fired, key=lambda each: (each.at, sorted(each.scope.items())))
    messages = sum(each.messages for each in ordered)
    digest = sum(each.by_chance for each in ordered)
    days = max(
        Decimal(1), divided(Decimal((until - since) // timedelta(seconds=1)), Decimal(DAY.total_seconds()))
    )
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "incidents": len(ordered),
        "messages": messages,
        "per_day": plain(round(divided(Decimal(len(ordered)), days), 2)),
        "caught": plain(total(each.amount for each in ordered)),
        "currency": currency,
        "fired": [
            {
                "scope": dict(each.scope),
                "at": each.at.isoformat(),
                "amount": plain(each.amount),
                "messages": each.messages,
            }
            for each in ordered[:FIRED_SHOWN_MAX]
        ],
        "notes": [*notes, *([f"{digest} of these may be chance, and page nobody"] if digest else [])],
    }
