"""What the names of an event mean: whose, which model, at whose price; or what bounds it.

In this order, and nothing is priced by what comes after the third:

1. at the provider, then at those whose models it resells: a sku of the tenant's own; what the name meant
   at that time (an alias); a name that a model states itself; a match that leaves nothing open;
2. what the name reads as by rules of names that leave the price as it is, one after the other, where that
   is a name of 1;
3. a match that leaves open only what such rules, or rules for what matches take, call neutral;
4. as a bound: the name, as it is or by rules of 2, where one public list alone has it (unconfirmed); a
   name of 1 by rules of which nobody knows what they do to the price; several models; a name inside.

A name of 1 is never read otherwise; but one that the provider sells at its maker's price, as its entry
says, is first sought at the maker, in the same order.
"""

import re
from collections import deque
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from math import prod
from typing import NamedTuple

from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER
from spendmeter.pricing.contained import OTHER_SIZE
from spendmeter.pricing.dates import Narrowing, holds
from spendmeter.pricing.directory import Directory
from spendmeter.pricing.name_rules import CompiledRule, NameStep
from spendmeter.pricing.names import Claim, family_as_sold
from spendmeter.pricing.near import DEARER, NO_BOUNDS, NOTHING_NEAR, FoundModel, NameBounds, Near, Trust
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.scope import Scope

READINGS_MAX = 32
"""Names that one is read as: rules chain, and a sender could write one that they turn into thousands."""

CONTAINED_IN_MAX = 8
"""Readings of a name in which known names are looked for."""

Steps = tuple[NameStep, ...]
LATEST = FOR_EVER - timedelta(microseconds=1)
_SAME = frozenset({"same"})
_MATCHED = frozenset({"same", "as_matched"})
_ANY = frozenset({"same", "as_matched", "unknown"})


class Meaning(NamedTuple):
    """What a provider's and a model's name mean; None = nobody's."""

    provider: Claim | None
    model: Claim | None
    seller: str
    """Whose price list knows the model: the provider, or one whose models it resells."""
    provider_steps: Steps = ()
    steps: Steps = ()
    """The rules by which the name reads as the model's, in their order."""
    bounds: NameBounds = NO_BOUNDS
    """Of a name that is no model's."""
    region: str = ""
    """The region that the name says."""
    tier: str = ""
    """The tier that the name says."""
    batch: bool = False
    """Whether the name says that it was a batch."""
    sold_as: str = ""
    """What the provider calls a model that it sells at the maker's price, whatever its own list says; '' =
    it sells it at its own, or as one of whose its list has none."""
    since: datetime = SINCE_EVER
    until: datetime = FOR_EVER
    """From when to when the names mean this."""


def meaning(
    directory: Directory, provider: str, sku: str, scope: Scope, time: datetime | None = None
) -> Meaning:
    """Whom and what the names of an event mean to those of a scope at an instant; None = in the end."""
    time = time or LATEST
    claim, steps = directory.provider(provider.lower(), scope, time)
    search = _Search(directory, sku.lower(), directory.sellers(claim.owner if claim else None), scope, time)
    search.narrow_by_provider(provider.lower())
    seller, model, taken, sold_as = search.model()
    priced = model is not None and directory.has_price((seller, model.owner), scope)
    bounds = NO_BOUNDS if priced else search.bounds()
    region = search.region(taken) if taken or model is None else ""  # a price of its own says it
    return Meaning(
        claim,
        model,
        seller,
        steps,
        taken,
        bounds,
        region=region,
        tier=next((step.rule.tier for step in taken if step.rule.tier), ""),
        batch=any(step.rule.batch for step in taken),
        sold_as=sold_as,
        since=search.since,
        until=search.until,
    )


