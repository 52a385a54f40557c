"""What genai-prices says a model costs, as the rates of a price file: by unit, conditions and context length.

Its spelling of each unit is in the unit registry (units.toml), its ways of serving in genai.toml.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from genai_prices import types as source
from msgspec.structs import replace

from spendmeter.contracts.catalog import ANY, Conditions, HoursWindow
from spendmeter.contracts.money import plain
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog.files import Rates

UTC_CALENDAR = "utc"
"""The source's hours are read on it."""

_UNITS = {key: (name, per) for name, unit in UNITS.items() for key, per in unit.genai.items()}
"""By the source's name of a price: what it is for, and for how many of it."""
_RULES = tomllib.loads(Path(__file__).with_name("genai.toml").read_text("utf-8"))
_SERVING = msgspec.convert(_RULES["serving"], dict[str, Conditions])

PriceCell = tuple[Conditions, str, Decimal]
"""Under these conditions the source's price key costs that much."""


def rates(provider: source.Provider, model: source.ModelInfo) -> Iterator[Rates]:
    """The model's prices. Raises KeyError, TypeError or ValueError for what cannot be expressed."""
    groups: dict[tuple[Conditions, int, bool], dict[str, str]] = defaultdict(dict)
    for when, key, price in _merged([*_standard(model), *_variants(model), *_free(model)]):
        unit, per = _UNITS[key]
        when = ANY if when == ANY else when  # the value that files leave out
        group = groups[when, per, unit == "requests"]  # a fee a request is charged once an event
        if group.setdefault(unit, plain(price)) != plain(price):
            raise ValueError(f"two prices for {unit}")
    minimum = _RULES["minimum"].get(f"{provider.id}/{model.id}", "0")
    for (when, per, per_event), prices in groups.items():
        yield Rates(when=when, per=per, per_event=per_event, minimum=minimum, prices=prices)


def _merged(cells: list[PriceCell]) -> Iterator[PriceCell]:
    """The cells by date, where a price goes on unchanged as one: the source repeats all at every change."""
    lines: dict[tuple[Conditions, str], list[PriceCell]] = {}
    for cell in cells:
        lines.setdefault((_effective(cell[0], None, None), cell[1]), []).append(cell)
    for line in lines.values():
        line.sort(key=lambda cell: cell[0].effective_from or datetime.min.replace(tzinfo=UTC))
        joined = line[:1]
        for when, key, price in line[1:]:
            before, _, was = joined[-1]
            if price == was and before.effective_to == when.effective_from:
                joined[-1] = replace(before, effective_to=when.effective_to), key, price
            else:
                joined.append((when, key, price))
        yield from joined


def _free(model: source.ModelInfo) -> Iterator[PriceCell]:
    """An explicit zero where the vendor says so; a model without prices is otherwise unknown, not free."""
    free = model.id.endswith(":free") or "Free of charge" in (model.price_comments or "")
    if free and not any(True for _ in _standard(model)):
        yield ANY, "input_mtok", Decimal(0)
        yield ANY, "output_mtok", Decimal(0)


def _standard(model: source.ModelInfo) -> Iterator[PriceCell]:
    """The last conditional price that is active wins; hours win over dates."""
    if isinstance(model.prices, source.ModelPrice):
        yield from _cells(ANY, model.prices)
        return
    by_hour: dict[str, tuple[list[HoursWindow], source.ModelPrice]] = {}
    until: date | None = None
    for conditional in reversed(model.prices):
        constraint = conditional.constraint
        if isinstance(constraint, source.TimeOfDateConstraint):
            same, _ = by_hour.setdefault(repr(conditional.prices), ([], conditional.prices))
            same.append(HoursWindow(start=_clock(constraint.start_time), end=_clock(constraint.end_time)))
            continue
        since = constraint.start_date if constraint else None
        if until is None or since is None or since < until:
            yield from _cells(_effective(ANY, since, until), conditional.prices)
            until = since
    for hours, prices in by_hour.values():
        hours.sort(key=lambda window: window.start)
        yield from _cells(replace(ANY, calendar=UTC_CALENDAR, windows=tuple(hours)), prices)


def _variants(model: source.ModelInfo) -> Iterator[PriceCell]:
    """Per price, the first variant that is active wins."""
    until: dict[tuple[str, str], date | None] = {}
    for variant in model.price_variants or ():
        ((name, value),) = variant.when.items()
        serving = f"{name}={value}"
        constraint = variant.constraint
        if isinstance(constraint, source.TimeOfDateConstraint):
            raise TypeError("hours of a variant")
        since = constraint.start_date if constraint else None
        for key, price in vars(variant.prices).items():
            before = until.get((serving, key), date.max)
            if before is None or (since is not None and since >= before):
                continue
            until[serving, key] = since
            end = None if before == date.max else before
            own = f"{key} {serving}"
            key, when = (own, ANY) if own in _UNITS else (key, _SERVING[serving])
            yield from _brackets(_effective(when, since, end), key, price)


def _cells(when: Conditions, prices: source.ModelPrice) -> Iterator[PriceCell]:
    for key, price in vars(prices).items():
        yield from _brackets(when, key, price)


def _brackets(when: Conditions, key: str, price: Any) -> Iterator[PriceCell]:
    """One cell or, where the price depends on the context length, one a bracket; none of None."""
    if isinstance(price, Decimal):
        yield when, key, price
    elif price is not None:
        above, amount = None, price.base
        for tier in price.tiers:
            yield _bracket(when, above, tier.start), key, amount
            above, amount = tier.start, tier.price
        yield _bracket(when, above, None), key, amount


def _bracket(when: Conditions, above: int | None, end: int | None) -> Conditions:
    """More than `above` and up to `end` tokens. The source writes 200,000 and up as > 199,999."""
    if above is not None:
        from_here = above % 1000 == 999
        when = replace(when, context_min=above + from_here, context_min_inclusive=from_here)
    if end is not None:
        below = end % 1000 == 999
        when = replace(when, context_max=end + below, context_max_inclusive=not below)
    return when


def _effective(when: Conditions, since: date | None, until: date | None) -> Conditions:
    def midnight(day: date | None) -> datetime | None:
        return None if day is None else datetime.combine(day, time(), UTC)

    return replace(when, effective_from=midnight(since), effective_to=midnight(until))


def _clock(moment: time) -> str:
    moved = datetime.combine(date(2000, 1, 1), moment).astimezone(UTC) if moment.tzinfo else moment
    if moved.second or moved.microsecond:
        raise ValueError(f"a window to the second, {moment}")
    return f"{moved:%H:%M}"
