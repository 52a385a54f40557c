"""What cost that was handed on comes to: by cost centre, by pool, in all. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from services.api.allocations.allocating import SUMS, Target
from services.api.allocations.models import (
    AllocationTrialRow,
    CentreRow,
    CurrencyTotal,
    PooledCost,
    RowKind,
    SharedAmount,
    StretchAnswer,
)
from services.api.allocations.plan import Driver
from services.api.allocations.reading import HandedOn
from spendmeter.contracts.money import EXACT, ZERO, divided, total
from spendmeter.contracts.series import FOLDED

_EFFECTIVE = SUMS.index("effective")
_KINDS: Sequence[RowKind] = ("cost_centre", "residual", "unattributed", "folded")
_NOBODY: dict[str, RowKind] = {"": "unattributed", FOLDED: "folded"}


def rows_of(handed: Iterable[HandedOn], own_currency: str) -> list[CentreRow]:
    """Everybody who bears some of it, and what nobody bears: the tenant's own currency first, the largest
    first. In each currency the rows add up to what was booked."""
    rows: dict[tuple[RowKind, str, str], CentreRow] = {}

    def row(kind: RowKind, name: str, currency: str) -> CentreRow:
        centre = name if kind == "cost_centre" else None
        new = CentreRow(kind=kind, cost_centre=centre, currency=currency)
        return rows.setdefault((kind, name, currency), new)

    for each in handed:
        for booked in each.allocated.direct:
            kind = _NOBODY.get(booked.value, "cost_centre")
            found = row(kind, booked.value, booked.line.currency)
            found.direct = EXACT.add(found.direct, booked.amounts[_EFFECTIVE])
            found.unpriced_events += booked.unpriced_events
            _add(found, booked.amounts)
        for share in each.allocated.shares:
            kind = "residual" if share.target.kind == "residual" else "cost_centre"
            found = row(kind, share.target.name, share.line.currency)
            found.shared = EXACT.add(found.shared, share.amounts[_EFFECTIVE])
            _add(found, share.amounts)
    return sorted(rows.values(), key=lambda each: _order(each, own_currency))


def _add(row: CentreRow, amounts: Sequence[Decimal]) -> None:
    named = dict(zip(SUMS, amounts, strict=True))
    row.total = EXACT.add(row.total, named["effective"])
    row.list = EXACT.add(row.list, named["list"])
    row.contracted = EXACT.add(row.contracted, named["contracted"])
    row.of_which_provisional = EXACT.add(row.of_which_provisional, named["of_which_provisional"])


def _order(row: CentreRow, own_currency: str) -> tuple[object, ...]:
    kind = _KINDS.index(row.kind)
    return row.currency != own_currency, row.currency, kind, EXACT.minus(row.total), row.cost_centre or ""


def totals_of(handed: Iterable[HandedOn], rows: Sequence[CentreRow]) -> list[CurrencyTotal]:
    """By currency, in the order of `rows`."""
    attributed: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for each in handed:
        booked = [*each.allocated.direct, *(row for _, row in each.allocated.pooled)]
        for row in booked:
            if row.value not in _NOBODY:
                currency = row.line.currency
                attributed[currency] = EXACT.add(attributed[currency], row.amounts[_EFFECTIVE])
    found = []
    for currency in dict.fromkeys(row.currency for row in rows):
        own = [row for row in rows if row.currency == currency]
        whole = total(row.total for row in own)
        borne = total(row.total for row in own if row.kind == "cost_centre")
        true = whole > 0 and all(row.total >= 0 for row in own)
        found.append(
            CurrencyTotal(
                currency=currency,
                total=whole,
                attributed=attributed[currency],
                unattributed=EXACT.subtract(whole, attributed[currency]),
                borne=borne,
                attributed_percent=_percent(attributed[currency], whole) if true else None,
                borne_percent=_percent(borne, whole) if true else None,
            )
        )
    return found


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    """None where it would be below 0 or above 100: credits lie in it."""
    return divided(EXACT.multiply(part, Decimal(100)), whole) if 0 <= part <= whole else None


def stretch_answers(handed: Iterable[HandedOn]) -> list[StretchAnswer]:
    """In order."""
    return [
        StretchAnswer(
            first_day=each.stretch.first,
            until=each.stretch.beyond,
            revision=each.stretch.version and each.stretch.version.revision,
        )
        for each in handed
    ]


def pooled_costs(handed: Iterable[HandedOn]) -> list[PooledCost]:
    """What each pool took in each stretch, in the order of the plan; a pool that had nothing has none."""
    return [found for each in handed for found in _pooled(each)]


def _pooled(each: HandedOn) -> Iterator[PooledCost]:
    taken: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    residual: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    unpriced: dict[tuple[str, str], int] = defaultdict(int)
    for name, row in each.allocated.pooled:
        key = name, row.line.currency
        taken[key] = EXACT.add(taken[key], row.amounts[_EFFECTIVE])
        unpriced[key] += row.unpriced_events
    for share in each.allocated.shares:
        if share.target.kind == "residual":
            key = share.pool, share.line.currency
            residual[key] = EXACT.add(residual[key], share.amounts[_EFFECTIVE])
    for pool in each.stretch.pools:
        assert each.stretch.version is not None
        for name, currency in sorted(key for key in each.allocated.ratios if key[0] == pool.name):
            ratio = each.allocated.ratios[name, currency]
            yield PooledCost(
                first_day=each.stretch.first,
                until=each.stretch.beyond,
                revision=each.stretch.version.revision,
                pool=name,
                rule=pool.rule,
                driver=driver_text(pool.driver),
                currency=currency,
                taken=taken[name, currency],
                residual=residual[name, currency],
                because=ratio.because,
                below_zero=list(ratio.below_zero),
                unpriced_events=unpriced[name, currency],
            )


def shared_amounts(handed: Iterable[HandedOn], only: str | None) -> list[SharedAmount]:
    """Of every cost centre and of the residual, or of one alone: what it has of each pool, all skus of that
    in one amount."""
    found: dict[tuple[date, Target, str, str, str], SharedAmount] = {}
    for each in handed:
        by_name = {pool.name: pool for pool in each.stretch.pools}
        for share in each.allocated.shares:
            if only is not None and share.target != Target("cost_centre", only):
                continue
            key = each.stretch.first, share.target, share.pool, share.source, share.line.currency
            if key not in found:
                found[key] = SharedAmount(
                    first_day=each.stretch.first,
                    until=each.stretch.beyond,
                    cost_centre=share.target.name if share.target.kind == "cost_centre" else None,
                    pool=share.pool,
                    source=share.source,
                    rule=by_name[share.pool].rule,
                    driver=driver_text(by_name[share.pool].driver),
                    weight=Decimal(share.weight),
                    of=Decimal(share.whole),
                    currency=share.line.currency,
                    amount=ZERO,
                )
            found[key].amount = EXACT.add(found[key].amount, share.amounts[_EFFECTIVE])
    return [found[key] for key in sorted(found)]


def driver_text(driver: Driver | None) -> str:
    """In words: "requests of provider=pinecone"; '' = none."""
    if driver is None:
        return ""
    scope = ", ".join(f"{name}={value}" for name, value in sorted(driver.filter.items()))
    return f"{driver.measure} of {scope}" if scope else driver.measure


def trial_rows(before: Iterable[CentreRow], after: Iterable[CentreRow]) -> list[AllocationTrialRow]:
    """What everybody bears now and would, those of whom most changes first."""
    now = {(row.kind, row.cost_centre, row.currency): row.total for row in before}
    then = {(row.kind, row.cost_centre, row.currency): row.total for row in after}
    found = []
    for kind, name, currency in dict.fromkeys([*now, *then]):
        was, would = now.get((kind, name, currency), ZERO), then.get((kind, name, currency), ZERO)
        change = EXACT.subtract(would, was)
        found.append(
            AllocationTrialRow(
                kind=kind, cost_centre=name, currency=currency, before=was, after=would, change=change
            )
        )
    return sorted(
        found,
        key=lambda each: (each.currency, EXACT.minus(abs(each.change)), each.kind, each.cost_centre or ""),
    )
