"""What `spendmeter price` answers, by a book that is made once."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from cli._event import usage_event
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
"""When what says no time was used."""


class Asked(NamedTuple):
    """A total in US dollars, and how sure it is."""

    total: Decimal
    status: str


def ask(arguments: str, book: PriceBook) -> Asked:
    """The answer to the arguments of the command."""
    rating = rate(event_of(arguments), book)
    return Asked(rating.effective, rating.status)


def event_of(arguments: str) -> UsageEvent:
    """The event that the command makes of its arguments."""
    model, *rest = shlex.split(arguments)
    options: dict[str, str] = {}
    usage: list[str] = []
    words = iter(rest)
    for word in words:
        if word.startswith("--"):
            options[word[2:]] = next(words)
        else:
            usage.append(word)
    event = usage_event(model, id="price", source="cli", usage=usage, **options)
    return read_event(encode_event({"time": NOW, "tenant": ""} | event))
