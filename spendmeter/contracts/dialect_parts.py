"""What every dialect is read with: the parts of a usage object, and numbers that are numbers. Pure.

A reason names the field and the rule, never what was sent (`DialectError`).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from msgspec import Struct

from spendmeter.contracts.money import quantised
from spendmeter.contracts.units import snake_case

VendorUsage = Mapping[str, Any]
UsedQuantity = int | Decimal
SEARCH_CONTEXTS = ("low", "medium", "high")
"""How much of what a search found is put before the model, as OpenAI and Perplexity call it."""
UsageStep = str | tuple[str, ...]
"""A field's name on the way to a quantity; of several spellings the first that is stated."""
COUNT_MAX = 2**63 - 1


class DialectError(ValueError):
    """Usage that cannot be read as its dialect says: the message names the field and the rule."""


class UsageParts(Struct, frozen=True, kw_only=True):
    """What a vendor states: totals (None = not at all), and the shares of them with a unit of their own."""

    input: int | None
    cached: dict[str, int]
    """Read from caches and written to them: inside the input of an inclusive dialect."""
    inputs: dict[str, int] = {}
    """Inside the input of any."""
    output: int | None
    outputs: dict[str, int] = {}
    """Inside the output."""
    others: Mapping[str, UsedQuantity] = {}
    exclusive: bool = False
    assumed: bool = False


def at(usage: VendorUsage, *path: UsageStep) -> tuple[Any, str]:
    """What is stated at `path`, and the names that lead there; None = nothing."""
    value: Any = usage
    names = []
    for step in path:
        table = value if isinstance(value, Mapping) else {}
        spellings = (step,) if isinstance(step, str) else step
        names.append(next((name for name in spellings if table.get(name) is not None), spellings[0]))
        value = table.get(names[-1])
    return value, ".".join(names)


def count(usage: VendorUsage, *path: UsageStep) -> int | None:
    """The whole number at `path`, also one that is written 12.0; None = not stated."""
    value, name = at(usage, *path)
    if value is None:
        return None
    if _is_quantity(value) and value == int(value):
        return int(value)
    raise DialectError(f"{name} must be a whole number of at least 0")


def part(usage: VendorUsage, *path: UsageStep) -> int:
    """The same of a share; not stated = none of it."""
    return count(usage, *path) or 0


def measure(usage: VendorUsage, *path: UsageStep) -> UsedQuantity:
    """The number at `path`, whole or not and as it was written: seconds; not stated = 0."""
    value, name = at(usage, *path)
    if value is None:
        return 0
    if not _is_quantity(value):
        raise DialectError(f"{name} must be a number of at least 0")
    if value == int(value):
        return int(value)
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _is_quantity(value: Any) -> bool:
    if type(value) is int:
        return 0 <= value <= COUNT_MAX
    return type(value) in (float, Decimal) and isfinite(value) and 0 <= value <= COUNT_MAX


def amount(usage: VendorUsage, *path: str) -> Decimal | None:
    """Money at `path`: a decimal string, a whole number or a Decimal, never a float; None = not stated. Of a
    double's digits as many are kept as an event can have: a price has no more."""
    value, name = at(usage, *path)
    if value is None:
        return None
    try:
        stated = Decimal(value) if type(value) in (str, int, Decimal) else Decimal("NaN")
    except InvalidOperation:
        stated = Decimal("NaN")
    if not stated.is_finite() or not 0 <= stated <= COUNT_MAX:
        raise DialectError(f"{name} must be a decimal of at least 0")
    return quantised(stated)


def rest(left: int, name: str) -> int:
    """What of the total `name` is in none of its parts."""
    if left < 0:
        raise DialectError(f"{name} is less than its parts")
    return left


def search_context(said: VendorUsage) -> str | None:
    """How much of what was found a search takes along; None = it does not say. Raises DialectError."""
    size: str | None = said.get("search_context_size")
    if size is not None and size not in SEARCH_CONTEXTS:
        raise DialectError(f"search_context_size must be one of {', '.join(SEARCH_CONTEXTS)}")
    return size


def tables(usage: VendorUsage, name: str) -> Iterable[VendorUsage]:
    """The tables that a list holds; none where it is no list."""
    found = usage.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def modes(usage: VendorUsage, *names: str) -> dict[str, int]:
    """Tokens by modality, lower case, in the first of these lists that has any; a document is billed as the
    images of its pages."""
    counts: dict[str, int] = {}
    for each in next(filter(None, (tables(usage, name) for name in names)), ()):
        mode = str(each.get("modality", "")).lower().replace("document", "image")
        counts[mode] = counts.get(mode, 0) + part(each, ("tokenCount", "token_count", "tokens"))
    return counts


def snake(table: Any) -> dict[str, Any]:
    """A table with its names in lower case, as the Python clients spell them; of nothing, nothing."""
    return {snake_case(name): value for name, value in table.items()} if isinstance(table, Mapping) else {}


def without_zeros(quantities: Mapping[str, int]) -> dict[str, int]:
    return {unit: quantity for unit, quantity in quantities.items() if quantity}
