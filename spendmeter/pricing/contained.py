"""Known names inside of unknown ones ("my-gpt-4o-prod"): which models a name speaks of, to bound its price.

A name is cut into words and numbers, so that "gpt4o" and "GPT-4o" are one; a known name stands where it
neither begins nor ends inside of a word. Of names that lie within one another the longest counts
(gpt-4o-mini-x is no gpt-4o). Nothing is ever priced by this.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from spendmeter.pricing.names import MAKERS, SAYS_NO_LINE, sizes
from spendmeter.pricing.price_lists import Sku

ANYWHERE_MIN = 5
"""Characters of a name that is looked for whoever sells it; it has a digit. Shorter ones are anybody's."""
VERSION_DIGITS_MAX = 2
WORDS_MAX = 48
"""Words and numbers of a name that are looked at: a sender could write a hundred."""
_WORD = re.compile(r"[a-z]+|[0-9]+")
_VARIANT = re.compile(r":[a-z]+$")
"""A way of having a model (`:free`, `:batch`): no name that another name would contain by chance."""

_SAYS_EFFORT = frozenset("thinking reasoning minimal low high xhigh".split())
_SAYS_DEARER = frozenset("turbo pro max ultra large xl plus fast highspeed priority hd".split())
"""Of a variant that usually costs more than the model whose name it has."""

Words = tuple[str, ...]


class Spoken(NamedTuple):
    """A model that a name speaks of, by which of its names."""

    name: str
    skus: frozenset[Sku]
    sellers: frozenset[str]
    """Who sells it."""
    alone: bool
    """Whether what stands around it is no word of any model, nor goes on as a version would."""
    dearer: bool
    """Whether what stands around it says a variant that costs more, or one of another size."""


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
                if MAKERS.match(name):  # as Bedrock writes it: looked for at Bedrock alone
                    self._of_makers.add(spelling)
            self._vocabulary.update(_WORD.findall(MAKERS.sub("", name.rpartition("/")[2])))
        self._longest = max(map(len, self._known), default=0)

    def spoken_of(self, name: str, sellers: tuple[str, ...], anybodys: bool = True) -> list[Spoken]:
        """The models that a name (lower case) speaks of: each that stands there, of the first of the sellers
        who has one of that name, else `anybodys`."""
        words = islice(_WORD.finditer(name), WORDS_MAX)
        found = [(each.start(), each.end(), each[0]) for each in words]
        spans: list[tuple[int, int]] = []
        for first in range(len(found)):
            if first and found[first - 1][1] == found[first][0]:
                continue  # inside of a word
            for last in range(min(len(found), first + self._longest), first, -1):
                if last < len(found) and found[last - 1][1] == found[last][0]:
                    continue
                whose = self._sellers(tuple(word for *_, word in found[first:last]), sellers)
                if whose and (anybodys or whose.keys() <= set(sellers)):
                    if not any(start <= first and last <= end for start, end in spans):
                        spans.append((first, last))
                    break
        return [self._spoken(name, found, span, sellers) for span in spans]

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
        name: str,
        found: list[tuple[int, int, str]],
        span: tuple[int, int],
        sellers: tuple[str, ...],
    ) -> Spoken:
        first, last = span
        words = tuple(word for *_, word in found[first:last])
        known = self._sellers(words, sellers)
        text = name[found[first][0] : found[last - 1][1]]
        around = {word for *_, word in (*found[:first], *found[last:]) if word.isalpha()}
        around -= SAYS_NO_LINE | _SAYS_EFFORT
        goes_on = last < len(found) and found[last][2].isdigit() and len(found[last][2]) <= VERSION_DIGITS_MAX
        return Spoken(
            self._written[words],
            frozenset((seller, sku) for seller, skus in known.items() for sku in skus),
            frozenset(known),
            not (around & self._vocabulary or goes_on),
            bool(around & _SAYS_DEARER) or not sizes(name) <= sizes(text),
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
