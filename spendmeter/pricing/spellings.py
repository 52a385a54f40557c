"""How ways of serving are written: which tier a tier's name means, and to which group a region belongs.

The spellings are data (`Spelling`); only the rules stand here. Three words are nobody's spelling: a tier ""
or "standard" is the standard one, and a tier "batch" is a batch of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Literal, NamedTuple

from spendmeter.contracts.catalog import Spelling
from spendmeter.contracts.events import Context
from spendmeter.pricing.conditions import BATCH, STANDARD, CatalogError, Served
from spendmeter.pricing.names import matcher
from spendmeter.pricing.patterns import is_exact, may_meet, within

REMEMBERED_MAX = 4_096
"""Ways of serving remembered at once, as senders write them."""
Of = Literal["tier", "region"]


class _Rule(NamedTuple):
    """One match of one entry."""

    match: str
    pattern: re.Pattern[str]
    spelling: Spelling

    @property
    def weight(self) -> tuple[bool, int]:
        """The greater decides: a name before a match, and a longer match before a shorter one."""
        return is_exact(self.match), len(self.match.strip("*"))

    def means(self, written: str) -> bool:
        return self.pattern.fullmatch(written) is not None and not any(
            matcher(other).fullmatch(written) for other in self.spelling.unless
        )


class Spellings:
    """`Spellings(entries)`. Raises CatalogError where two could decide about one name, or one leads on to
    another."""

    def __init__(self, entries: Iterable[Spelling] = ()) -> None:
        self._rules: dict[tuple[str, Of], list[_Rule]] = defaultdict(list)
        for entry in entries:
            if (entry.name, entry.provider) != (entry.name.lower(), entry.provider.lower()):
                raise CatalogError(f"entry {entry.id}: a spelling's name and provider are lower case")
            rules = self._rules[entry.provider, entry.of]
            rules += [_Rule(match, matcher(match), entry) for match in entry.match]
        for rules in self._rules.values():
            rules.sort(key=lambda rule: (rule.weight, rule.match), reverse=True)
            _check_one_decides(rules)
        self._check_tiers_end()
        self._served: dict[tuple[str, str, bool, str], Served] = {}

    def served(self, provider: str, context: Context) -> Served:
        """What served an event of a provider (lower case; '' = of none that is known)."""
        key = (provider, context.service_tier, context.batch, context.region)
        found = self._served.get(key)
        if found is None:
            if len(self._served) >= REMEMBERED_MAX:
                self._served.clear()
            found = self._served[key] = self._read(*key)
        return found

    def _read(self, provider: str, service_tier: str, batch: bool, region: str) -> Served:
        written, region = service_tier.strip().lower(), region.strip().lower()
        name = self.name("tier", provider, written)
        tier = (written if name is None else name) or STANDARD
        if tier == BATCH:
            batch, tier = True, STANDARD
        return Served(batch, tier, region, self.name("region", provider, region) if region else "")

    def name(self, of: Of, provider: str, written: str) -> str | None:
        """What a tier is called, or the group of a region, as written in lower case; None = nothing says."""
        by = self.spelling(of, provider, written)
        return by.name if by else None

    def spelling(self, of: Of, provider: str, written: str) -> Spelling | None:
        """The entry that says so."""
        best: _Rule | None = None
        for owner in dict.fromkeys((provider, "")):
            rules = self._rules.get((owner, of), ())
            found = next((rule for rule in rules if rule.means(written)), None)
            if found and (best is None or found.weight > best.weight):
                best = found
        return best and best.spelling

    def _check_tiers_end(self) -> None:
        """Raises CatalogError for a tier's name that is spelled otherwise itself: price files say it."""
        for (provider, of), rules in self._rules.items():
            for rule in rules if of == "tier" else ():
                name = rule.spelling.name
                if name and (other := self.name("tier", provider, name)) not in (None, name):
                    raise CatalogError(
                        f"entry {rule.spelling.id}: the tier {name!r} is itself a spelling of {other!r}"
                    )


AS_WRITTEN = Spellings()
"""Nothing is spelled otherwise."""


def _check_one_decides(rules: list[_Rule]) -> None:
    """Raises CatalogError for two matches of one weight and different names that a name may be like."""
    for one, other in combinations(rules, 2):
        if one.weight != other.weight or one.spelling.name == other.spelling.name:
            continue
        if may_meet(one.match, other.match) and not (_excepts(one, other) or _excepts(other, one)):
            a, b = one.spelling, other.spelling
            raise CatalogError(
                f"entries {a.id} and {b.id} overlap: both spell a {a.of} like {one.match!r} and "
                f"{other.match!r}, as {a.name!r} and {b.name!r}"
            )


def _excepts(one: _Rule, other: _Rule) -> bool:
    return any(within(other.match, spared) for spared in one.spelling.unless)
