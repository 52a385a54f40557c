"""What a model of LiteLLM's price file costs, as the rates of a price file: by unit, way of serving, context
length and hours."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from spendmeter.contracts.money import plain
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog.files import ZEROS
from spendmeter.pricing.catalog.litellm_fields import RULES, leaves, unknown_fields
from spendmeter.pricing.catalog.litellm_hours import OffPeak, off_peak

_SERVING: Mapping[str, Mapping[str, Any]] = {"": {}} | RULES["serving"]
_READ = frozenset(RULES["read"])
_PROMPTS: Mapping[str, str] = RULES["searches"]["prompts"]
_UNITS = {(key, mode): name for name, unit in UNITS.items() for key, mode in unit.litellm.items()}
"""By the source's name of a price and the mode of the models of which it is one ("" = any)."""
_SEARCHES = "search_context_cost_per_query"
_BILLED_BY = "web_search_billing_unit"
_KEY = re.compile(rf"(?P<base>.+?)(_above_(?P<over>\d+)k_tokens)?(?P<served>{'|'.join(_SERVING)})")


class PriceKey(NamedTuple):
    """What a price is for: unit, way of serving ("_flex"), the context length above which it applies, and
    whether in the off-peak hours alone."""

    unit: str
    served: str = ""
    over: int = 0
    off_peak: bool = False


class ModelPrices(NamedTuple):
    """What was taken over of a model: its rates, the hours that they name, and the fields that were not."""

    rates: list[dict[str, Any]]
    hours: OffPeak | None
    not_taken: set[str]


def prices(model: Mapping[str, Any]) -> ModelPrices:
    """The model's prices. Raises ValueError or msgspec.ValidationError for an amount that is none."""
    reader = _Reader(str(model.get("mode")))
    for key, value in model.items():
        reader.read(key, value)
    hours = reader.take_off_peak(model.get("off_peak_pricing"))
    reader.bill_prompts(model)
    rates = list(_rates(reader.cells, hours, reader.by_prompt)) if any(reader.cells.values()) else []
    if reader.cells and not rates:
        reader.not_taken.add(ZEROS)
    return ModelPrices(rates, hours if rates else None, reader.not_taken)


