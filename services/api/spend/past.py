"""What was spent in the span that an answer is compared with, put beside its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from msgspec.structs import replace as replaced

from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.compared import FromTo, SpanShift, percent_of
from services.api.http.problems import invalid
from services.api.spend.buckets import too_fine
from services.api.spend.closed import ClosedSums, GroupKey, GroupSum
from services.api.spend.groups import PlacedSums, in_all, places_of, read_groups
from services.api.spend.moments import refusal_of
from services.api.spend.pages import GroupTotal
from services.api.spend.question import SpendQuestion
from services.api.spend.sums import nothing
from spendmeter.book.as_of import EntriesUnread, Moment, spent_at
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import Coverage, spent_in
from spendmeter.contracts.money import EXACT, ZERO, plain

BESIDE_MAX = 16_000
"""Groups read where something stands beside them, each once in every piece of time."""
BucketAmounts = Mapping[tuple[str, int | None, int], Decimal]
"""By (currency, place, bucket), as `sums.BucketSums`."""


@dataclass(frozen=True, kw_only=True)
class PastSpend:
    """`span` is what the rows are compared with; `places`: of each of their buckets, from 1, the one that it
    is compared with. None = there is none: last month had no such day."""

    span: FromTo
    placed: PlacedSums
    places: Sequence[int | None]

    def groups(self) -> Mapping[GroupKey, GroupSum]:
        """All that spent then."""
        return in_all(self.placed, usage=False)

    def amounts(self, totals: Sequence[GroupTotal], question: SpendQuestion) -> BucketAmounts:
        """What each total came to then, in all (0) and by the bucket of then."""
        found: defaultdict[tuple[str, int | None, int], Decimal] = defaultdict(lambda: ZERO)
        places = places_of(totals, question)
        for number, piece in self.placed:
            for key, each in piece.items():
                amount = each.sums[question.measure]
                for place in (0, number):
                    at = key[0], places.get(key), place
                    found[at] = EXACT.add(found[at], amount)
        return found

    def row(self, amount: Decimal, amounts: BucketAmounts, at: tuple[str, int | None, int]) -> dict[str, Any]:
        """What stands beside one row."""
        currency, place, bucket = at
        beside = (self.places[bucket - 1] if bucket <= len(self.places) else None) if bucket else 0
        if beside is None:
            return {"before": None, "change": None, "percent": None}
        before = amounts.get((currency, place, beside), ZERO)
        change = EXACT.subtract(amount, before)
        percent = percent_of(change, before)
        return {
            "before": plain(before),
            "change": plain(change),
            "percent": None if percent is None else plain(percent),
        }


def past_edges(spans: Sequence[datetime], shift: SpanShift) -> tuple[list[datetime], list[int | None]]:
    """The edges that these are compared with, each once, and where between them each bucket is."""
    shifted = [shift(at) for at in spans]
    edges = sorted(set(shifted))
    number = {at: place for place, at in enumerate(edges, 1)}
    return edges, [number[first] if first < beyond else None for first, beyond in pairwise(shifted)]


def with_gone(placed: PlacedSums, past: PastSpend) -> PlacedSums:
    """Also the groups that spent then alone: 0 is said of them."""
    there = in_all(placed, usage=False)
    return [*placed, (1, {key: nothing() for key in past.groups() if key not in there})]


async def read_past(
    connection: TenantConnection,
    tenant: Tenant,
    question: SpendQuestion,
    shift: SpanShift,
    closed: ClosedSums,
) -> PastSpend | None:
    """None = in too many groups. Raises HttpRefusal (422)."""
    spans = [at for at in question.spans[:-1] if at < question.until] + [question.until]
    edges, places = past_edges(spans, shift)
    if len(edges) < 2:
        raise invalid("compare", "last month has no such days: ask for compare=previous")
    edges, covered = await cover_past(connection, tenant, edges, question.moment)
    places = [place if place is not None and place < len(edges) else None for place in places]
    cursor = replaced(question.cursor, start=edges[0], end=edges[-1])
    past = replace(question, cursor=cursor, spent=covered, edges=edges)
    placed = await read_groups(connection, past, closed, BESIDE_MAX)
    return None if placed is None else PastSpend(span=(edges[0], edges[-1]), placed=placed, places=places)


async def cover_past(
    connection: TenantConnection, tenant: Tenant, edges: Sequence[datetime], moment: Moment | None = None
) -> tuple[list[datetime], Coverage]:
    """What to read of a span that another one is compared with: where minutes are no longer kept, an edge
    within an hour is the hour's start. The answer says which span it is of, so nothing is compared that is
    not."""
    edges = list(edges)
    for _ in range(2):
        try:
            return edges, await _cover(connection, tenant, edges, moment)
        except MinutesDropped as dropped:
            hour = dropped.hour
            edges = sorted({hour.start if hour.start < at < hour.end else at for at in edges})
            if len(edges) < 2:
                raise invalid("compare", too_fine(dropped, tenant.timeline)) from dropped
    return edges, await cover_period(connection, tenant, edges, moment)


async def cover_period(
    connection: TenantConnection, tenant: Tenant, edges: Sequence[datetime], moment: Moment | None = None
) -> Coverage:
    """What to read of a span, now or as it stood. Raises HttpRefusal (422) where hours are too coarse, and
    minutes no longer kept; and where a moment lies among too many events, or archived ones."""
    try:
        return await _cover(connection, tenant, edges, moment)
    except MinutesDropped as dropped:
        raise invalid("bucket", too_fine(dropped, tenant.timeline)) from dropped
    except EntriesUnread as unread:
        raise refusal_of(unread) from unread


async def _cover(
    connection: TenantConnection, tenant: Tenant, edges: Sequence[datetime], moment: Moment | None
) -> Coverage:
    if moment is None:
        return await spent_in(connection, tenant.tenant, edges, tenant.timeline)
    return await spent_at(connection, tenant.tenant, edges, tenant.timeline, moment)
