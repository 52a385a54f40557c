"""Rules by which names are also written, compiled: what a name reads as by each of them. The rules are data.

A pattern is lower-case text with `{name}` (some text), `{rest}` (any or none), `{provider}` (a name of the
seller), `{region}` (a cloud's region), `#` (a digit) and `*` (anything). What it reads as repeats `{name}`,
`{rest}` and the digits.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from spendmeter.contracts.catalog import MATCH_STARS_MAX, NameRule
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.dates import holds, one_at_a_time
from spendmeter.pricing.names import matcher

PATTERNS_MAX = 1_024
"""Compiled patterns that are remembered: each publication makes its books of mostly the same rules."""

_SIGN = re.compile(r"\{[^}]*\}|#|\*")
_MEANS = {
    "{name}": "(?P<name>.+?)",
    "{rest}": "(?P<rest>.*)",
    "{provider}": "(?P<provider>[^/:]+)",
    "{region}": "(?P<region>[a-z]+-[a-z-]+-?[0-9]+|global|us|eu)",
    "#": "([0-9])",
    "*": ".*?",
}
_REPEATED = frozenset({"{name}", "{rest}", "#"})
_NAMED = frozenset({"name", "rest", "provider", "region"})


class NameStep(NamedTuple):
    """One rule's turn: what a name reads as, the rule that says so, and the region that the name says."""

    name: str
    rule: NameRule
    region: str = ""

    @property
    def reads_any_name(self) -> bool:
        """Whether all names that the rule reads are one: it repeats nothing of them."""
        return "{" not in self.rule.becomes


class CompiledRule:
    """`CompiledRule(rule)`. Raises CatalogError for a pattern that says nothing."""

    __slots__ = ("_patterns", "_providers", "_unless", "rule")

    def __init__(self, rule: NameRule) -> None:
        self.rule = rule
        self._providers = frozenset(map(str.lower, rule.providers))
        self._unless = tuple(map(matcher, rule.unless))
        self._patterns = tuple(_pattern(rule.name, match, rule.becomes) for match in rule.match)

    @property
    def says_region(self) -> bool:
        """Whether a name that it reads says where it is served."""
        return bool(self.rule.region) or any("{region}" in match for match in self.rule.match)

    def readings(self, name: str, is_seller: Callable[[str], bool]) -> Iterator[NameStep]:
        """What a name (lower case) reads as, a match each. `is_seller`: whether a text names the seller."""
        for head, tail, pattern in self._patterns:
            if not (name.startswith(head) and name.endswith(tail)) or not (found := pattern.fullmatch(name)):
                continue
            named = found.groupdict()
            if "provider" in named and not is_seller(named["provider"]):
                continue
            if not any(other.fullmatch(name) for other in self._unless):
                region = named.get("region", self.rule.region)
                yield NameStep(_spelled(self.rule.becomes, named, found), self.rule, region)

    def is_for(self, *providers: str) -> bool:
        """Whether one of these writes names so."""
        return not self._providers or not self._providers.isdisjoint(providers)


class NameRules:
    """`NameRules(rules)`: the rules of a book, for names of models and of providers. Raises CatalogError."""

    def __init__(self, rules: Iterable[NameRule]) -> None:
        ordered = sorted(rules, key=lambda rule: (rule.order, rule.name, rule.id))
        one_at_a_time(ordered, about=lambda rule: rule.name, refuse=_both)
        self._of_models = [CompiledRule(rule) for rule in ordered if rule.of == "model"]
        self._of_providers = [CompiledRule(rule) for rule in ordered if rule.of == "provider"]
        self._dated_of_providers = [
            each for each in self._of_providers if each.rule.effective_from or each.rule.effective_to
        ]
        self._by_sellers: dict[tuple[str, ...], tuple[CompiledRule, ...]] = {}
        """Bounded by the providers of the catalog and whom they resell."""

    def of_models(self, sellers: tuple[str, ...]) -> tuple[CompiledRule, ...]:
        """Those for names that one of these providers gives, in their order."""
        found = self._by_sellers.get(sellers)
        if found is None:
            found = tuple(each for each in self._of_models if each.is_for(*sellers))
            self._by_sellers[sellers] = found
        return found

    def provider(self, name: str, at: datetime) -> NameStep | None:
        """What a provider's name (lower case) reads as."""
        for each in self._of_providers:
            for step in each.readings(name, lambda _: False) if holds(each.rule, at) else ():
                return step
        return None

    def dated_of_provider(self, name: str) -> Iterator[NameRule]:
        """The rules for names of providers that are in force at some times alone and read this name (lower
        case)."""
        for each in self._dated_of_providers:
            if any(True for _ in each.readings(name, lambda _: False)):
                yield each.rule


def _both(one: NameRule, other: NameRule) -> CatalogError:
    """Two rules of one name hold at once: a receipt names the rule."""
    return CatalogError(f"entries {one.id} and {other.id} are both the rule {other.name!r} of one time")


@lru_cache(PATTERNS_MAX)
def _pattern(rule: str, match: str, becomes: str) -> tuple[str, str, re.Pattern[str]]:
    """What a name begins and ends with, which is quickly asked, and all that it must be."""
    signs = _SIGN.findall(match)
    if unknown := [sign for sign in chain(signs, _SIGN.findall(becomes)) if sign not in _MEANS]:
        raise CatalogError(f"rule {rule!r}: {unknown[0]} is none of {', '.join(_MEANS)}")
    if match != match.lower() or becomes != becomes.lower() or signs.count("*") > MATCH_STARS_MAX:
        raise CatalogError(
            f"rule {rule!r}: {match!r} must be lower case, with at most {MATCH_STARS_MAX} stars"
        )
    for sign in dict.fromkeys(_SIGN.findall(becomes)):
        if sign not in _REPEATED or becomes.count(sign) > signs.count(sign):
            raise CatalogError(f"rule {rule!r}: {becomes!r} repeats a {sign} that {match!r} has not")
    if any(signs.count(sign) > 1 for sign in ("{name}", "{rest}", "{provider}", "{region}")):
        raise CatalogError(f"rule {rule!r}: {match!r} has a placeholder twice")
    parts = _SIGN.split(match)
    source = "".join(
        re.escape(text) + (_MEANS[sign] if sign else "")
        for text, sign in zip(parts, [*signs, ""], strict=True)
    )
    return parts[0], parts[-1], re.compile(source, re.DOTALL)


def _spelled(becomes: str, named: dict[str, str], found: re.Match[str]) -> str:
    """What is repeated, put into its places."""
    named_places = {found.re.groupindex[name] for name in _NAMED & found.re.groupindex.keys()}
    digits = iter(
        text for place, text in enumerate(found.groups(), 1) if place not in named_places and text is not None
    )
    return _SIGN.sub(lambda sign: next(digits) if sign[0] == "#" else named[sign[0][1:-1]], becomes)
