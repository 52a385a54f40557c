"""Why an event costs what it costs: which entries decided, and which lost and why.

Pure. Candidates come in the plan's own order of decision and the winners are those that the plan names;
an entry that would have to win by that order and did not is a bug and raises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import UNSET, Struct

from spendmeter.contracts.catalog import Adjustment, CatalogRecord, Conditions, Price
from spendmeter.contracts.events import EventError, UsageData, UsageEvent
from spendmeter.pricing.arithmetic import arithmetic, entries_of
from spendmeter.pricing.conditions import Bounds, Served, admits, served
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.names import Claim, matches_any
from spendmeter.pricing.plan import Plan, Rank
from spendmeter.pricing.price_book import PriceBook

_SERVED = ("the batch", "the service tier", "the region", "the hours", "the context length")
_PRICE_RANK = ("parent", "layer", "tenant", "contract", *_SERVED)
_ADJUSTMENT_RANK = ("layer", "tenant", "contract", "the model", "the unit", *_SERVED)
"""What the parts of a rank are about, in the order in which they decide."""

Contender = tuple[Price | Adjustment, Bounds, Rank]


class Loser(Struct, frozen=True, kw_only=True):
    """An entry that was in the book and did not decide."""

    entry: str
    says: str
    reason: str


class Contest(Struct, frozen=True, kw_only=True):
    """One question about a unit, and the entry that answered it ('' = none did)."""

    of: str
    """"list price", "contracted price", or the name of an adjustment."""
    entry: str
    says: str
    why: str
    losers: tuple[Loser, ...]


class ExplainedLine(Struct, frozen=True, kw_only=True):
    """One line for people."""

    unit: str
    status: str
    reason: str
    arithmetic: tuple[str, ...]
    contests: tuple[Contest, ...]


def explain(event: UsageEvent, book: PriceBook) -> tuple[Rating, tuple[ExplainedLine, ...]]:
    """The event's rating, line by line with its reasons. Raises as `rate` does."""
    rating = rate(event, book)
    catalog = book.entries({name for line in rating.lines for name in entries_of(line)})
    return rating, tuple(
        ExplainedLine(
            unit=line.unit,
            status=line.status,
            reason=line.reason,
            arithmetic=tuple(arithmetic(line, event.data.usage.get(line.unit), rating.currency, catalog)),
            contests=contests(event, book, line.unit),
        )
        for line in rating.lines
    )


def naming(tenant: str, data: UsageData, book: PriceBook, time: datetime | None = None) -> tuple[str, ...]:
    """What the names of an event mean, where they are not the catalog's own, and who says so; None = by the
    tenant's last terms."""
    provider, model, seller = book.meaning(tenant, data.provider, data.sku, time)
    said = [_meant("provider", data.provider, provider)]
    if provider and model and seller != provider.owner:
        by = book.providers[provider.owner].id
        said.append(f"{provider.owner} sells {model.owner} at the price of {seller}: entry {by}")
    said.append(_meant("model", data.sku, model))
    return tuple(filter(None, said))


def _meant(kind: str, sent: str, claim: Claim | None) -> str:
    if claim is None or claim.owner == sent.lower():
        return ""
    how = "it is an alias" if claim.by == sent.lower() else f"it is like {claim.by}"
    return f"{kind} {sent!r} means {claim.owner}: {how}, says entry {claim.entry}"


def text(line: ExplainedLine) -> Iterator[str]:
    """The line as a terminal shows it."""
    yield f"{line.unit}: {line.status}{f', {line.reason}' if line.reason else ''}"
    for step in line.arithmetic:
        yield f"  {step}"
    for contest in line.contests:
        by = f"entry {contest.entry}: {contest.says}" if contest.entry else "no entry"
        yield f"  {contest.of} by {by}"
        yield f"    why: {contest.why}"
        for loser in contest.losers:
            yield f"    not {loser.entry}, {loser.says}: {loser.reason}"


def contests(event: UsageEvent, book: PriceBook, unit: str) -> tuple[Contest, ...]:
    """What the book's entries decided about `unit` of the event; none for a model that it does not know, for
    a cost that a trusted sender reports, and where no entry is about the unit."""
    if event.time is UNSET:
        raise EventError("is missing", "time")
    plan = book.plan(event.tenant, event.data, event.time)
    if plan.provider is None or plan.sku is None:
        return ()
    if event.trustreportedcost and event.data.reported_cost is not None:
        return ()
    context = sum(n for each, n in event.data.usage.items() if each in book.context_units)
    return tuple(_Case(plan, book, unit, event.time, context, served(event.data.context)).contests())