class _Search(Narrowing):
    """For one name, at some sellers; `since` and `until` narrow with each dated entry that is met."""

    def __init__(
        self, directory: Directory, name: str, sellers: tuple[str, ...], scope: Scope, time: datetime
    ) -> None:
        super().__init__(time)
        self.directory, self.name, self.sellers = directory, name, sellers
        self.scope = scope
        self.known_steps: dict[str, list[tuple[CompiledRule, NameStep]]] = {}
        self.known_names: dict[Sku, Claim | None] = {}
        self.rivals: list[Sku] = []
        """Different models that rules lead to."""

    def model(self) -> FoundModel:
        """Who sells the model at the price of the name, the model, and the rules that found it."""
        if passed := self.makers_model():
            return passed
        for seller in self.sellers:
            if found := self.stated(seller, self.name):
                return FoundModel(seller, found)
        for seller in self.sellers:
            owners = self.owners(seller)
            if len(owners) == 1:
                return FoundModel(seller, *next(iter(owners.values())))
            if owners:
                self.rivals = [(seller, owner) for owner in owners]
                break
        return FoundModel()

    def makers_model(self) -> FoundModel | None:
        """What the name, or what it reads as, means where the provider passes on its maker's price."""
        seller = self.sellers[0] if self.sellers else ""
        if not self.directory.makers(seller) or self.is_sellers_own(seller):
            return None
        for name, steps in self.readings(seller, _SAME):
            if passed := self.passed_on(seller, name):
                return passed._replace(steps=(*steps, *passed.steps))
            if self.stated(seller, name) or self.directory.passes_on(seller, name)[0]:
                break  # the maker's own rules have read it: no name is worth doing that more than once
        return None

    def is_sellers_own(self, seller: str) -> bool:
        """Whether the name, which states nothing itself, reads as what the seller has a price of its own for:
        agreed with those of the scope, or excepted from what it passes on."""
        if self.stated(seller, self.name):
            return False
        read = [own for name, _ in self.readings(seller, _SAME) if (own := self.stated(seller, name))]
        return any(self.directory.keeps(seller, own.owner) or self.is_agreed(seller, own) for own in read)

    def is_agreed(self, seller: str, own: Claim) -> bool:
        """Whether a price of their own of what the seller sells is in force for those of the scope."""
        agreed = self.directory.agreed(seller, own.owner, self.scope)
        return self.any_holds(price.when for price in agreed)

    def passed_on(self, seller: str, name: str, *, by_rules: bool = True) -> FoundModel | None:
        """The maker's model, where the seller sells what the name means at the maker's price. Where those of
        the scope agreed on a price with the seller, that and the seller's own list count. `by_rules`: also
        where rules lead to it at the maker."""
        own = self.stated(seller, name)
        if own and self.is_agreed(seller, own):
            return None
        for text in dict.fromkeys((name, own.owner if own else name)):
            writes, rest = self.directory.passes_on(seller, text)
            maker = self.provider(writes) if writes else None
            if maker is None:
                continue
            there = _Search(self.directory, rest, (seller, maker.owner), self.scope, self.time)
            found = there.of_maker(by_rules)
            self.narrow(there.since, there.until)
            if found and self.directory.is_everybodys(maker.owner, found[0].owner):
                sold = self.stated(seller, f"{writes}/{found[0].owner}")
                if sold and not own and self.is_agreed(seller, sold):
                    return FoundModel(seller, sold, found[1])
                return FoundModel(maker.owner, *found, own.owner if own else f"{writes}/{found[0].owner}")
        return None

    def of_maker(self, by_rules: bool) -> tuple[Claim, Steps] | None:
        """The one model of the last of the sellers that the name means."""
        if claim := self.stated(self.sellers[-1], self.name):
            return claim, ()
        owners = self.owners(self.sellers[-1]) if by_rules else {}
        return next(iter(owners.values())) if len(owners) == 1 else None

    def stated(self, seller: str, name: str) -> Claim | None:
        """Whose name it is, by 1."""
        key = seller, name
        if key not in self.known_names:
            self.known_names[key] = self._stated(seller, name)
        return self.known_names[key]

    def _stated(self, seller: str, name: str) -> Claim | None:
        for alias in self.directory.aliases(seller, name):
            self.met(alias)
        if found := self.directory.exact(seller, name, self.scope, self.time):
            return found
        match, closed = self.directory.match(seller, name)
        return match if closed else None

    def owners(self, seller: str) -> dict[str, tuple[Claim, Steps]]:
        """The models that the name reads as at a seller by what leaves the price as it is: one, or it is
        ambiguous."""
        found: dict[str, tuple[Claim, Steps]] = {}
        for name, steps in self.readings(seller, _SAME):
            if steps and (claim := self.stated(seller, name)):
                found.setdefault(claim.owner, (claim, steps))
        match, _ = self.directory.match(seller, self.name)
        serving = any(step.rule.batch or step.rule.tier for _, steps in found.values() for step in steps)
        if match and match.owner not in found and not serving:  # no match speaks of a way of serving
            for name, steps in self.readings(seller, _MATCHED):
                claim = self.stated(seller, name) if steps else None
                if claim and claim.owner == match.owner:
                    found[match.owner] = match, steps
                    break
            else:
                if found:  # the match alone prices nothing, and yet says that it is another
                    found[match.owner] = match, ()
        if len(found) > 1:  # what a rule reads any name as says less than any other
            any_name = {owner for owner, (_, steps) in found.items() if steps and steps[-1].reads_any_name}
            return {owner: how for owner, how in found.items() if owner not in any_name} or found
        return found

    def readings(self, seller: str, costs: Collection[str]) -> Iterator[tuple[str, Steps]]:
        """All that the name reads as by rules of those costs, with how, the fewest steps first; what is
        stated is read no further, and nothing is worked out that nobody asks for."""
        provider = self.sellers[0]
        found: dict[str, Steps] = {self.name: ()}
        queue = deque([self.name])
        while queue:
            name = queue.popleft()
            yield name, found[name]
            if found[name] and self.stated(seller, name):
                continue
            for each, step in self.steps(name):
                fits = each.rule.costs in costs and each.is_for(provider, seller)
                if fits and step.name not in found and len(found) < READINGS_MAX:
                    found[step.name] = (*found[name], step)
                    queue.append(step.name)

    def steps(self, name: str) -> list[tuple[CompiledRule, NameStep]]:
        """What a name reads as by one rule, of each that is in force."""
        known = self.known_steps.get(name)
        if known is None:
            known = self.known_steps[name] = []
            for each in self.directory.rules(self.sellers):
                for step in each.readings(name, self.is_seller):
                    if self.met(each.rule):
                        known.append((each, step))
        return known

    def region(self, taken: Steps) -> str:
        """The region that the name says: by the rules that were taken, else by any for just this name."""
        if not taken:
            rules = (each for each in self.directory.rules(self.sellers) if each.says_region)
            taken = tuple(
                step
                for each in rules
                if holds(each.rule, self.time)
                for step in each.readings(self.name, self.is_seller)
            )
        return next((step.region for step in taken if step.region), "")

    def as_written(self) -> Iterator[str]:
        """The name, and all that it reads as by rules that leave the price as it is."""
        if not self.sellers:
            return iter((self.name,))
        return (name for name, _ in self.readings(self.sellers[0], _SAME))

    def is_seller(self, text: str) -> bool:
        """Whether a text names the provider, or one whose models it resells."""
        claim = self.provider(text)
        return claim is not None and claim.owner in self.sellers

    def provider(self, text: str) -> Claim | None:
        """Whom a text names."""
        self.narrow_by_provider(text)
        return self.directory.provider(text, self.scope, self.time)[0]

    def bounds(self) -> NameBounds:
        """What bounds the price of a name that is no model's."""
        found = self.near()
        if not self.sellers:  # whoever that is may have the models on its own machines
            return found
        families = dict.fromkeys(map(family_as_sold, self.as_written()))  # without an effort, and so on
        kin = self.directory.siblings.of(self.name, families, self.sellers, found.trust != "with_family")
        enough = found.trust == "with_all" and kin.tiers and (found.near or not kin.alone)
        return found._replace(kin=kin, trust="with_family" if enough else found.trust)

    def near(self) -> NameBounds:
        """The models that the name leads to, and whether they alone bound it."""
        if found := self.unconfirmed():
            return found
        if self.rivals:
            names = " or ".join(sorted(sku for _, sku in self.rivals))
            return NameBounds(tuple(Near(sku, Decimal(1)) for sku in self.rivals), f"it may be {names}")
        if found := self.by_rules():
            return found
        makers = list(self.makers())
        for sellers, name in makers:
            if found := self.at_maker(sellers, name):
                return found
        named = tuple(seller for sellers, _ in makers for seller in sellers)
        found = NOTHING_NEAR
        for name in islice(self.as_written(), CONTAINED_IN_MAX):
            by = self.contained(name, named)
            if by.near and by.trust == "sure":
                return by
            own = self.contained(name, (), anybodys=False) if by.near else by
            if own.near and own.trust == "sure":
                return own._replace(near=tuple(dict.fromkeys((*own.near, *by.near))))
            found = found if found.near else by
        return found

    def at_maker(self, sellers: tuple[str, ...], name: str) -> NameBounds | None:
        """What the rest of the name means at the maker that it writes in front: its price, and that of
        whoever else sells the model, which may be more; None = it is no name there."""
        there = _Search(self.directory, name, sellers, self.scope, self.time)
        seller, model, *_ = there.model()
        found = None if model else there.by_rules()
        self.narrow(there.since, there.until)  # by all that was asked there
        if not model:
            return found
        spoken = self.directory.contained.spoken_of(name, ())
        others = {sku for each in spoken if each.alone and not each.dearer for sku in each.skus}
        skus = [(seller, model.owner), *sorted(others - {(seller, model.owner)})]
        near = tuple(Near(sku, Decimal(1)) for sku in skus)
        return NameBounds(near, f"its name contains {model.owner} of {sellers[0]}")

    def contained(self, name: str, makers: tuple[str, ...], anybodys: bool = True) -> NameBounds:
        """The models whose names stand in a name: of the provider, else of the makers that it writes, else
        anybody's."""
        spoken = self.directory.contained.spoken_of(name, (*self.sellers, *makers), anybodys)
        skus = sorted({self.sold(*sku) or sku for each in spoken for sku in each.skus})
        if not skus:
            return NOTHING_NEAR
        names = " and ".join(dict.fromkeys(each.name for each in spoken))
        dearer, alone = {each.dearer for each in spoken} - {""}, all(each.alone for each in spoken)
        says = f"its name contains {names}" + (f", and says {min(dearer)}" if dearer else "")
        lone = any(len(each.sellers) == 1 and each.sellers.isdisjoint(self.sellers) for each in spoken)
        trust: Trust = "with_all" if dearer or lone else "sure" if alone else "with_family"
        at_most = DEARER if dearer - {OTHER_SIZE} else Decimal(1)
        return NameBounds(tuple(Near(sku, at_most) for sku in skus), says, trust)

    def unconfirmed(self) -> NameBounds | None:
        """The name, or what it reads as by rules that leave the price as it is, where one public list alone
        has it; and its latest release, of which the list may state what it leaves out here (a long price)."""
        for seller in self.sellers:
            for name, _ in self.readings(seller, _SAME):
                if source := self.directory.unconfirmed(seller, name):
                    known = [n for n in (name, f"{name}-latest") if self.directory.unconfirmed(seller, n)]
                    near = tuple(Near((seller, each), Decimal(1), unconfirmed=True) for each in known)
                    return NameBounds(near, f"one public list alone has this model ({source})")
        return None

    def by_rules(self) -> NameBounds | None:
        """The models that the name reads as by any rules at the first of the sellers where it does, and the
        first rule of which nobody knows what it does to the price: one that is for matches alone only where
        no other leads there."""
        for seller in self.sellers:
            found: dict[Near, NameStep] = {}
            for name, steps in self.readings(seller, _ANY):
                if steps and (sku := self.sold(seller, name)):
                    doubts = [step for step in steps if step.rule.costs != "same"]
                    doubts.sort(key=lambda step: step.rule.costs != "as_matched")
                    at_most = prod((Decimal(step.rule.at_most) for step in steps), start=Decimal(1))
                    near = Near(sku, at_most)
                    if doubts and (near not in found or doubts[0].rule.costs == "unknown"):
                        found[near] = doubts[0]
            if found:
                rule = next(iter(found.values())).rule
                trust: Trust = "sure" if rule.costs == "unknown" else "with_family"
                return NameBounds(tuple(found), f"{rule.says} (names/{rule.name})", trust)
        return None

    def sold(self, seller: str, name: str) -> Sku | None:
        """The sku that prices a name at a seller: its maker's, if that is passed on and says no serving."""
        claim = self.stated(seller, name)
        passed = self.passed_on(seller, name, by_rules=claim is not None)
        if passed and passed.model and not any(step.rule.tier or step.rule.batch for step in passed.steps):
            return passed.seller, passed.model.owner
        return (seller, claim.owner) if claim else None

    def makers(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The providers that the name itself writes in front of a model, each with those whose models it
        resells, and what stands behind."""
        for mark in re.finditer(r"[/:]", self.name):
            text = re.split(r"[/:]", self.name[: mark.start()])[-1]
            claim = self.provider(text)
            if claim and mark.end() < len(self.name):
                yield self.directory.sellers(claim.owner), self.name[mark.end() :]

    def narrow_by_provider(self, text: str) -> None:
        """Whom a text names may be a matter of time as well."""
        for rule in self.directory.dated_provider_rules(text):
            self.met(rule)
