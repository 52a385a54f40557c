"""Entries and their conditions for people."""

from collections.abc import Sequence
from datetime import UTC

from spendmeter.contracts.catalog import (
    Adjustment,
    Alias,
    CatalogRecord,
    Conditions,
    Price,
    PriceEntry,
    Spelling,
)

NAMES_SHOWN_MAX = 5
"""Models, units or regions that a sentence names; a rule for every model but some may except fifty."""


def entry_in_words(entry: CatalogRecord | None) -> str:
    """What an entry about prices says, and under which conditions; '' for what stands for itself."""
    if isinstance(entry, Price):
        what = amount_in_words(entry)
        extra = [
            f"at least {entry.minimum}" if entry.minimum != "0" else "",
            f"at most {entry.maximum}" if entry.maximum is not None else "",
            "once an event" * entry.per_event,
            f"default: {entry.assumes}" if entry.assumes else "",
            "no factor on list prices" * entry.all_in,
        ]
    elif isinstance(entry, Adjustment):
        units, skus = few(entry.units) or "every unit", few(entry.skus) or "every model"
        what = f"x {entry.factor} on {units} of {entry.provider}/{skus}"
        extra = [
            f"but for {few(entry.unless)}" if entry.unless else "",
            "not on a price that states as much itself" * entry.unless_stated,
        ]
    elif isinstance(entry, Alias):
        span = in_words(Conditions(effective_from=entry.effective_from, effective_to=entry.effective_to))
        return f"{entry.provider}/{entry.name} means {entry.sku}{f' ({span})' if span else ''}"
    elif isinstance(entry, Spelling):
        return _spelling_in_words(entry)
    else:
        return ""
    conditions = "; ".join(filter(None, [in_words(entry.when), *extra]))
    layer = "" if entry.layer == "public" else f", {' '.join(filter(None, (entry.layer, entry.contract)))}"
    return f"{what}{f' ({conditions})' if conditions else ''}{layer}"


def _spelling_in_words(entry: Spelling) -> str:
    but = f", but for {few(entry.unless)}," if entry.unless else ""
    whose = f" of {entry.provider}" if entry.provider else ""
    like = f"a {entry.of}{whose} like {few(entry.match, ' or ')}{but}"
    if entry.of == "tier":
        return f"{like} means {entry.name or 'standard'}"
    return f"{like} {group_in_words(entry.name)}"


def group_in_words(name: str) -> str:
    """What belonging to a group of regions says of one ('' = of the group of those that say nothing)."""
    return f"is one of the {name} regions" if name else "says nothing of where"


def said_in_words(entry: PriceEntry) -> str:
    """The same with who says so and, of a correction or an operator's statement, by which rule."""
    because = f", because {entry.note}" if entry.note else ""
    return f"{entry_in_words(entry)}, says {entry.source}{because}"


def in_words(when: Conditions) -> str:
    """The conditions for people; '' = none."""
    return "; ".join(conditions_in_words(when).values())


def conditions_in_words(when: Conditions) -> dict[str, str]:
    """Each condition that is stated, in words."""
    least, most = when.context_min, when.context_max
    hours = ", ".join(_days(window.days) + f"{window.start}-{window.end}" for window in when.windows)
    words = {
        "from": when.effective_from and f"from {when.effective_from.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "until": when.effective_to and f"until {when.effective_to.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "batch": None if when.batch is None else "in a batch" if when.batch else "not in a batch",
        "tier": when.tiers and f"tier {few(when.tiers, ' or ')}",
        "region": when.regions and f"region {few([each or 'not stated' for each in when.regions], ' or ')}",
        "hours": hours and f"{hours} ({when.calendar})",
        "above": least is not None
        and f"context {'from' if when.context_min_inclusive else 'over'} {least:,} tokens",
        "below": most is not None
        and f"context {'up to' if when.context_max_inclusive else 'under'} {most:,} tokens",
    }
    return {name: text for name, text in words.items() if text}


def few(names: Sequence[str], between: str = ", ") -> str:
    """The names, or the first of many and how many more."""
    more = len(names) - NAMES_SHOWN_MAX
    return between.join(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def amount_in_words(price: Price) -> str:
    """What a price says of which unit, whatever its conditions."""
    return f"{price.price} {price.currency} per {price.per:,} {price.unit} of {price.provider}/{price.sku}"


def _days(days: tuple[int, ...]) -> str:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "holiday")
    return "" if len(days) == len(names) else f"{'/'.join(names[day - 1] for day in days)} "