class _Case:
    """One unit of one event before one book."""

    def __init__(
        self, plan: Plan, book: PriceBook, unit: str, time: datetime, context: int, by: Served
    ) -> None:
        self.plan, self.book, self.unit = plan, book, unit
        self.time, self.context, self.served = time, context, by
        self.decision = plan.decide(unit, time, context)

    def contests(self) -> Iterator[Contest]:
        decision = self.decision
        agreed = decision.contracted.entry if decision and decision.contracted else ""
        chosen = {decision.entry, agreed} if decision else set()
        prices = self.prices()
        for kind, options in zip(("list", "contracted"), self.plan.options(self.unit), strict=True):
            mine = {price.id: price for price in prices if price.kind == kind}
            ordered = [(mine[o.decision.entry], o, (-o.depth, *o.rank)) for o in options]
            yield from self.contest(f"{kind} price", ordered, mine.values(), chosen, _PRICE_RANK)
        if decision is None:
            return  # there is no price to adjust
        factors = {each.entry for each in decision.multipliers}
        named = self.adjustments()
        for kind, name in sorted({(each.kind, each.name) for each in named}):
            alike = [each for each in named if (each.kind, each.name) == (kind, name)]
            standing = [(a, b, r) for b, a, r in self.plan.adjustments if a in alike]
            yield from self.contest(f"{name} ({kind})", standing, alike, factors, _ADJUSTMENT_RANK)

    def prices(self) -> list[Price]:
        """All that the sku has for the unit and its parents, whomever they are for."""
        assert self.plan.provider and self.plan.sku, "see contests"
        units: list[str] = []
        unit: str | None = self.unit
        while unit is not None:
            units.append(unit)
            unit = self.book.parents.get(unit)
        prices = self.book.prices.get((self.plan.provider, self.plan.sku), ())
        return [price for price in prices if price.unit in units]

    def adjustments(self) -> list[Adjustment]:
        """All that the seller has for the unit of this sku, whomever they are for."""
        return [
            each
            for each in self.book.adjustments.get(self.plan.provider or "", ())
            if (not each.units or self.unit in each.units)
            and (not each.skus or matches_any(each.skus, self.plan.sku or ""))
        ]

    def contest(
        self,
        of: str,
        ordered: Sequence[Contender],
        all_of_it: Iterable[Price | Adjustment],
        chosen: Collection[str],
        names: tuple[str, ...],
    ) -> Iterator[Contest]:
        """The contest of some entries, if there are any; `ordered`: those for what served and for whom."""
        winner = next((each for each in ordered if each[0].id in chosen), None)
        standing = {entry.id for entry, _, _ in ordered}
        losers: list[Loser] = []
        holding = 0
        for entry, bounds, rank in ordered:
            reason = _unmet(entry.when, bounds, self.time, self.context)
            holding += not reason
            if winner is None or entry is not winner[0]:
                reason = reason or self.outranked(entry, rank, winner, names)
                losers.append(Loser(entry=entry.id, says=says(entry), reason=reason))
        losers += [
            Loser(entry=entry.id, says=says(entry), reason=self.excluded(entry))
            for entry in sorted(all_of_it, key=lambda each: each.id)
            if entry.id not in standing
        ]
        if winner is None and not losers:
            return
        why = "none of these holds" if not holding else "none of these may stand for it"
        if winner is not None:
            why = f"it ranks first of the {holding} whose conditions hold"
            why = "no other entry's conditions hold" if holding == 1 else why
        yield Contest(
            of=of,
            entry=winner[0].id if winner else "",
            says=f"{says(winner[0])}, says {winner[0].source}" if winner else "",
            why=why,
            losers=tuple(losers),
        )

    def outranked(
        self, entry: Price | Adjustment, rank: Rank, winner: Contender | None, names: tuple[str, ...]
    ) -> str:
        """By what an entry whose conditions hold is behind the winner."""
        if winner is None:
            if isinstance(entry, Price) and entry.kind == "contracted" and entry.unit != self.unit:
                return (
                    f"a parent's contracted price ({entry.unit}): it displaces no list price nearer the unit"
                )
            raise AssertionError(f"entry {entry.id} holds for {self.unit}, and nothing was decided by it")
        first, _, above = winner
        by = next(n for n, (mine, theirs) in enumerate(zip(rank, above, strict=True)) if mine != theirs)
        if rank[by] > above[by]:
            raise AssertionError(f"entry {entry.id} ranks before {first.id} for {self.unit}, which decided")
        match names[by]:
            case "parent":
                return f"a parent's price ({getattr(entry, 'unit', '')}): a nearer one holds"
            case "layer":
                return f"of a lower layer: {entry.layer}, under {first.layer}"
            case "tenant":
                return f"for everybody, and entry {first.id} for this tenant alone"
            case "contract":
                return f"of {entry.contract or 'no contract'}, and {first.contract} comes first"
            case name:
                return f"less specific: it says nothing of {name}"

    def excluded(self, entry: Price | Adjustment) -> str:
        """Why an entry is not for this tenant, or not for what served."""
        when, (batch, tier, region) = entry.when, self.served
        if self.plan.scope.rank(entry) is None:
            if entry.tenant and entry.tenant != self.plan.scope.tenant:
                return "another tenant's"
            return f"of a contract that the tenant does not have: {entry.contract}"
        assert not admits(when, self.plan.served), f"entry {entry.id} was left out of the plan"
        if when.batch is not None and when.batch != batch:
            return (
                "for batches alone, and this was none" if when.batch else "not for batches, and this was one"
            )
        if when.tiers and tier not in when.tiers:
            return f"of another tier: {' or '.join(when.tiers)}, and {tier} served"
        return f"of another region: {' or '.join(when.regions)}, and {region or 'none that is known'} served"


