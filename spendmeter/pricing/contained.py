"""Known names inside of unknown ones ("my-gpt-4o-prod"): which models a name speaks of, to bound its price.

A name is cut into words and numbers, so that "gpt4o" and "GPT-4o" are one; a known name stands where it
neither begins nor ends inside of a word. Of names that lie within one another the longest counts
(gpt-4o-mini-x is no gpt-4o). Nothing is ever priced by this.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from spendmeter.pricing.names import SAYS_NO_LINE
from spendmeter.pricing.price_lists import Sku

ANYWHERE_MIN = 5
"""Characters of a name that is looked for whoever sells it; it has a digit. Shorter ones are anybody's."""
VERSION_DIGITS_MAX = 2
_WORD = re.compile(r"[a-z]+|[0-9]+")
_VARIANT = re.compile(r":[a-z]+$")
"""A way of having a model (`:free`, `:batch`): no name that another name would contain by chance."""
_MAKER = re.compile(r"[a-z-]+\.[a-z]")
"""Who made it, as Bedrock writes that in front: looked for at Bedrock alone."""

_SAYS_EFFORT = frozenset("thinking reasoning minimal low high xhigh".split())

Words = tuple[str, ...]


class Spoken(NamedTuple):
    """A model that a name speaks of, by which of its names."""

    name: str
    skus: frozenset[Sku]
    own: bool
    """Whether the provider sells it or resells it."""
    alone: bool
    """Whether what stands around it is no word of any model, nor goes on as a version would."""


class Contained:
    """`Contained(names)`: public names (lower case), whose sku each is, a seller each."""

    def __init__(self, names: Iterable[tuple[str, Sku]]) -> None:
        self._known: dict[Words, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._written: dict[Words, str] = {}
        self._of_makers: set[Words] = set()
        self._vocabulary: set[str] = set()
        for name, (seller, sku) in names:
            words = tuple(_WORD.findall(name.rpartition("/")[2]))  # sellers of others' models write the maker
            if not words or _VARIANT.search(name):
                continue
            for spelling in {words, _together(words)}:
                self._known[spelling][seller].add(sku)
                self._written.setdefault(spelling, name.rpartition("/")[2])
                if _MAKER.match(name):
                    self._of_makers.add(spelling)
            self._vocabulary.update(words)
        self._longest = max(map(len, self._known), default=0)

    def spoken_of(self, name: str, own: tuple[str, ...], makers: tuple[str, ...]) -> list[Spoken]:
        """The models that a name (lower case) speaks of: of the provider and those whose models it resells
        where they have them, else of the makers that it writes, else anybody's; each that stands there."""
        sellers = (*own, *makers)
        found = [(each.start(), each.end(), each[0]) for each in _WORD.finditer(name)]
        spans: list[tuple[int, int]] = []
        for first in range(len(found)):
            if first and found[first - 1][1] == found[first][0]:
                continue  # inside of a word
            for last in range(min(len(found), first + self._longest), first, -1):
                if last < len(found) and found[last - 1][1] == found[last][0]:
                    continue
                if self._sellers(tuple(word for *_, word in found[first:last]), sellers):
                    if not any(start <= first and last <= end for start, end in spans):
                        spans.append((first, last))
                    break
        return [self._spoken(found, span, sellers, own) for span in spans]

    def _sellers(self, words: Words, sellers: tuple[str, ...]) -> Mapping[str, set[str]]:
        """Whose name it is: the first of these that has it, else anybody's, where it is no common word."""
        known = self._known.get(words)
        if not known:
            return {}
        for seller in sellers:
            if seller in known:
                return {seller: known[seller]}
        text = self._written[words]
        if words in self._of_makers:
            return {}
        special = len(text) >= ANYWHERE_MIN and len(words) > 1 and any(map(str.isdigit, words))
        return known if special else {}

    def _spoken(
        self,
        found: list[tuple[int, int, str]],
        span: tuple[int, int],
        sellers: tuple[str, ...],
        own: tuple[str, ...],
    ) -> Spoken:
        first, last = span
        words = tuple(word for *_, word in found[first:last])
        known = self._sellers(words, sellers)
        around = {word for *_, word in (*found[:first], *found[last:]) if word.isalpha()}
        around -= SAYS_NO_LINE | _SAYS_EFFORT
        goes_on = last < len(found) and found[last][2].isdigit() and len(found[last][2]) <= VERSION_DIGITS_MAX
        return Spoken(
            self._written[words],
            frozenset((seller, sku) for seller, skus in known.items() for sku in skus),
            known.keys() <= set(own),
            not (around & self._vocabulary or goes_on),
        )


def _together(words: Words) -> Words:
    """The same with its numbers written together: gpt41 for gpt-4.1."""
    joined: list[str] = []
    for word in words:
        if joined and word.isdigit() and joined[-1].isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return tuple(joined)
