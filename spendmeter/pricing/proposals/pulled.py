"""What may be brought into force from other people's price lists without anybody looking: very little. Pure.

A price list is somebody else's word. A model that is new in it is approved by itself only where it could harm
nobody: it is an exact name that nobody had, it takes no other name, a second list says the same, and it costs
about what its family costs. Everything else is proposed, and a person decides.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from statistics import median
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import ANY, CatalogEntry, Conditions, Model, Price
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.names import family_as_sold, matches_any
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.scope import is_everybodys

POLICY = "new-exact-two-sources"
"""What an approval by this policy is called in the catalog's history."""
APART_MAX = Fraction(1, 100)
"""Two lists say the same where they differ by no more than this."""
FAMILY_TIMES_MAX = 3
"""Of the family's median: more, or less than its inverse, is for a person to look at."""
FAMILY_LEAST = 2
"""Models of a family that have a price, without which there is no median worth the name."""
NEW_MODELS_MAX = 50
"""That one pull may approve, of all its lists together; a vendor adds a handful in a week."""

UsedName = tuple[str, str]
"""A provider and a model, as events name them."""


class PulledModel(Struct, frozen=True, kw_only=True):
    """What becomes of a model that a list has and the catalog has not."""

    provider: str
    sku: str
    source: str
    second: str = ""
    """The list that says the same."""
    why_not: str = ""
    """'' = approved by the policy."""


class Pulled(NamedTuple):
    """The verdicts, and the entries of those that are approved: a bare name and its prices, each."""

    models: list[PulledModel]
    approved: list[CatalogEntry]


class _Stated(NamedTuple):
    """What a list says of one model."""

    models: list[Model]
    prices: list[Price]


class PullPolicy:
    """`PullPolicy(snapshot, names seen in usage, lists by source, now).judge(source)`."""

    def __init__(
        self,
        snapshot: CatalogSnapshot,
        used: Iterable[UsedName],
        lists: Mapping[str, Sequence[CatalogEntry]],
        now: datetime,
    ) -> None:
        self._book, self._now = snapshot.book, now
        self._used = {name.lower() for _, name in used}
        self._lists = {source: by_sku(snapshot.book, entries) for source, entries in lists.items()}
        self._ever = {_sku_of(entry) for entry in snapshot.entries.values()} - {None}
        self._medians = _medians(snapshot.book, now)
        self._approved = 0

    def judge(self, source: str, only: Iterable[Sku] | None = None) -> Pulled:
        """Every model of a list that the catalog does not know (of `only` these). Each list once: what is
        approved counts against NEW_MODELS_MAX."""
        found = Pulled([], [])
        for sku, stated in sorted(self._lists[source].items()):
            if sku in self._ever or not stated.prices or (only is not None and sku not in only):
                continue
            second, why_not = self._second(source, sku, stated)
            why_not = self._why_not(sku, stated) or why_not
            found.models.append(
                PulledModel(provider=sku[0], sku=sku[1], source=source, second=second, why_not=why_not)
            )
            if not why_not:
                found.approved.extend(_bare(sku, stated))
        approved = sum(not model.why_not for model in found.models)
        if self._approved + approved > NEW_MODELS_MAX:
            reason = f"the list has more than {NEW_MODELS_MAX} such models at once"
            if self._approved:
                reason = f"with {self._approved} of other lists there are more than {NEW_MODELS_MAX} at once"
            return Pulled([replace(each, why_not=each.why_not or reason) for each in found.models], [])
        self._approved += approved
        return found

    def entries(self, source: str, skus: Iterable[Sku]) -> list[CatalogEntry]:
        """What a list says of these models, by their bare names."""
        return [entry for sku in sorted(skus) for entry in _bare(sku, self._lists[source][sku])]

    def _why_not(self, sku: Sku, stated: _Stated) -> str:
        """What is wrong with the model itself; '' = nothing."""
        meaning = self._book.meaning("", *sku)
        if meaning.provider is None:
            return f"no provider {sku[0]} is known"
        if meaning.model is not None:
            return f"its name means {meaning.seller}/{meaning.model.owner} today"
        for model in stated.models:
            for name in self._used - {sku[1]}:
                if _claims(model, name):
                    return f"it claims the name {name}, which usage has"
        for price in stated.prices:
            if reason := self._odd(sku, price):
                return f"{price.unit}: {reason}"
        return ""

    def _odd(self, sku: Sku, price: Price) -> str:
        if price.kind != "list" or price.layer != "public" or not is_everybodys(price):
            return "is not everybody's list price"
        if price.currency != "USD":
            return f"is in {price.currency}"
        if price.minimum != "0" or price.maximum is not None or price.per_event or price.when.windows:
            return "has a least, a most, a fee a call or hours"
        if not price.per_unit:
            return "costs 0"
        middle = self._medians.get((family_as_sold(sku[1]), price.unit))
        if middle is None:
            return "no family has a price to compare it with"
        times = price.per_unit / middle
        if not Fraction(1, FAMILY_TIMES_MAX) <= times <= FAMILY_TIMES_MAX:
            return f"is {float(times):.3g} times the median of its family"
        return ""

    def _second(self, source: str, sku: Sku, stated: _Stated) -> tuple[str, str]:
        """Another list that says the same of each price, or what the last one says otherwise."""
        why_not = "no second list has it"
        for other, listed in self._lists.items():
            if other == source or not (there := listed.get(sku)) or not there.prices:
                continue
            if reason := _differs(stated, there, self._now):
                why_not = f"{other} says otherwise: {reason}"
            else:
                return other, ""
        return "", why_not


