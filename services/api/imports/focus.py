"""What `focus.toml` says of FOCUS' columns, services and classes. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

_DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
NEEDED: tuple[str, ...] = tuple(_DATA["columns"]["needed"])
IDENTITY: tuple[str, ...] = tuple(_DATA["columns"]["identity"])
DETAILS: tuple[str, ...] = tuple(_DATA["columns"]["details"])
_RENAMED: Mapping[str, Sequence[str]] = _DATA["renamed"]
_BY_SUBCATEGORY: Mapping[str, str] = _DATA["cost_class"]["subcategory"]
_BY_CATEGORY: Mapping[str, str] = _DATA["cost_class"]["category"]
_UNLIKE = re.compile(r"[^a-z0-9]")
_OTHERS = (
    "BilledCost", "ListCost", "ContractedCost", "EffectiveCost", "BillingCurrency", "BillingAccountId",
    "BillingPeriodStart", "InvoiceIssuerName", "ServiceProviderName", "ServiceCategory", "ServiceSubcategory",
    "ChargeDescription", "ConsumedQuantity", "Tags",
)  # fmt: skip
COLUMNS = tuple(dict.fromkeys([*NEEDED, *IDENTITY, *DETAILS, *_OTHERS]))
"""All that is read of a file, whatever else it has; and what a label is mapped from."""


class MeteredRule(Struct, frozen=True, kw_only=True):
    """Which rows of a bill say what usage events say."""

    name: str
    providers: tuple[str, ...]
    services: tuple[str, ...]
    editions: tuple[str, ...] = ()
    """How services of the marketplace end that are one of these too."""
    metered_as: tuple[str, ...]

    def is_about(self, provider: str, service: str) -> bool:
        """Whether a row of this provider's service is one."""
        is_sold = bool(self.editions) and alike(service).endswith(tuple(map(_rule_word, self.editions)))
        return _begins(provider, self.providers) and (is_sold or _begins(service, self.services))


RULES = msgspec.convert(_DATA["metered"], tuple[MeteredRule, ...])


def alike(name: str) -> str:
    """A column's or a provider's name in the one form in which names are compared."""
    return _UNLIKE.sub("", name.lower())


def rules_in_force(metered: Iterable[str], not_metered: Collection[str]) -> tuple[MeteredRule, ...]:
    """Those of providers that a tenant meters, but for the rules that it says are not about it."""
    known = {alike(provider) for provider in metered}
    return tuple(
        rule
        for rule in RULES
        if rule.name not in not_metered and any(alike(name) in known for name in rule.metered_as)
    )


def columns_of(header: Sequence[str], wanted: Iterable[str] = COLUMNS) -> dict[str, str]:
    """By FOCUS' name of a column the file's, of those that it has."""
    there = {alike(name): name for name in reversed(header)}
    found = {}
    for column in wanted:
        for name in _RENAMED.get(column, (column,)):
            if (own := there.get(alike(name))) is not None:
                found[column] = own
                break
    return found


def cost_class(category: str, subcategory: str) -> str:
    """The class that spend of a service is counted in."""
    return _BY_SUBCATEGORY.get(subcategory) or _BY_CATEGORY.get(category, "other")


def _begins(name: str, words: Iterable[str]) -> bool:
    said = alike(name)
    return any(said.startswith(_rule_word(word)) for word in words)


@cache
def _rule_word(word: str) -> str:
    """The same of a rule's own words, which are few. A file's names may be long: none is remembered."""
    return alike(word)