def amount(value: Any) -> Decimal:
    """A number of the file. Raises ValueError."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!s:.40} is not an amount of at least 0")
    return Decimal(value)


class _Reader:
    """Takes a model apart, field by field."""

    def __init__(self, mode: str) -> None:
        self.cells: dict[PriceKey, Decimal] = {}
        """What one unit costs."""
        self.not_taken: set[str] = set()
        self.by_prompt: set[str] = set()
        """Units of which several in one event are one fee."""
        self._mode = mode
        self._fields: dict[PriceKey, str] = {}

    def read(self, key: str, value: Any) -> None:
        """Take one field over, or its name."""
        if key == _SEARCHES and value is not None:
            self._searches(msgspec.convert(value, dict[str, Any]))
        elif key == "tiered_pricing" and value is not None:
            for tier in msgspec.convert(value, list[dict[str, Any]]):
                self._tier(tier)
        elif key in _READ or key == _BILLED_BY:
            return
        elif (cell := self._cell(key)) is None:
            self.not_taken |= unknown_fields(key, value)
        elif value is not None:
            self._put(cell, amount(value), key)

    def _cell(self, key: str) -> PriceKey | None:
        """Which price a field is; None = none that the catalog has a unit for."""
        parts = _KEY.fullmatch(key)
        assert parts is not None, "the expression takes any text"
        unit = _UNITS.get((parts["base"], "")) or _UNITS.get((parts["base"], self._mode))
        return None if unit is None else PriceKey(unit, parts["served"], int(parts["over"] or 0) * 1000)

    def _put(self, cell: PriceKey, value: Decimal, field: str) -> None:
        """Where two fields say different things of one unit, neither is taken."""
        first = self._fields.setdefault(cell, field)
        if first == field or self.cells.get(cell) == value:
            self.cells[cell] = value
        else:
            self.cells.pop(cell, None)
            self.not_taken |= {first, field}

    def _searches(self, costs: Mapping[str, Any]) -> None:
        """By the size of the context: one unit where all sizes cost the same."""
        by_key = {f"{_SEARCHES}.{size}": cost for size, cost in costs.items()}
        sizes = {_UNITS[key, ""]: amount(cost) for key, cost in by_key.items() if (key, "") in _UNITS}
        same = len(set(sizes.values())) == 1
        for unit, cost in sizes.items():
            self._put(PriceKey("searches" if same else unit), cost, _SEARCHES)
        self.not_taken |= {key for key in by_key if (key, "") not in _UNITS}

    def _tier(self, tier: Mapping[str, Any]) -> None:
        """Dashscope's: more than the start and up to the end, as each tier's `range` says. One with another
        condition, or without a range, is not taken: it would hold where the vendor does not mean it."""
        found = {key: self._cell(key) for key in tier}
        strange = {key for key, cell in found.items() if cell is None and key != "range"}
        if strange or "range" not in tier:
            self.not_taken |= {f"tiered_pricing.{key}" for key in tier if key != "range"}
            return
        over, *_ = msgspec.convert(tier["range"], list[int | Decimal]) or [0]
        for key, cell in found.items():
            if cell is not None:
                self._put(cell._replace(over=int(over)), amount(tier[key]), f"tiered_pricing.{key}")

    def take_off_peak(self, stated: Any) -> OffPeak | None:
        """The hours of cheaper prices, whose cells are put in; None = none, or none that we can say."""
        if stated is None:
            return None
        stated = msgspec.convert(stated, dict[str, Any])
        found = {key: cell for key in stated if (cell := self._cell(key)) is not None}
        by_length = {cell.unit for cell in self.cells if cell.over}
        beside = any(cell.over or cell.served or cell.unit in by_length for cell in found.values())
        try:
            hours = off_peak({key: value for key, value in stated.items() if key not in found})
        except (ValueError, msgspec.ValidationError):
            hours = None
        if hours is None or beside:  # hours go before lengths: such a price would win where it is not meant
            self.not_taken |= {leaf for leaf, _ in leaves("off_peak_pricing", stated)}
            return None
        for key, cell in found.items():
            self._put(cell._replace(off_peak=True), amount(stated[key]), f"off_peak_pricing.{key}")
        return hours

    def bill_prompts(self, model: Mapping[str, Any]) -> None:
        """Price what is billed by the prompt as such; searches by the size of the context stay searches."""
        by_default = str(model.get("litellm_provider")).startswith(tuple(RULES["searches"]["per_prompt_of"]))
        stated = model.get(_BILLED_BY) or ("per_prompt" if by_default else "per_query")
        if stated not in RULES["searches"]["billed_by"]:
            self.not_taken.add(_BILLED_BY)
        elif stated == "per_prompt":
            for cell, cost in [*self.cells.items()]:
                if cell.unit in _PROMPTS:
                    self.by_prompt.add(cell.unit)
                    self.cells[cell._replace(unit=_PROMPTS[cell.unit])] = cost


def _rates(
    cells: Mapping[PriceKey, Decimal], hours: OffPeak | None, by_prompt: set[str]
) -> Iterator[dict[str, Any]]:
    """The prices by what they have in common."""
    groups: dict[tuple[str, int, int, bool, str], dict[str, str]] = defaultdict(dict)
    for cell, cost in cells.items():
        ends = [other.over for other in cells if other._replace(over=0) == cell._replace(over=0)]
        end = min((over for over in ends if over > cell.over), default=0)
        kind = "requests" if cell.unit == "requests" else "prompts" if cell.unit in by_prompt else ""
        groups[cell.served, cell.over, end, cell.off_peak, kind][cell.unit] = plain(cost.scaleb(6))
    for (served, over, end, cheaper, kind), stated in groups.items():
        when = dict(_SERVING[served])
        when |= ({"context_min": over} if over else {}) | ({"context_max": end} if end else {})
        if cheaper and hours:
            when |= {"calendar": hours.calendar, "windows": hours.windows}
        rates = {"when": when, "per": 1_000_000, "prices": stated}
        rates |= {"per_event": True} if kind == "requests" else {}  # a fee a call is charged once an event
        yield rates | ({"maximum": "1"} if kind == "prompts" else {})
