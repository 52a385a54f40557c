"""Why an event costs what it costs: which entries decided, and which lost and why.

Pure. Candidates come in the plan's own order of decision and the winners are those that the plan names;
an entry that would have to win by that order and did not is a bug and raises.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct

from spendmeter.contracts.catalog import Adjustment, Price, PriceEntry
from spendmeter.contracts.events import Context, EventError, UsageData, UsageEvent
from spendmeter.pricing.arithmetic import arithmetic, entries_of
from spendmeter.pricing.conditions import STANDARD, Served, admits
from spendmeter.pricing.decision import spares
from spendmeter.pricing.engine import Rating, rate, states_cost
from spendmeter.pricing.name_rules import NameStep
from spendmeter.pricing.names import Claim
from spendmeter.pricing.plan import Candidate, Plan
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.remarks import remarks_in_words
from spendmeter.pricing.words import (
    conditions_in_words,
    entry_in_words,
    few,
    group_in_words,
    in_words,
    said_in_words,
)

NEAR_SHOWN = 3
_PARTS = {
    "model": "the model",
    "unit": "the unit",
    "batch": "the batch",
    "tier": "the service tier",
    "region": "the region",
    "hours": "the hours",
    "context": "the context length",
}
"""What the parts of a rank that say how specific an entry is are about."""


@dataclass(frozen=True, kw_only=True)
class Loser:
    """An entry that was in the book and did not decide."""

    entry: str
    says: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Contest:
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
    remarks: tuple[str, ...] = ()
    """What of the way of serving is not in the price, in words."""
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
            remarks=tuple(remarks_in_words(line, event.data.context)),
            arithmetic=tuple(arithmetic(line, event.data.usage.get(line.unit), rating.currency, catalog)),
            contests=contests(event, book, line.unit),
        )
        for line in rating.lines
    )


def naming(tenant: str, data: UsageData, book: PriceBook, time: datetime | None = None) -> tuple[str, ...]:
    """What the names of an event mean, where they are not the catalog's own, and who says so; None = by the
    tenant's last terms."""
    if data.charge is not None:
        return ()  # a bill's words, by which nothing is looked up
    found = book.meaning(tenant, data.provider, data.sku, time)
    provider, model, seller = found.provider, found.model, found.seller
    words = [_claim_in_words("provider", data.provider, provider, found.provider_steps)]
    if provider and model and seller != provider.owner:
        by = book.providers[provider.owner].id
        words.append(f"{provider.owner} sells {model.owner} at the price of {seller}: entry {by}")
    words.append(_claim_in_words("model", data.sku, model, found.steps))
    if found.bounds.near:
        near = ", ".join(f"{sku} of {whose}" for (whose, sku), *_ in found.bounds.near[:NEAR_SHOWN])
        how = "bounded by" if found.bounds.trust == "sure" else "bounded by no less than"
        known = f"has no price at {found.seller}" if model else "is no known name"
        words.append(f"model {data.sku!r} {known}: {found.bounds.says}: {how} {near}")
    if found.region:
        words.append(f"model {data.sku!r} says the region {found.region}")
    if found.batch or found.tier:
        words.append(f"model {data.sku!r} says {'a batch' if found.batch else f'the tier {found.tier}'}")
    words += _serving_in_words(data.context, provider.owner if provider else "", book)
    return tuple(filter(None, words))


def _serving_in_words(context: Context, provider: str, book: PriceBook) -> Iterator[str]:
    """How a tier is read that is written otherwise, and the group of a region that some price is for."""
    spelling = book.spellings.spelling
    tier, region = context.service_tier.strip().lower(), context.region.strip().lower()
    if (by := spelling("tier", provider, tier)) and by.name != tier:
        yield f"tier {context.service_tier!r} means {by.name or STANDARD}, says entry {by.id}"
    by = spelling("region", provider, region) if region else None
    if by and (by.name == "" or book.states_region(by.name)):
        yield f"region {context.region!r} {group_in_words(by.name)}, says entry {by.id}"


