"""Which model a name means: aliases, matches, families. The names are data; only the rules stand here."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from spendmeter.contracts.catalog import MATCH_STARS_MAX, Model, Provider
from spendmeter.pricing.conditions import CatalogError

PATTERNS_MAX = 20_000
"""Matches kept compiled: a catalog's few thousand, and what is proposed."""
SAYS_NO_LINE = frozenset("latest preview exp experimental us eu apac jp au in global regional v".split())


@lru_cache(PATTERNS_MAX)
def matcher(match: str) -> re.Pattern[str]:
    """`*` is anything, `#` one digit, all else itself."""
    if match != match.lower() or match.count("*") > MATCH_STARS_MAX:
        raise CatalogError(f"match {match!r} must be lower case, with at most {MATCH_STARS_MAX} stars")
    return re.compile(re.escape(match).replace(r"\*", ".*").replace(r"\#", "[0-9]"), re.DOTALL)


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the matches means `name`."""
    return any(matcher(pattern).fullmatch(name) for pattern in patterns)


class Claim(NamedTuple):
    """Whose a name is, and the name or match of which entry says so."""

    owner: str
    by: str
    entry: str


class _Match(NamedTuple):
    """A match, compiled."""

    match: str
    part: str
    """Text that every name like it has: quickly asked."""
    pattern: re.Pattern[str]
    unless: tuple[re.Pattern[str], ...]
    owner: str


class Names:
    """The names of one kind of thing: exact ones first, then matches, the longer before the shorter."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}
        self._matches: list[_Match] = []

    def add_name(self, name: str, owner: str, entry: str) -> None:
        """`name` is `owner`'s own. Raises CatalogError where another entry says otherwise."""
        name = name.lower()
        before, by = self._owners.setdefault(name, (owner, entry))
        if before != owner:
            raise CatalogError(f"entries {by} and {entry} both claim {name!r}: {before} and {owner}")

    def add_match(self, match: str, unless: tuple[str, ...], owner: str, entry: str) -> None:
        """Names like `match`, but for those like one of `unless`, are `owner`'s."""
        self.add_name(match, owner, entry)
        part = max(re.split(r"[*#]", match), key=len)
        self._matches.append(_Match(match, part, matcher(match), tuple(map(matcher, unless)), owner))

    def seal(self) -> None:
        """Nothing more comes: order the matches."""
        self._matches.sort(key=lambda each: (-len(each.match.strip("*")), each.match))

    def exactly(self, name: str) -> Claim | None:
        """Whose name that is, as somebody states it."""
        found = self._owners.get(name)
        return Claim(found[0], name, found[1]) if found else None

    def like(self, name: str) -> Claim | None:
        """Whose match takes the name."""
        for match, part, pattern, unless, owner in self._matches:
            if part not in name or not pattern.fullmatch(name):
                continue
            if not any(other.fullmatch(name) for other in unless):
                return Claim(owner, match, self._owners[match][1])
        return None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every name, and every match without what it leaves open, with its owner."""
        for name, (owner, _) in self._owners.items():
            if "#" not in name and "*" not in name.strip("*"):
                yield name.strip("*"), owner


def provider_names(providers: Iterable[Provider]) -> Names:
    """Who is meant by a provider's name; lower case."""
    names = Names()
    for provider in providers:
        owner = provider.provider.lower()
        names.add_name(owner, owner, provider.id)
        for match in provider.match:
            names.add_match(match, (), owner, provider.id)
    names.seal()
    return names


def model_names(models: Iterable[Model]) -> Names:
    """Who is meant by a model's name, of one provider; lower case."""
    names = Names()
    for model in models:
        owner = model.sku.lower()
        names.add_name(owner, owner, model.id)
        for alias in model.aliases:
            names.add_name(alias, owner, model.id)
        for match in model.match:
            names.add_match(match, model.unless, owner, model.id)
    names.seal()
    return names


MAKERS = re.compile(r"^(?:[a-z]+(?:-[a-z]+)*\.)+(?=[a-z])")
"""Who made it and where it is, as Bedrock writes them in front: regional.anthropic.claude-haiku-4-5."""
_SIZE = r"(?<![a-z0-9.])[ae]?[0-9]+(?:[.x][0-9]+)*b(?![a-z0-9])"
"""Parameters, in billions: 70b, 8x7b, e4b, a3b, 1.5b."""
_SAYS_LINE = re.compile(rf"{_SIZE}|[a-z]+")


def family(sku: str) -> str:
    """The line that a name belongs to: "claude-opus" for claude-opus-4-1-20250805, "llama-70b-instruct" for
    meta.llama3-3-70b-instruct-v1:0.

    New models are named like their siblings: the words and the size say which line; versions, dates, regions,
    "latest" and who made it do not.
    """
    words = _SAYS_LINE.findall(MAKERS.sub("", _dotted(sku)))
    return "-".join(word for word in words if word not in SAYS_NO_LINE)


def family_as_sold(name: str) -> str:
    """The line of a name as a seller writes it: those of others' models put the maker in front
    (moonshotai/kimi-k3)."""
    return family(name.rpartition("/")[2])


def sizes(name: str) -> frozenset[str]:
    """The sizes that a name says: 70b of llama-v3p3-70b-instruct."""
    return frozenset(re.findall(_SIZE, _dotted(name)))


Version = tuple[int, int]
_NO_VERSION = re.compile(rf"{_SIZE}|20[0-9]{{2}}-?[0-9]{{2}}-?[0-9]{{2}}(?![0-9])")
_VERSION = re.compile(r"(?<![0-9])([0-9]{1,4})(?:[.-]([0-9]{1,2}))?(?![0-9km])")


def version(name: str) -> Version | None:
    """The version that a name says, as two numbers: 4.5 of claude-haiku-4-5-20251001, 2411 of
    mistral-large-2411; None = it says none."""
    found = _VERSION.search(_NO_VERSION.sub("", _dotted(name.rpartition("/")[2])))
    return (int(found[1]), int(found[2] or 0)) if found else None


KINDS = {"*embed": "embedding models", "*rerank": "rerankers"}
"""What a name says of its kind, and what people call it: those cost much less than chat."""


def kind_of(name: str) -> str:
    """The kind that a name says; '' = none."""
    return next((kind for kind in KINDS if kind.strip("*") in name.lower()), "")


def billions(name: str) -> float:
    """How many billion parameters a name says that a model has: 0 = it says none, and 235 of 235b-a22b."""
    return max((float(re.findall(r"[0-9]+(?:[.][0-9]+)?", size)[-1]) for size in sizes(name)), default=0.0)


def _dotted(name: str) -> str:
    """In lower case; some sellers write a p for a dot: llama-v3p3, kimi-k2p6."""
    return re.sub(r"(?<=[0-9])p(?=[0-9])", ".", name.lower())


_SAYS_NO_MODEL = re.compile(r"(?:[-@]20\d{2}-?\d{2}-?\d{2}|-latest)$")


def spelling(name: str) -> str:
    """What tells a model apart, however it is written: without who sells it in front, a date or "latest" at
    the end, dashes, dots. Two names of one spelling are probably one model ("openai/GPT-4.1",
    "gpt-4-1-2026-11-01")."""
    return re.sub(r"[^a-z0-9]", "", _SAYS_NO_MODEL.sub("", name.lower().rpartition("/")[2]))
