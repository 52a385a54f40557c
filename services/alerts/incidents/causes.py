"""How people read what explains an incident: where its excess is, and why. Of its details alone. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from services.alerts.incidents.phrases import percent, places
from services.alerts.scopes import NAMING_ORDER
from spendmeter.contracts.money import total

ValueName = Callable[[str, str], str]
"""How a value of a dimension is called: a key by its name."""

NAMED_SHARE_MIN = Decimal("0.05")
"""Of the excess: a further cause with less is in the details, and not in the sentence."""
NAMES_SHARE_MIN = Decimal("0.8")
"""Of the excess: causes that hold so much together name an incident."""
NAMES_MAX = 2
TOLD_SHARE_MIN = Decimal("0.01")
"""Of the change: what is less is 'the rest'."""

_MORE = {
    "volume": ("more calls", "fewer calls"),
    "tokens_per_call": ("more use in each call", "less use in each call"),
    "mix": ("calls on dearer models", "calls on cheaper models"),
    "cache": ("less from the cache", "more from the cache"),
    "price": ("dearer prices", "lower prices"),
    "unsplit": ("models whose price is not settled", "models whose price is not settled"),
}
"""What raises the cost, and what lowers it."""


def name_of_scope(scope: Mapping[str, str], name_of: ValueName) -> str:
    """As people say it, the most telling value first: 'team search on model gpt-5'; '' = it is everything."""
    rank = {name: place for place, name in enumerate(NAMING_ORDER)}
    names = sorted(scope, key=lambda name: (rank.get(name, len(rank)), name))
    called = {name: f"{_DIMENSIONS.get(name, name)} {name_of(name, scope[name])}" for name in names}
    who = [called[name] for name in names if name not in _ON]
    what = [called[name] for name in names if name in _ON]
    return " on ".join(filter(None, (", ".join(who), " of ".join(what))))


def names_of_causes(details: Mapping[str, Any], name_of: ValueName) -> str:
    """What names an incident beside its scope: one or two causes, of an explanation's details.
    '' = its scope is the cause, no one or two hold nearly all of it, or combinations were not looked at."""
    if "of" in details or not details.get("narrowed"):
        return ""
    causes = details["causes"]
    for number in range(1, min(NAMES_MAX, len(causes)) + 1):
        named = causes[:number]
        if not all(cause["scope"] for cause in named):
            return ""
        if total(Decimal(cause["share"]) for cause in named) >= NAMES_SHARE_MIN:
            return _listed([name_of_scope(cause["scope"], name_of) for cause in named])
    return ""


def sentence_of_causes(details: Mapping[str, Any], currency: str, name_of: ValueName) -> str:
    """Where the excess is, of an explanation's details; '' = nothing narrows it."""
    told = [
        _cause(cause, currency, name_of)
        for place, cause in enumerate(details.get("causes", ()))
        if cause["scope"] and (not place or Decimal(cause["share"]) >= NAMED_SHARE_MIN)
    ]
    if not told:
        return ""
    narrowed = "" if details["narrowed"] else " Combinations were not looked at."
    whose = "its excess"
    if "of" in details:
        whose = f"the excess of {name_of_scope(details['of'], name_of) or 'all spend'}"
    return f"Of {whose} as it opened {_listed(told)}.{narrowed}"


def sentence_of_split(details: Mapping[str, Any], currency: str) -> str:
    """Why it costs more, of an explanation's details; '' = it does not."""
    split = {name: Decimal(amount) for name, amount in details.get("split", {}).items()}
    change = split.pop("change", Decimal(0))
    if change <= 0:
        return ""
    largest = sorted(split.items(), key=lambda part: -abs(part[1]))
    told = [(name, amount) for name, amount in largest if abs(amount) >= TOLD_SHARE_MIN * change]
    rest = change - sum(amount for _, amount in told)
    parts = [f"{_MORE[name][amount < 0]} ({places(amount)})" for name, amount in told]
    if rest:
        parts.append(f"the rest ({places(rest)})")
    return f"Why it cost {places(change)} {currency} more by then: {_listed(parts)}."


def _cause(cause: Mapping[str, Any], currency: str, name_of: ValueName) -> str:
    scope = name_of_scope(cause["scope"], name_of)
    amount, expected = (places(Decimal(cause[name])) for name in ("amount", "expected"))
    return f"{percent(Decimal(cause['share']))} is {scope} ({amount} {currency}, expected {expected})"


_DIMENSIONS = {"key_id": "key", "sku": "model"}
_ON = frozenset({"sku", "provider"})
"""On what somebody spends, rather than who does."""


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