def _claim_in_words(kind: str, sent: str, claim: Claim | None, steps: Sequence[NameStep]) -> str:
    """What a name means and why: by rules, each of which says what it leaves out; or by whose entry."""
    if claim is None or claim.owner == sent.lower():
        return ""
    if steps:
        why = "; ".join(dict.fromkeys(f"{rule.says} (names/{rule.name})" for _, rule, _ in steps))
        return f"{kind} {sent!r} means {claim.owner}: {why}"
    how = "it is an alias" if claim.by == sent.lower() else f"it is like {claim.by}"
    return f"{kind} {sent!r} means {claim.owner}: {how}, says entry {claim.entry}"


def text(line: ExplainedLine) -> Iterator[str]:
    """The line as a terminal shows it."""
    yield f"{line.unit}: {line.status}{f', {line.reason}' if line.reason else ''}"
    for remark in line.remarks:
        yield f"  {remark}"
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
    if states_cost(event):
        return ()
    case = _Case(
        plan=plan,
        book=book,
        unit=unit,
        time=event.time,
        context=book.context_length(event.data),
        served=book.served(event.tenant, event.data, event.time),
    )
    return tuple(case.contests())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One unit of one event before one book."""

    plan: Plan
    book: PriceBook
    unit: str
    time: datetime
    context: int
    served: Served

    def contests(self) -> Iterator[Contest]:
        decision = self.plan.decide(self.unit, self.time, self.context)
        agreed = decision.contracted.entry if decision and decision.contracted else ""
        chosen = {decision.entry, agreed} if decision else set()
        prices = self.prices()
        for kind, options in zip(("list", "contracted"), self.plan.options(self.unit), strict=True):
            alike = [price for price in prices if price.kind == kind]
            yield from self.contest(f"{kind} price", options, alike, chosen)
        if decision is None:
            return  # there is no price to adjust
        factors = {each.entry for each in decision.multipliers}
        decided = [price for price in prices if price.id in chosen]
        adjustments = self.adjustments()
        for kind, name in sorted({(each.kind, each.name) for each in adjustments}):
            named = [each for each in adjustments if (each.kind, each.name) == (kind, name)]
            candidates = [each for each in self.plan.adjustments if each.entry in named]
            yield from self.contest(f"{name} ({kind})", candidates, named, factors, decided)

    def prices(self) -> list[Price]:
        """All that the sku has for the unit and its parents, whomever they are for."""
        assert self.plan.provider and self.plan.sku, "see contests"
        units = list(self.book.lists.lineage(self.unit))
        prices = self.book.prices.get((self.plan.provider, self.plan.sku), ())
        return [price for price in prices if price.unit in units]

    def adjustments(self) -> list[Adjustment]:
        """All that its sellers have for the unit of this sku, whomever they are for."""
        return [
            each
            for each in self.book.lists.adjustments_of(self.plan.provider or "", self.plan.reseller)
            if (not each.units or self.unit in each.units) and self.plan.is_about(each)
        ]

    def contest(
        self,
        of: str,
        candidates: Sequence[Candidate[Any]],
        entries: Iterable[PriceEntry],
        chosen: Collection[str],
        decided: Sequence[Price] = (),
    ) -> Iterator[Contest]:
        """The contest of some entries, if there are any; `candidates`: those of them for what served and for
        whom, `chosen`: the ids of what decided, `decided`: the prices that a factor could apply to."""
        winner = next((each for each in candidates if each.entry.id in chosen), None)
        holding = [each for each in candidates if each.holds(self.time, self.context)]
        idle = next((each for each in holding if self.leaves_as_is(each.entry, decided)), None)
        first = idle if idle and (winner is None or idle.rank > winner.rank) else winner
        losers = [
            (
                each.entry,
                self.unmet(each)
                if each not in holding
                else "on the other of the two prices, list and contracted"
                if each.entry.id in chosen
                else "it ranks first, and x 1 leaves the price as it is"
                if each is first
                else self.spared(each.entry, decided) or self.outranked(each, first),
            )
            for each in candidates
            if each is not winner
        ]
        known = {each.entry.id for each in candidates}
        others = sorted((each for each in entries if each.id not in known), key=lambda each: each.id)
        losers += [(entry, self.excluded(entry)) for entry in others]
        if winner is None and not losers:
            return
        if winner is None:
            may = "apply to the price" if decided else "stand for it"
            why = f"none of these may {may}" if holding else "none of these holds"
        elif len(holding) == 1:
            why = "no other entry's conditions hold"
        else:
            why = f"it ranks first of the {len(holding)} whose conditions hold"
        yield Contest(
            of=of,
            entry=winner.entry.id if winner else "",
            says=said_in_words(winner.entry) if winner else "",
            why=why,
            losers=tuple(
                Loser(entry=entry.id, says=entry_in_words(entry), reason=reason) for entry, reason in losers
            ),
        )

    def outranked(self, loser: Candidate[Any], winner: Candidate[Any] | None) -> str:
        """By what an entry whose conditions hold is behind the winner."""
        entry = loser.entry
        if winner is None:
            if entry.kind == "contracted" and entry.unit != self.unit:
                return (
                    f"a parent's contracted price ({entry.unit}): it displaces no list price nearer the unit"
                )
            raise AssertionError(f"entry {entry.id} holds for {self.unit}, and nothing was decided by it")
        first = winner.entry
        if loser.distance > winner.distance:
            return f"a parent's price ({entry.unit}): a nearer one holds"
        if loser.distance < winner.distance or loser.rank > winner.rank:
            raise AssertionError(f"entry {entry.id} ranks before {first.id} for {self.unit}, which decided")
        above = winner.rank.parts()
        match next((name for name, part in loser.rank.parts().items() if part != above[name]), "seller"):
            case "seller":
                return f"of {entry.provider}, and {first.provider} sells it here"
            case "layer":
                return f"of a lower layer: {entry.layer}, under {first.layer}"
            case "tenant":
                return f"for everybody, and entry {first.id} for this tenant alone"
            case "contract":
                return f"of {entry.contract or 'no contract'}, and {first.contract} comes first"
            case "region" if entry.when.regions:
                return f"less specific: for a group of regions, and entry {first.id} for this one itself"
            case name:
                return f"less specific: it says nothing of {_PARTS[name]}"

    def spared(self, entry: PriceEntry, decided: Sequence[Price]) -> str:
        """Why a factor leaves the prices that decided as they are; '' = it does not."""
        if not isinstance(entry, Adjustment) or not all(spares(entry, price) for price in decided):
            return ""
        price = decided[0]
        if price.all_in and entry.kind == "list":
            return f"entry {price.id} has it in its price: no factor on list prices applies to it"
        return f"entry {price.id} says itself what serving like that costs ({in_words(price.when)})"

    def leaves_as_is(self, entry: PriceEntry, decided: Sequence[Price]) -> bool:
        """Whether it is a factor of 1 on a price that decided: it keeps others of its name away, no more."""
        return isinstance(entry, Adjustment) and entry.factor == "1" and not self.spared(entry, decided)

    def unmet(self, candidate: Candidate[Any]) -> str:
        """Which of the conditions that differ from event to event does not hold."""
        words = conditions_in_words(candidate.entry.when)
        if self.time < candidate.start:
            return f"not effective yet: {words['from']}"
        if self.time >= candidate.end:
            return f"no longer effective: {words['until']}"
        if not candidate.low <= self.context <= candidate.high:
            bracket = " and ".join(words[name] for name in ("above", "below") if name in words)
            return f"outside its context bracket: {bracket}, and this had {self.context:,}"
        clock = candidate.week.clock(self.time) if candidate.week else self.time
        return f"outside its hours: {words['hours']}, and it was {clock}"

    def excluded(self, entry: PriceEntry) -> str:
        """Why an entry is not for this tenant, or not for what served."""
        when, (batch, tier, region, _) = entry.when, self.served
        if self.plan.scope.includes(entry) and not self.plan.scope_of(entry.provider.lower()).includes(entry):
            return f"agreed with {entry.provider}, and {self.plan.reseller} sells it here"
        if not self.plan.scope.includes(entry):
            if entry.tenant and entry.tenant != self.plan.scope.tenant:
                return "another tenant's"
            return f"of a contract that the tenant does not have: {entry.contract}"
        assert not admits(when, self.plan.served), f"entry {entry.id} was left out of the plan"
        if when.batch is not None and when.batch != batch:
            return (
                "for batches alone, and this was none" if when.batch else "not for batches, and this was one"
            )
        if when.tiers and tier not in when.tiers:
            return f"of another tier: {few(when.tiers, ' or ')}, and {tier} served"
        return f"of another region: {few(when.regions, ' or ')}, and {region or 'none that is known'} served"