def _unmet(when: Conditions, bounds: Bounds, time: datetime, context: int) -> str:
    """Which of the conditions that differ from event to event does not hold; '' = all hold."""
    said = _conditions(when)
    if time < bounds.start:
        return f"not effective yet: {said['from']}"
    if time >= bounds.end:
        return f"no longer effective: {said['until']}"
    if not bounds.low <= context <= bounds.high:
        bracket = " and ".join(said[name] for name in ("above", "below") if name in said)
        return f"outside its context bracket: {bracket}, and this had {context:,}"
    if not bounds.holds(time, context):
        clock = bounds.week.clock(time) if bounds.week else time
        return f"outside its hours: {said['hours']}, and it was {clock}"
    return ""


def says(entry: CatalogRecord | None) -> str:
    """What a price or an adjustment says, and under which conditions; '' for anything else."""
    if isinstance(entry, Price):
        what = (
            f"{entry.price} {entry.currency} per {entry.per:,} {entry.unit} of {entry.provider}/{entry.sku}"
        )
        extra = [
            f"at least {entry.minimum}" if entry.minimum != "0" else "",
            "once an event" * entry.per_event,
        ]
    elif isinstance(entry, Adjustment):
        units, skus = ", ".join(entry.units) or "every unit", ", ".join(entry.skus) or "every model"
        what, extra = f"x {entry.factor} on {units} of {entry.provider}/{skus}", []
    else:
        return ""
    conditions = "; ".join(filter(None, [in_words(entry.when), *extra]))
    layer = "" if entry.layer == "public" else f", {' '.join(filter(None, (entry.layer, entry.contract)))}"
    return f"{what}{f' ({conditions})' if conditions else ''}{layer}"


def in_words(when: Conditions) -> str:
    """The conditions for people; '' = none."""
    return "; ".join(_conditions(when).values())


def _conditions(when: Conditions) -> dict[str, str]:
    """Each condition that is stated, in words."""
    least, most = when.context_min, when.context_max
    hours = ", ".join(_days(window.days) + f"{window.start}-{window.end}" for window in when.windows)
    said = {
        "from": when.effective_from and f"from {when.effective_from.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "until": when.effective_to and f"until {when.effective_to.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "batch": None if when.batch is None else "in a batch" if when.batch else "not in a batch",
        "tier": when.tiers and f"tier {' or '.join(when.tiers)}",
        "region": when.regions and f"region {' or '.join(each or 'not stated' for each in when.regions)}",
        "hours": hours and f"{hours} ({when.calendar})",
        "above": least is not None
        and f"context {'from' if when.context_min_inclusive else 'over'} {least:,} tokens",
        "below": most is not None
        and f"context {'up to' if when.context_max_inclusive else 'under'} {most:,} tokens",
    }
    return {name: words for name, words in said.items() if words}


def _days(days: tuple[int, ...]) -> str:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "holiday")
    return "" if len(days) == len(names) else f"{'/'.join(names[day - 1] for day in days)} "
