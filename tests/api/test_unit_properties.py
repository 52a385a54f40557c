"""Unit costs of events drawn at random, some without a price and some taken back, against the events themselves."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import pytest

from spendmeter.contracts.events import Labels, UsageData, UsageEvent
from spendmeter.contracts.money import EXACT, divided
from spendmeter.contracts.rated import Line
from tests.api.book import Book
from tests.api.test_unit_economics import AT, ask
from tests.api.test_workflows import Flows, flows

__all__ = ["flows"]

PRICES = {
    "input_tokens": "3",
    "cache_read_tokens": "0.3",
    "cache_write_5m_tokens": "3.75",
    "output_tokens": "15",
}
"""A million."""


class Drawn(NamedTuple):
    key: tuple[str, str]
    status: str
    usage: dict[str, int]
    lines: list[Line]
    gone: bool

    @property
    def cost(self) -> Decimal:
        return EXACT.create_decimal(sum((Decimal(each.amount or 0) for each in self.lines), Decimal(0)))


def drawn(chance: random.Random) -> Drawn:
    """Of one in 60 a unit has no price, or none has; one in eight was taken back."""
    usage = {unit: chance.randrange(1, 90_000) for unit in PRICES if chance.random() < 0.7}
    unknown = chance.random() < 1 / 60
    lacking = (
        set(chance.sample(sorted(usage), chance.randrange(1, len(usage) + 1))) if unknown and usage else set()
    )
    lines = [
        Line(unit=unit, status="unpriced", reason="no price")
        if unit in lacking
        else Line(
            unit=unit,
            amount=str(Decimal(PRICES[unit]) * quantity / 1_000_000),
            price=PRICES[unit],
            entry=unit,
        )
        for unit, quantity in usage.items()
    ]
    if chance.random() < 0.3:
        usage["requests"] = chance.randrange(1, 4)
    key = chance.choice(["opus", "haiku"]), chance.choice(["USD", "USD", "EUR"])
    return Drawn(key, "unpriced" if lacking else "priced", usage, lines, chance.random() < 1 / 8)


async def booked(book: Book, events: list[Drawn]) -> None:
    for number, each in enumerate(events):
        sku, currency = each.key
        event = UsageEvent(
            specversion="1.0", type="spendmeter.usage.v1", source="bot", subject="s", id=f"e{number}", tenant="acme",
            keyid="k1", time=AT, receivedat=AT,
            data=UsageData(provider="anthropic", sku=sku, usage=dict(each.usage), labels=Labels(team="web")),
        )  # fmt: skip
        await book.entry(event, f"{each.cost:f}", each.lines, status=each.status, currency=currency)
        if each.gone:
            back = f"{-each.cost:f}"
            await book.entry(
                event, back, [], status=each.status, currency=currency, seq=1, correction=f"c{number}"
            )
    end = book._offset + 1
    await book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
    await book.connection.execute("INSERT INTO corrector (topic, next_entry) VALUES ('t', $1)", end)


def told(events: list[Drawn]) -> dict[str, Any]:
    """What a row says, from the events that count."""
    tokens = unpriced_tokens = requests = unpriced_requests = 0
    for each in events:
        requests += each.usage.get("requests", 1)
        unpriced_requests += each.usage.get("requests", 1) if each.status == "unpriced" else 0
        for line in each.lines:
            tokens += each.usage[line.unit]
            unpriced_tokens += each.usage[line.unit] if line.status == "unpriced" else 0
    cost = EXACT.create_decimal(sum((each.cost for each in events), Decimal(0)))
    return {
        "requests": requests, "unpriced_requests": unpriced_requests, "tokens": tokens, "cost": cost,
        "unpriced_tokens": unpriced_tokens,
        **cached(events),
        "unpriced_events": sum(each.status == "unpriced" for each in events),
        "cost_per_request": each_of(cost, requests, unpriced_requests),
        "cost_per_1k_tokens": each_of(1000 * cost, tokens, unpriced_tokens),
    }  # fmt: skip


def cached(events: list[Drawn]) -> dict[str, Any]:
    """Input as it was paid, and all of it at 3 a million, of what has a price: the rest is in neither."""
    paid = without = Decimal(0)
    compared = apart = 0
    for each in events:
        for line in (each for each in each.lines if each.unit != "output_tokens"):
            quantity = each.usage[line.unit]
            if line.amount is None:
                apart += quantity
                continue
            paid, without = paid + Decimal(line.amount), without + Decimal(3 * quantity) / 1_000_000
            compared += quantity if line.unit != "input_tokens" else 0
    if not compared:
        paid = without = None  # type: ignore[assignment]
    return {"input_cost": paid, "input_cost_without_cache": without, "not_compared_tokens": apart}


def each_of(cost: Decimal, count: int, unpriced: int) -> Decimal | None:
    """Over what has a price, unless more than one in a hundred has none."""
    return divided(cost, Decimal(count - unpriced)) if count > unpriced and unpriced * 100 <= count else None


@pytest.mark.parametrize("seed", range(3))
async def test_a_row_is_what_its_events_say_and_what_has_no_price_is_on_neither_side(
    acme: httpx.AsyncClient, book: Book, flows: Flows, seed: int
) -> None:
    chance = random.Random(seed)
    events = [drawn(chance) for _ in range(160)]
    await booked(book, events)
    await flows.follow()
    groups = defaultdict[tuple[str, str], list[Drawn]](list)
    for each in events:
        if not each.gone:
            groups[each.key].append(each)
    body = await ask(acme, group_by="sku")
    assert body["not_in_it"] == []
    rows = {(row["sku"], row["currency"]): row for row in body["rows"]}
    assert rows.keys() == groups.keys()
    for key, those in groups.items():
        for name, value in told(those).items():
            said = rows[key][name]
            assert (None if said is None else Decimal(said)) == value, (seed, key, name)
