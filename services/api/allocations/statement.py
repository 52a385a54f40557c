"""A cost centre's month line by line. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from services.api.allocations.allocating import SUMS, CostLine, Target
from services.api.allocations.answering import driver_text
from services.api.allocations.models import StatementLine, StatementTotal
from services.api.allocations.reading import HandedOn
from spendmeter.contracts.money import EXACT, ZERO, total


def lines_of(handed: Sequence[HandedOn], cost_centre: str, days: tuple[date, date]) -> list[StatementLine]:
    """What it spent itself, one line a sku, then what pools handed on to it, in the order of days. A line of
    which everything is nothing is left out, unless events without an amount lie in it."""
    lines = [*_direct(handed, cost_centre, days), *_shared(handed, cost_centre)]
    return [
        line for line in lines if any(getattr(line, name) for name in (*SUMS, "events", "unpriced_events"))
    ]


def _direct(handed: Iterable[HandedOn], cost_centre: str, days: tuple[date, date]) -> Iterator[StatementLine]:
    sums: dict[CostLine, list[Decimal]] = defaultdict(lambda: [ZERO] * len(SUMS))
    events: dict[CostLine, list[int]] = defaultdict(lambda: [0, 0])
    for each in handed:
        for row in each.allocated.direct:
            if row.value == cost_centre:
                sums[row.line] = [*map(EXACT.add, sums[row.line], row.amounts)]
                counts = events[row.line]
                events[row.line] = [counts[0] + row.events, counts[1] + row.unpriced_events]
    for line in sorted(sums):
        yield StatementLine(
            kind="direct",
            **line._asdict(),
            first_day=days[0],
            until=days[1],
            **dict(zip(SUMS, sums[line], strict=True)),
            events=events[line][0],
            unpriced_events=events[line][1],
        )


def _shared(handed: Iterable[HandedOn], cost_centre: str) -> Iterator[StatementLine]:
    for each in handed:
        pools = {pool.name: pool for pool in each.stretch.pools}
        unpriced: dict[tuple[str, CostLine], int] = defaultdict(int)
        for name, row in each.allocated.pooled:
            unpriced[name, row.line] += row.unpriced_events
        for share in each.allocated.shares:
            if share.target != Target("cost_centre", cost_centre):
                continue
            assert each.stretch.version is not None
            yield StatementLine(
                kind="shared",
                **share.line._asdict(),
                pool=share.pool,
                source=share.source,
                rule=pools[share.pool].rule,
                driver=driver_text(pools[share.pool].driver),
                weight=Decimal(share.weight),
                of=Decimal(share.whole),
                revision=each.stretch.version.revision,
                first_day=each.stretch.first,
                until=each.stretch.beyond,
                **dict(zip(SUMS, share.amounts, strict=True)),
                events=None,
                unpriced_events=unpriced[share.source, share.line],
            )


def totals_of_lines(lines: Sequence[StatementLine], own_currency: str) -> list[StatementTotal]:
    """By currency, the tenant's own first; of no lines, nothing of that one. Events without an amount are
    those of direct lines: a pool's are not its own."""
    currencies = sorted({line.currency for line in lines}, key=lambda each: (each != own_currency, each))
    found = []
    for currency in currencies or [own_currency]:
        own = [line for line in lines if line.currency == currency]
        direct = [line for line in own if line.kind == "direct"]
        found.append(
            StatementTotal(
                currency=currency,
                direct=total(line.effective for line in direct),
                shared=total(line.effective for line in own if line.kind == "shared"),
                total=total(line.effective for line in own),
                list=total(line.list for line in own),
                contracted=total(line.contracted for line in own),
                of_which_provisional=total(line.of_which_provisional for line in own),
                corrected=total(line.corrected for line in own),
                of_closed_periods=total(line.effective for line in own if line.corrects),
                unpriced_events=sum(line.unpriced_events for line in direct),
            )
        )
    return found
