"""What a scope is expected to spend in a minute, learned from the minutes before. Pure, and replayable."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from statistics import median

from services.alerts.bursts.chance import page_score, scores_of
from services.alerts.scopes import MINUTE, TENANT, DetectorScope, Tally, minutes_of, scopes_of
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import Series

MATERIAL_AMOUNT = Decimal(1)
"""In the tenant's currency: what an excess must come to before anybody is woken."""
HISTORY_MINUTES = 60
GAP_MINUTES = 10
"""A longer silence of the whole tenant is no history: the system was off, and its next minute is partial."""
COVERED_SHARE_MIN = Decimal("0.15")
"""A tenant's very first minute teaches, scaled up, if at least this much of it was seen."""
MATURE_MINUTES = 5
"""From so many closed minutes on, the newest is kept out of the expectation and belongs to what is tested."""
SCOPES_MAX = 1_000
"""Scopes that are learned, those with the most money; any other is held against its siblings."""
LEVEL_WEIGHT = Decimal("0.2")
HIGH_MINUTES = 20
"""From so many minutes on a scope's high minute is its second highest: one outlier must not blind."""
SHARE_FLOOR = Decimal("0.5")
ROOT_FACTOR = Decimal(2)
SCORE_MIN = Decimal(2)
SHIFT_MINUTES = 10
"""Minutes of a burst teach nothing; so many in a row are the new level."""
YOUTH_MINUTES = Decimal(2)
"""With n minutes of history the gate is (1 + YOUTH_MINUTES / n) times as high."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a scope spends in a minute, how large its high minutes are, which excess (`gate`) is news."""

    per_minute: Decimal
    scale: Decimal
    gate: Decimal
    minutes: int
    room: Decimal = ZERO
    """So much more is no news, for this hour usually brings it."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Expectations from the closed minutes before `until`."""

    until: datetime
    minutes: int
    scopes: Mapping[DetectorScope, Expectation]
    siblings: Mapping[str, Expectation]
    """By dimension: what its median value does."""
    young_days: int | None = None
    """Since when the tenant is known, where that says nothing of a weekly rhythm yet."""
    waits: bool = False
    """More of the tenant's weeks is known to the book, and not added up yet."""
    page_score: Decimal | None = None
    """In high minutes of a scope: what is less comes by chance, of so many scopes; None = nobody knows."""
    always: Decimal | None = None
    """An excess that matters, chance or not."""

    def is_sure(self, scope: DetectorScope, excess: Decimal) -> bool:
        """Whether such an excess is a page: chance hardly makes it, or it is too much money to ask."""
        expected = self.of(scope)
        if self.page_score is None or expected is None:
            return True
        large = self.always is not None and excess >= self.always
        return large or excess - expected.room >= self.page_score * expected.scale

    def of(self, scope: DetectorScope) -> Expectation | None:
        """A scope's expectation; a young one's is at least its siblings'. None = nothing is known."""
        own, tenant = self.scopes.get(scope), self.scopes.get(TENANT)
        if own is not None and (own.minutes >= MATURE_MINUTES or scope == TENANT):
            return own
        peers = self.siblings.get(scope[0])
        if own is None or peers is None:
            # The first value of its dimension is held against the whole tenant's high minutes.
            return own or peers or (tenant and replace(tenant, per_minute=ZERO))
        return Expectation(
            per_minute=max(own.per_minute, peers.per_minute),
            scale=max(own.scale, peers.scale),
            gate=max(own.gate, peers.gate),
            minutes=own.minutes,
        )


def learn(
    minutes: Mapping[datetime, Sequence[tuple[Series, Tally]]],
    now: datetime,
    first_seen: datetime | None,
    of_old: Collection[DetectorScope] = (),
) -> Learned:
    """Expectations of every scope from closed minutes, by what each series did in them.

    `first_seen`: when the tenant's first series was met; it tells how much of its very first minute was seen.
    `of_old`: scopes that are not new when they begin to spend; they were silent before.
    """
    until = now.replace(second=0, microsecond=0)
    history = _timeline(minutes, until, first_seen)
    if len(history) > MATURE_MINUTES:
        until -= MINUTE
        history = [(minute, tallies) for minute, tallies in history if minute < until]
    history = history[-HISTORY_MINUTES:]
    begins: dict[DetectorScope, int] = {}
    amounts: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    for position, (_, tallies) in enumerate(history):
        for scope, tally in tallies.items():
            begins.setdefault(scope, 0 if scope in of_old else position)
            amounts[scope] += tally.amount
    silence = Tally(ZERO, 0)
    scopes: dict[DetectorScope, Expectation] = {}
    scores: dict[tuple[Decimal, ...], list[float]] = {}  # scopes of the same money are one
    for scope in sorted(amounts, key=lambda scope: (-amounts[scope], scope))[:SCOPES_MAX]:
        known = [tallies.get(scope, silence) for _, tallies in history[begins[scope] :]]
        events = sum(tally.events for tally in known)
        kept = tuple(_without_bursts([tally.amount for tally in known], events))
        scopes[scope] = usual = _expectation(kept, events)
        if kept not in scores:
            scores[kept] = scores_of(kept, usual.per_minute, usual.scale)
    return Learned(
        until=until,
        minutes=len(history),
        scopes=scopes,
        siblings=_siblings(scopes),
        page_score=page_score(scores.values(), sum(map(len, scores))),
    )


