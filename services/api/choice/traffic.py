"""Rows of cells and of calls as what is priced, and as how calls went. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.api.choice.models import CallQuality, ContextCalls
from spendmeter.book.call_quality import NO_LATENCY, OK, after_mark, mean_ms, percentile_ms
from spendmeter.contracts.money import EXACT, ZERO, divided
from spendmeter.pricing.charged import CHARGE_UNIT
from spendmeter.pricing.choice.traffic import ANY_CONTEXT, ContextRange, Portion, Use

MEASURED_MIN = 30
"""Calls that say how they went: of fewer no share is told, for one more would change it by a lot."""
REPORTED_UNIT = "reported_cost"
NO_USE = frozenset({"", CHARGE_UNIT, REPORTED_UNIT, "events"})
"""Units of lines that are about an event, and no quantity that another model could be asked for."""
Row = Mapping[str, Any]
_Model = tuple[str, str]


@dataclass
class CallSums:
    """How calls of something went."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)
    marks: Counter[int] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count a row of `calls`."""
        self.statuses[row["call_status"]] += row["calls"]
        self.latencies[row["latency"]] += row["calls"]
        self.marks[row["over_context"]] += row["calls"]

    @property
    def calls(self) -> int:
        """Of all."""
        return self.statuses.total()

    def quality(self) -> CallQuality | None:
        """None = there were none."""
        calls = self.calls
        if calls <= 0:
            return None
        stated = calls - self.statuses[""]
        timed = calls - self.latencies[NO_LATENCY]
        measured = timed >= MEASURED_MIN
        return CallQuality(
            calls=calls,
            stated=stated,
            ok=self.statuses[OK],
            success=divided(Decimal(self.statuses[OK]), Decimal(stated)) if stated >= MEASURED_MIN else None,
            timed=timed,
            p95_ms=percentile_ms(self.latencies, 95) if measured else None,
            mean_ms=mean_ms(self.latencies) if measured else None,
        )

    def contexts(self) -> list[ContextCalls]:
        """By mark, the shortest first."""
        marks = sorted(self.marks.items())
        return [ContextCalls(over=mark, calls=calls) for mark, calls in marks if calls > 0]


def call_sums(rows: Iterable[Row]) -> dict[_Model, CallSums]:
    """Of each model by the names that events gave it."""
    found: defaultdict[_Model, CallSums] = defaultdict(CallSums)
    for row in rows:
        found[row["provider"], row["sku"]].add(row)
    return found


def added_up(sums: Iterable[CallSums]) -> CallSums:
    """All of them."""
    found = CallSums()
    for each in sums:
        found.statuses.update(each.statuses)
        found.latencies.update(each.latencies)
        found.marks.update(each.marks)
    return found


@dataclass
class TrafficOfCurrency:
    """What the slice used of models, in one book currency."""

    uses: list[Use]
    calls: int = 0
    booked: Decimal = ZERO
    provisional: Decimal = ZERO
    reported: Decimal = ZERO
    billed: Decimal = ZERO
    unpriced: int = 0


@dataclass
class _Served:
    """Of calls that were served alike, so far."""

    calls: int = 0
    portions: list[Portion] = field(default_factory=list)


_Places = defaultdict[tuple[Any, ...], _Served]


def traffic_of(rows: Iterable[Row], calls: Mapping[_Model, CallSums]) -> dict[str, TrafficOfCurrency]:
    """By currency, from rows of `traffic`; how long contexts were, from `calls`, where all were counted."""
    found: dict[str, TrafficOfCurrency] = {}
    served: defaultdict[str, _Places] = defaultdict(lambda: defaultdict(_Served))
    for row in rows:
        traffic = found.setdefault(row["currency"], TrafficOfCurrency(uses=[]))
        place = row["provider"], row["sku"], row["tier"], row["region"], row["batch"]
        one = served[row["currency"]][place]
        if row["unit"] == CHARGE_UNIT:
            traffic.billed = EXACT.add(traffic.billed, row["effective"])
            one.calls -= row["events"]
            traffic.calls -= row["events"]
            continue
        traffic.billed = EXACT.add(traffic.billed, row["beside_bills"])
        traffic.booked = EXACT.add(traffic.booked, EXACT.subtract(row["effective"], row["beside_bills"]))
        traffic.provisional = EXACT.add(traffic.provisional, row["provisional"])
        if not row["unit"]:
            one.calls += row["events"]
            traffic.calls += row["events"]
            traffic.unpriced += row["unpriced"]
        elif row["unit"] == REPORTED_UNIT:
            traffic.reported = EXACT.add(traffic.reported, row["effective"])
        elif row["unit"] not in NO_USE:
            one.portions.append(
                Portion(unit=row["unit"], quantity=row["quantity"], events=row["events"], entry=row["entry"])
            )
    counted = _counted(served.values())
    for currency, traffic in found.items():
        traffic.uses = [
            Use(
                provider=provider, sku=sku, tier=tier, region=region, batch=batch, calls=one.calls,
                portions=tuple(one.portions),
                contexts=_contexts(calls.get((provider, sku)), counted[provider, sku]),
            )
            for (provider, sku, tier, region, batch), one in served[currency].items()
            if one.calls or one.portions
        ]  # fmt: skip
    return found


def _counted(served: Iterable[_Places]) -> Counter[_Model]:
    found: Counter[_Model] = Counter()
    for of_currency in served:
        for (provider, sku, *_), one in of_currency.items():
            found[provider, sku] += one.calls
    return found


def _contexts(sums: CallSums | None, calls: int) -> tuple[ContextRange, ...]:
    """How long the calls were; any length, where some of them were not counted."""
    if sums is None or sums.calls < calls:
        return ANY_CONTEXT
    marks: Sequence[int] = [mark for mark, count in sorted(sums.marks.items()) if count > 0]
    return tuple((mark + 1 if mark else 0, after_mark(mark)) for mark in marks) or ANY_CONTEXT
