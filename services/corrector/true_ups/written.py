"""Writes true-ups as entries, and all that they add to, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date
from typing import Any

import msgspec

from services.corrector.true_ups.due import TermStanding
from services.corrector.true_ups.statements import SQL
from spendmeter.book.adding import CORRECTIONS, add_corrections
from spendmeter.book.closings import carry, open_period, read_shut
from spendmeter.book.rollup import RollupSum, RollupSums
from spendmeter.book.series import SeriesKey, add_series
from spendmeter.book.timelines import read_timelines
from spendmeter.contracts.events import UsageData, UsageEvent, encode_event
from spendmeter.contracts.money import plain
from spendmeter.contracts.rated import Line
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.true_ups import SKU, SOURCE, TYPE, UNIT, receipt_id
from spendmeter.pricing.price_book import PriceBook

_encode_lines = msgspec.json.Encoder().encode


async def write(
    connection: Any, tenant: str, book: PriceBook, first: int, true_ups: Sequence[TermStanding]
) -> None:
    """Book them, numbered from `first`: nothing else is written by that number (fence.py)."""
    if not true_ups:
        return
    sums: RollupSums = defaultdict(RollupSum)
    series: dict[SeriesKey, Series] = {}
    rows, listed, month = [], [], book.agreement(tenant).month
    last_shut = (await read_shut(connection, [tenant])).get(tenant)
    timelines = await read_timelines(connection, [tenant])
    carried: defaultdict[date, RollupSums] = defaultdict(lambda: defaultdict(RollupSum))
    for number, each in enumerate(true_ups, first):
        one = Series(cost_class=each.cost_class, provider=each.provider, sku=SKU)
        key = series_id(one)
        series[tenant, key.hex()] = one
        place = tenant, each.at, key.hex(), each.currency
        sums[place].effective += each.amount
        period = open_period(month(each.at), last_shut)
        if period != timelines[tenant].month(each.at):
            carried[period][place].effective += each.amount
        rows.append(_entry_row(tenant, book.version, number, each, period, key))
        listed.append(_true_up_row(tenant, each, book.version, period))
    await connection.execute(SQL["insert_entries"], *map(list, zip(*rows, strict=True)))
    for row in listed:
        await connection.execute(SQL["insert_true_up"], *row)
    await add_series(connection, series)
    await add_corrections(connection, sums, timelines)
    await carry(connection, CORRECTIONS, first + len(true_ups), carried, timelines)


def _entry_row(
    tenant: str, version: int, number: int, each: TermStanding, month: date, key: bytes
) -> tuple[Any, ...]:
    return (
        number, each.identity, each.at, version, month, key, tenant, each.currency, each.amount,
        _event(tenant, each), _line(each),
    )  # fmt: skip


def _event(tenant: str, each: TermStanding) -> str:
    """What stands in an event's place: whose it is, when, and of what."""
    named = receipt_id(each.term, each.period[0], each.revision)
    event = UsageEvent(
        specversion="1.0",
        type=TYPE,
        id=named,
        source=SOURCE,
        subject=tenant,
        time=each.at.astimezone(UTC),
        tenant=tenant,
        data=UsageData(provider=each.provider, sku=SKU, usage={}, cost_class=each.cost_class),
    )
    return encode_event(event).decode()


def _line(each: TermStanding) -> str:
    """One line, of the term that decides it; its reason is the arithmetic."""
    line = Line(
        unit=UNIT,
        entry=each.term,
        amount="0",
        effective_amount=plain(each.amount),
        reason="; ".join(each.explanation),
    )
    return _encode_lines([line]).decode()


def _true_up_row(tenant: str, each: TermStanding, version: int, month: date) -> tuple[Any, ...]:
    start, end = each.period
    return (
        tenant, each.term, start, each.revision, end, each.covered_to, each.identity, each.at, each.effect,
        each.provider, each.cost_class, each.currency, each.amount, version, list(each.explanation),
        each.counted, each.used, each.unused, month,
    )  # fmt: skip