def by_sku(book: PriceBook, entries: Iterable[CatalogEntry]) -> dict[Sku, _Stated]:
    """What a list says, by our name of the provider and the exact name of the model, lower case."""
    found: dict[Sku, _Stated] = defaultdict(lambda: _Stated([], []))
    providers: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, Model | Price):
            name = entry.provider.lower()
            if name not in providers:
                claim = book.meaning("", name, entry.sku).provider
                providers[name] = claim.owner if claim else name
            stated = found[providers[name], entry.sku.lower()]
            if isinstance(entry, Model):
                stated.models.append(entry)
            else:
                stated.prices.append(entry)
    return found


def without_a_price(book: PriceBook, used: Iterable[UsedName]) -> set[Sku]:
    """What is used and means no model of the catalog, by our name of the provider."""
    found = set()
    for provider, name in used:
        meaning = book.meaning("", provider, name)
        if meaning.provider is not None and meaning.model is None:
            found.add((meaning.provider.owner, name.lower()))
    return found


def _sku_of(entry: CatalogEntry) -> Sku | None:
    return (entry.provider.lower(), entry.sku.lower()) if isinstance(entry, Model | Price) else None


def _claims(model: Model, name: str) -> bool:
    """Whether a name would mean it; also where a match is none that the catalog takes."""
    try:
        return name in {alias.lower() for alias in model.aliases} or (
            matches_any(model.match, name) and not matches_any(model.unless, name)
        )
    except CatalogError:
        return True


def _bare(sku: Sku, stated: _Stated) -> list[CatalogEntry]:
    """A model by its exact name alone, and its prices: whatever else it is called, a person decides."""
    like = (stated.models or stated.prices)[0]
    model = Model(provider=sku[0], sku=sku[1], source=like.source, recorded_at=like.recorded_at, by=like.by)
    prices = [identified(replace(price, provider=sku[0], sku=sku[1], id="")) for price in stated.prices]
    return [identified(model), *prices]


def _differs(stated: _Stated, other: _Stated, now: datetime) -> str:
    """A price of which the second list says something else, or nothing, or one that it has beside them,
    without which the unit would cost what its parent costs; '' = there is none."""
    theirs: dict[tuple[str, Conditions], list[Price]] = defaultdict(list)
    for price in other.prices:
        if price.when.in_force(now):
            theirs[price.unit, price.when.without_dates()].append(price)
    for price in stated.prices:
        same = theirs.get((price.unit, price.when.without_dates()), [])
        if not same:
            return f"no {price.unit} under these conditions"
        for each in same:
            if each.currency != price.currency or apart(price.per_unit, each.per_unit) > APART_MAX:
                return f"{each.price} per {each.per:,} {price.unit}"
    more = {unit for unit, when in theirs if when == ANY} - {price.unit for price in stated.prices}
    return f"it prices {min(more)} too" if more else ""


def apart(one: Fraction, other: Fraction) -> Fraction:
    """How far two amounts are from one another, of the larger; 0 = equal."""
    most = max(one, other)
    return abs(one - other) / most if most else Fraction(0)


def _medians(book: PriceBook, now: datetime) -> dict[tuple[str, str], Fraction]:
    """What one unit costs in the middle of each family, by line and unit; of a price list by length, what
    the short requests cost."""
    amounts: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    for (_, sku), prices in book.prices.items():
        for price in prices:
            short = replace(price.when.without_dates(), context_max=None, context_max_inclusive=True)
            plain = short == ANY and price.when.in_force(now)
            public = price.layer == "public" and is_everybodys(price)
            if plain and public and price.currency == "USD" and price.per_unit:
                amounts[family_as_sold(sku), price.unit].append(price.per_unit)
    return {key: median(found) for key, found in amounts.items() if key[0] and len(found) >= FAMILY_LEAST}
