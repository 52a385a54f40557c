"""What cost that was handed on comes to: by cost centre, by pool, in all. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from services.api.allocations.allocating import SUMS, Share, Target
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
from services.api.spend.ratios import UNPRICED_PERCENT_MAX
from spendmeter.contracts.money import EXACT, ZERO, divided, total
from spendmeter.contracts.series import FOLDED

_EFFECTIVE = SUMS.index("effective")
_KINDS: Sequence[RowKind] = ("cost_centre", "residual", "unattributed", "folded")
_NOBODY: dict[str, RowKind] = {"": "unattributed", FOLDED: "folded"}


def rows_of(handed: Iterable[HandedOn], own_currency: str) -> list[CentreRow]:
    """Everybody who bears some of it, and what nobody bears: the tenant's own currency first, the largest
    first. In each currency the rows add up to what was booked."""
    sums: dict[tuple[RowKind, str, str], list[Decimal]] = defaultdict(lambda: [ZERO] * len(SUMS))
    shared: dict[tuple[RowKind, str, str], Decimal] = defaultdict(lambda: ZERO)
    unpriced: dict[tuple[RowKind, str, str], int] = defaultdict(int)
    for each in handed:
        for booked in each.allocated.direct:
            key = _NOBODY.get(booked.value, "cost_centre"), booked.value, booked.line.currency
            _add(sums[key], booked.amounts)
            unpriced[key] += booked.unpriced_events
        for share in each.allocated.shares:
            kind: RowKind = "residual" if share.target.kind == "residual" else "cost_centre"
            key = kind, share.target.name, share.line.currency
            _add(sums[key], share.amounts)
            shared[key] = EXACT.add(shared[key], share.amounts[_EFFECTIVE])
    rows = []
    for key, amounts in sums.items():
        named = dict(zip(SUMS, amounts, strict=True))
        rows.append(
            CentreRow(
                kind=key[0],
                cost_centre=key[1] if key[0] == "cost_centre" else None,
                currency=key[2],
                direct=EXACT.subtract(named["effective"], shared[key]),
                shared=shared[key],
                total=named["effective"],
                list=named["list"],
                contracted=named["contracted"],
                of_which_provisional=named["of_which_provisional"],
                unpriced_events=unpriced[key],
            )
        )
    return sorted(rows, key=lambda each: _order(each, own_currency))


def _add(sums: list[Decimal], amounts: Sequence[Decimal]) -> None:
    for place, amount in enumerate(amounts):
        if amount:
            sums[place] = EXACT.add(sums[place], amount)


def _order(row: CentreRow, own_currency: str) -> tuple[object, ...]:
    kind = _KINDS.index(row.kind)
    return row.currency != own_currency, row.currency, kind, EXACT.minus(row.total), row.cost_centre or ""


def totals_of(handed: Iterable[HandedOn], rows: Sequence[CentreRow]) -> list[CurrencyTotal]:
    """By currency, in the order of `rows`."""
    attributed: dict[str, Decimal] = defaultdict(lambda: ZERO)
    events, unpriced = Counter[str](), Counter[str]()
    for each in handed:
        booked = [*each.allocated.direct, *(row for _, row in each.allocated.pooled)]
        for row in booked:
            currency = row.line.currency
            events[currency] += row.events
            unpriced[currency] += row.unpriced_events
            if row.value not in _NOBODY:
                attributed[currency] = EXACT.add(attributed[currency], row.amounts[_EFFECTIVE])
    found = []
    for currency in dict.fromkeys(row.currency for row in rows):
        own = [row for row in rows if row.currency == currency]
        whole = total(row.total for row in own)
        borne = total(row.total for row in own if row.kind == "cost_centre")
        known = unpriced[currency] * 100 <= events[currency] * UNPRICED_PERCENT_MAX
        true = known and whole > 0 and all(row.total >= 0 for row in own)
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
                fed=each.allocated.fed.get((name, currency), ZERO),
                residual=residual[name, currency],
                because=ratio.because,
                below_zero=list(ratio.below_zero),
                unpriced_events=unpriced[name, currency],
            )


def shared_amounts(handed: Sequence[HandedOn], only: str | None) -> list[SharedAmount]:
    """Of every cost centre and of the residual, or of one alone: what it has of each pool, all skus of that
    in one amount."""
    amounts: dict[tuple[date, Target, str, str, str], tuple[HandedOn, Share, Decimal]] = {}
    for each in handed:
        for share in each.allocated.shares:
            if only is None or share.target == Target("cost_centre", only):
                key = each.stretch.first, share.target, share.pool, share.source, share.line.currency
                before = amounts[key][2] if key in amounts else ZERO
                amounts[key] = each, share, EXACT.add(before, share.amounts[_EFFECTIVE])
    told = {
        (each.stretch.first, pool.name): (pool.rule, driver_text(pool.driver))
        for each in handed
        for pool in each.stretch.pools
    }
    found = []
    for key in sorted(amounts):
        each, share, amount = amounts[key]
        rule, driver = told[each.stretch.first, share.pool]
        found.append(
            SharedAmount(
                first_day=each.stretch.first,
                until=each.stretch.beyond,
                cost_centre=share.target.name if share.target.kind == "cost_centre" else None,
                pool=share.pool,
                source=share.source,
                rule=rule,
                driver=driver,
                weight=Decimal(share.weight),
                of=Decimal(share.whole),
                currency=share.line.currency,
                amount=amount,
            )
        )
    return found


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
