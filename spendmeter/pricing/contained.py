"""Known names inside of unknown ones ("my-gpt-4o-prod"): which models a name speaks of, to bound its price.

A name is cut into words and numbers, so that "gpt4o" and "GPT-4o" are one; a known name stands where it
neither begins nor ends inside of a word. Of names that lie within one another the longest counts
(gpt-4o-mini-x is no gpt-4o). Nothing is ever priced by this.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from spendmeter.pricing.names import MAKERS, SAYS_NO_LINE, sizes
from spendmeter.pricing.price_lists import Sku

ANYWHERE_MIN = 5
"""Characters of a name that is looked for whoever sells it; it has a digit. Shorter ones are anybody's."""
VERSION_DIGITS_MAX = 2
WORDS_MAX = 48
"""Words and numbers of a name that are looked at: a sender could write a hundred."""
OTHER_SIZE = "another size"
_WORD = re.compile(r"[a-z]+|[0-9]+")
_SAYS_NOTHING = re.compile(
    r"(?<![a-z0-9])v(?=[0-9])|(?<=[0-9])p(?=[0-9])|(?<![a-z])meta(?=[-._ ]?llama)|-v[0-9]+:[0-9]+$"
)
"""What sellers write about one model's version and maker in different ways: llama-v3p1-405b,
meta-llama-3.1-405b and meta.llama3-1-405b-v1:0 are one."""
_VARIANT = re.compile(r":[a-z]+$")
"""A way of having a model (`:free`, `:batch`): no name that another name would contain by chance."""

_SAYS_EFFORT = frozenset("thinking reasoning minimal low high xhigh".split())
_SAYS_DEARER = frozenset("turbo pro max ultra large huge xl plus fast highspeed priority hd".split())
"""Of a variant that usually costs more than the model whose name it has."""

Words = tuple[str, ...]


class Spoken(NamedTuple):
    """A model that a name speaks of, by which of its names."""

    name: str
    skus: frozenset[Sku]
    sellers: frozenset[str]
    """Who sells it."""
    alone: bool
    """Whether what stands around it is no word of any model."""
    dearer: str
    """What stands around it and says a variant that costs more, or OTHER_SIZE; '' = nothing does."""


class Contained:
    """`Contained(names)`: public names (lower case), whose sku each is, a seller each."""

    def __init__(self, names: Iterable[tuple[str, Sku]]) -> None:
        self._known: dict[Words, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._known_here: dict[Words, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """As Bedrock writes a maker and a region in front: looked for at that seller alone."""
        self._written: dict[Words, str] = {}
        self._vocabulary: set[str] = set()
        for name, (seller, sku) in names:
            text = name.rpartition("/")[2]  # sellers of others' models write the maker
            words = tuple(word for *_, word in _words(text))
            if not words or _VARIANT.search(name):
                continue
            known = self._known_here if MAKERS.match(name) and "llama" not in words[:1] else self._known
            for spelling in {words, _together(words)}:
                known[spelling][seller].add(sku)
                self._written.setdefault(spelling, text)
            self._vocabulary.update(_WORD.findall(MAKERS.sub("", name.rpartition("/")[2])))
        self._longest = max(map(len, (*self._known, *self._known_here)), default=0)

    def spoken_of(self, name: str, sellers: tuple[str, ...], anybodys: bool = True) -> list[Spoken]:
        """The models that a name (lower case) speaks of: each that stands there, of the first of the sellers
        who has one of that name, else `anybodys`."""
        found = list(islice(_words(name), WORDS_MAX))
        spans: list[tuple[int, int]] = []
        for first in range(len(found)):
            if first and found[first - 1][1] == found[first][0]:
                continue  # inside of a word
            for last in range(min(len(found), first + self._longest), first, -1):
                if last < len(found) and found[last - 1][1] == found[last][0]:
                    continue
                if last < len(found) and _is_version(found[last - 1][2]) and _is_version(found[last][2]):
                    continue  # gpt-5.9 is no gpt-5
                whose = self._sellers(tuple(word for *_, word in found[first:last]), sellers)
                if whose and (anybodys or whose.keys() <= set(sellers)):
                    if not any(start <= first and last <= end for start, end in spans):
                        spans.append((first, last))
                    break
        return [self._spoken(name, found, span, sellers) for span in spans]

    def _sellers(self, words: Words, sellers: tuple[str, ...]) -> Mapping[str, set[str]]:
        """Whose name it is: the first of these that has it, else anybody's, where it is no common word."""
        known, here = self._known.get(words, {}), self._known_here.get(words, {})
        for seller in sellers if known or here else ():
            if theirs := known.get(seller, set()) | here.get(seller, set()):
                return {seller: theirs}
        if not known:
            return {}
        text = self._written[words]
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
        return Spoken(
            self._written[words],
            frozenset((seller, sku) for seller, skus in known.items() for sku in skus),
            frozenset(known),
            not around & self._vocabulary,
            min(around & _SAYS_DEARER, default="" if sizes(name) <= sizes(text) else OTHER_SIZE),
        )


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """The words and numbers of a name (lower case), each with where it begins and ends."""
    for each in _WORD.finditer(_SAYS_NOTHING.sub(lambda found: " " * len(found[0]), text)):
        yield each.start(), each.end(), each[0]


def _is_version(word: str) -> bool:
    return word.isdigit() and len(word) <= VERSION_DIGITS_MAX


def _together(words: Words) -> Words:
    """The same with its numbers written together: gpt41 for gpt-4.1."""
    joined: list[str] = []
    for word in words:
        if joined and word.isdigit() and joined[-1].isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return tuple(joined)
