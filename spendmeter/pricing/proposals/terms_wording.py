"""What a change of a tenant's terms means for its amounts, periods and budgets, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from spendmeter.contracts.periods import Period
from spendmeter.contracts.terms import Terms
from spendmeter.pricing.proposals.terms_change import INSTANT, TermsChange, utc_text


def describe_change(change: TermsChange) -> Iterator[str]:
    """What the change means, for whoever is to confirm it."""
    if change.at is None:
        yield f"{_counting(change.tenant, change.new)}, for all time: nothing is booked yet"
    elif not change.begins:
        beyond = f"beyond {utc_text(change.at)} too: nothing changes then"
        yield f"{_counting(change.tenant, change.new)}, {beyond}"
    for start in change.begins:
        yield from _describe_beginning(change, start)
    if change.taken_back:
        yield "the change of currency that was decided is taken back, and budgets stay as they are"


def _describe_beginning(change: TermsChange, start: datetime) -> Iterator[str]:
    """What it means that other terms begin at an instant."""
    old, new = change.after.at(start - INSTANT), change.after.at(start)
    until = f"until then in {old.currency}, with days of {old.zone.key}"
    yield f"from {utc_text(start)} on {_counting(change.tenant, new)}; {until}"
    yield f"what is used before then stays in {old.currency}, however late it comes; its month ends there"
    first, end = change.after.bounds("day", start)
    whole = change.after.bounds("day", end)
    if difference := (end - first) - (whole[1] - whole[0]):
        hours = abs(difference) / timedelta(hours=1)
        length = "shorter" if difference < timedelta() else "longer"
        yield f"the first day and month of {new.zone.key} are {hours:g} h {length} than others"


def _counting(tenant: str, terms: Terms) -> str:
    return f"{tenant} counts in {terms.currency}, with days of {terms.zone.key}"


def describe_budget(change: TermsChange, period: Period, amount: str, currency: str, now: datetime) -> str:
    """What becomes of one budget's running period."""
    at = change.currency_at or change.at
    if at is None or at <= now:
        return f"{amount} {currency} a {period}: its period begins anew in {change.new.currency}"
    if not change.begins:
        return f"{amount} {currency} a {period}: stays as it is"
    start = change.after.bounds(period, at - INSTANT)[0]
    end = change.after.bounds(period, at)[1]
    return (
        f"{amount} {currency} a {period}: the period from {utc_text(start)} ends on {utc_text(at)} in "
        f"{currency}, the next one runs until {utc_text(end)}"
    )