def _without_bursts(amounts: Sequence[Decimal], events: int) -> Sequence[Decimal]:
    """Minutes that would have been news count as what was expected, whether anybody was told or not, unless
    SHIFT_MINUTES in a row were."""
    if max(amounts) < 2 * median(amounts) + MATERIAL_AMOUNT:
        return amounts
    kept: list[Decimal] = []
    burst = 0
    for place, amount in enumerate(amounts):
        if place >= MATURE_MINUTES and amount >= MATERIAL_AMOUNT:
            known = _expectation(kept, events)
            if amount - known.per_minute >= max(known.gate, MATERIAL_AMOUNT):
                burst += 1
                if burst < SHIFT_MINUTES:
                    kept.append(known.per_minute)
                    continue
                kept[-burst + 1 :] = amounts[place - burst + 1 : place]
        burst = 0
        kept.append(amount)
    return kept


def _expectation(amounts: Sequence[Decimal], events: int) -> Expectation:
    level = amounts[0]
    for amount in amounts[1:]:
        level += LEVEL_WEIGHT * (amount - level)
    per_minute = max(median(amounts), level, ZERO)
    an_event = max(sum(amounts, ZERO), ZERO) / events if events else ZERO
    high = sorted(amounts)[-2 if len(amounts) >= HIGH_MINUTES else -1]
    scale = max(high, SHARE_FLOOR * per_minute, ROOT_FACTOR * (per_minute * an_event).sqrt())
    gate = SCORE_MIN * (1 + YOUTH_MINUTES / len(amounts)) * scale
    return Expectation(per_minute=per_minute, scale=scale, gate=gate, minutes=len(amounts))


def _siblings(scopes: Mapping[DetectorScope, Expectation]) -> dict[str, Expectation]:
    by_dimension: defaultdict[str, list[Expectation]] = defaultdict(list)
    for (dimension, _), expected in scopes.items():
        by_dimension[dimension].append(expected)
    return {
        dimension: Expectation(
            per_minute=median([each.per_minute for each in known]),
            scale=median([each.scale for each in known]),
            gate=SCORE_MIN * median([each.scale for each in known]),
            minutes=max(each.minutes for each in known),
        )
        for dimension, known in by_dimension.items()
    }


def _timeline(
    minutes: Mapping[datetime, Sequence[tuple[Series, Tally]]], until: datetime, first_seen: datetime | None
) -> list[tuple[datetime, dict[DetectorScope, Tally]]]:
    """Every minute that counts as history, oldest first; a short silence is zeros, a long one is left out."""
    timeline: list[tuple[datetime, dict[DetectorScope, Tally]]] = []
    previous: datetime | None = None
    for minute in [*sorted(minutes), until]:
        whole = previous is not None and minute - previous <= GAP_MINUTES * MINUTE
        if whole:
            assert previous is not None
            silent = round((minute - previous) / MINUTE) - 1
            timeline += [(previous + (1 + number) * MINUTE, {}) for number in range(silent)]
        if minute < until:
            seen = Decimal(1) if whole else _seen_share(minute, first_seen)
            if seen >= COVERED_SHARE_MIN:
                timeline.append((minute, _tallies(minutes[minute], seen)))
            previous = minute
    return timeline


def _seen_share(minute: datetime, first_seen: datetime | None) -> Decimal:
    """How much of the minute after a silence was seen: known of a tenant's first one alone."""
    if first_seen is None or not minute <= first_seen < minute + MINUTE:
        return ZERO
    return minutes_of(minute + MINUTE - first_seen)


def _tallies(rows: Sequence[tuple[Series, Tally]], seen: Decimal) -> dict[DetectorScope, Tally]:
    amounts: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    events: defaultdict[DetectorScope, int] = defaultdict(int)
    for series, tally in rows:
        for scope in scopes_of(series):
            amounts[scope] += tally.amount
            events[scope] += tally.events
    return {scope: Tally(amount / seen, events[scope]) for scope, amount in amounts.items()}
