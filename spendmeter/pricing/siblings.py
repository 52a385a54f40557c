"""The siblings of a model that nobody knows: of its family, those of the version nearest to its own.

"claude-haiku-6" is priced like the haiku before it sooner than like all haikus that there ever were, so what
its seller sells counts first, then what anybody sells; and the nearest version before the next one.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from itertools import groupby, islice
from typing import NamedTuple

from spendmeter.pricing.names import Version, billions, family_as_sold, kind_of, version
from spendmeter.pricing.price_lists import PriceLists, Sku

TIERS_MAX = 3
"""Versions that are kept, the nearest first: that a later one bounds needs all before to have no price."""
UNKNOWN = (9_999, 99)
"""The version of a name that says none: the newest is nearest to it."""


SUCCESSOR = Decimal("1.5")
"""Times the price of its nearest sibling that a model of another version may cost. Of the shipped ones that
are newer than all of their family a third cost more than it, a quarter more than 1.5 times as much."""


class Tier(NamedTuple):
    """Skus that are as near in version, and how many times their price a model like them may cost."""

    skus: tuple[Sku, ...]
    at_most: Decimal


class Kin(NamedTuple):
    """Who bounds a model by its family: the dearest of the first of the tiers that has a price."""

    family: str = ""
    tiers: tuple[Tier, ...] = ()
    alone: bool = False
    """Whether it is a single model of somebody else's, who may sell it for little."""


NO_KIN = Kin()


class _Member(NamedTuple):
    sku: Sku
    family: str
    version: Version | None


class Siblings:
    """`Siblings(price lists)`: all public models by the words that their family begins with."""

    def __init__(self, lists: PriceLists) -> None:
        members: dict[Sku, _Member] = {}

        def beginnings(sku: Sku) -> list[tuple[str, ...]]:
            model = lists.models.get(sku)
            family = (model.family if model else "") or family_as_sold(sku[1])
            members[sku] = _Member(sku, family, version(sku[1]))
            words = family.split("-") if family else []
            return [(kind_of(sku[1]), *words[:end]) for end in range(1, len(words) + 1)]

        groups = lists.grouped(beginnings)
        self._members = {words: [members[sku] for sku in skus] for words, skus in groups.items()}

    def of(self, name: str, families: Iterable[str], sellers: Sequence[str], wide: bool) -> Kin:
        """Those of the first of the families that these sellers, else several others have; if `wide`, else of
        the sellers' own that are next to it. A single one of somebody else's counts beside these."""
        asked, kind = version(name), kind_of(name)
        lines = [line for line in families if line]
        others = NO_KIN
        for line in lines:
            members = [each for each in self._like(kind, line.split("-")) if each.family == line]
            if own := [each for each in members if each.sku[0] in sellers]:
                return Kin(line, _tiers(own, asked))
            if members and not others.tiers:
                alone = len({each.sku[1].rpartition("/")[2] for each in members}) == 1
                others = Kin(line, _tiers(members, asked), alone)
        if others.tiers and not others.alone:
            return others
        near = self._next_to(name, lines, sellers) if wide or others.alone else NO_KIN
        if not others.alone or not near.tiers:
            return near if near.tiers else others
        first = Tier(
            near.tiers[0].skus + others.tiers[0].skus, max(near.tiers[0].at_most, others.tiers[0].at_most)
        )
        return Kin(f"{others.family} or {near.family}", (first, *near.tiers[1:]))

    def _next_to(self, name: str, families: Iterable[str], sellers: Sequence[str]) -> Kin:
        """The sellers' own whose family begins with as many of the words of one as any, and that are not of
        less than half the size."""
        for words in (family.split("-") for family in families):
            for end in range(len(words) - 1, 0, -1):
                own = [each for each in self._like(kind_of(name), words[:end]) if each.sku[0] in sellers]
                if own := [each for each in own if 2 * billions(each.sku[1]) >= billions(name)]:
                    return Kin("-".join((*words[:end], "*")), _tiers(own, version(name)))
        return NO_KIN

    def _like(self, kind: str, words: Sequence[str]) -> Sequence[_Member]:
        """All of a kind whose family begins with these words."""
        return self._members.get((kind, *words), ())


def _tiers(members: Collection[_Member], asked: Version | None) -> tuple[Tier, ...]:
    """The skus by how far their versions are from the one that is asked; those that say none last. Of an
    earlier generation the last ones are the nearest, of a later one the first: by number and by digits, for
    4.20 may have come before 4.3."""
    major, minor = asked or UNKNOWN
    versions = sorted({each.version for each in members if each.version})

    def distance(member: _Member) -> tuple[int, int, int]:
        if member.version is None:
            return 1, 0, 0
        generation, own = member.version
        if generation == major:
            return 0, 0, abs(own - minor)
        of_it = [each[1] for each in versions if each[0] == generation]
        places = (sorted(of_it, key=how, reverse=generation < major).index(own) for how in (int, str))
        return 0, abs(generation - major), min(places)

    groups = groupby(sorted(members, key=lambda each: (distance(each), each.sku)), key=distance)
    return tuple(
        Tier(tuple(each.sku for each in group), SUCCESSOR if asked and any(far) else Decimal(1))
        for far, group in islice(groups, TIERS_MAX)
    )
