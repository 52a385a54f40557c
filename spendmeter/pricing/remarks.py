"""Remarks: what of the way of serving a line's price does not mention, and that in words. Pure."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import UNSET, UnsetType

from spendmeter.contracts.catalog import Adjustment, Conditions, Price
from spendmeter.contracts.events import Context, UsageEvent
from spendmeter.contracts.rated import Line, Remark, Remarked
from spendmeter.contracts.units import FEE_UNITS
from spendmeter.pricing.conditions import STANDARD, Served
from spendmeter.pricing.dates import Span, span_of

_TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


class Unmentioned:
    """The remarks on usage of a sku that was served in one way; false = there can be none."""

    __slots__ = ("_excepting", "_regional", "_stated", "instants")

    def __init__(self, served: Served, excepting: Iterable[Adjustment], regional: Iterable[Span]) -> None:
        """`excepting`: the factors that leave the sku as it is; `regional`: when its provider charges by
        region at all.

        Every model is served somewhere, so one that is excepted from a region's factor costs the same there;
        one that is excepted from a batch's or a tier's is not known to be served like that."""
        self._regional: Sequence[Span] = () if served.is_anywhere else tuple(regional)
        self._excepting: Sequence[Adjustment] = ()
        self._stated: list[Remark] = []
        self.instants: set[datetime] = set()
        """Those at which the remarks on one price may change."""
        if served.batch:
            self._stated.append("batch")
        if served.tier != STANDARD:
            self._stated.append("tier")
        if self._regional:
            self._stated.append("region")
            self._excepting = [each for each in excepting if each.when.regions]
            spans = [*self._regional, *(span_of(each.when) for each in self._excepting)]
            self.instants.update(*spans)

    def __bool__(self) -> bool:
        return bool(self._stated)

    def by(
        self, price: Price, factors: Iterable[Adjustment], unit: str, time: datetime
    ) -> tuple[Remark, ...]:
        """What of it neither the price that decides a unit at an instant says, nor the factors on it. One
        that has everything in it says it all."""
        if not self._stated or price.all_in or unit in FEE_UNITS:
            return ()
        said = [price.when, *(each.when for each in factors)]
        unsaid = [kind for kind in self._stated if not any(map(_SAYS[kind], said))]
        return tuple(kind for kind in unsaid if kind != "region" or self._matters_where(unit, time))

    def _matters_where(self, unit: str, time: datetime) -> bool:
        """Whether the provider charges by region then, and not without this sku."""
        return any(since <= time < until for since, until in self._regional) and not any(
            each.when.in_force(time) and (not each.units or unit in each.units) for each in self._excepting
        )


_SAYS: dict[Remark, Callable[[Conditions], bool]] = {
    "batch": lambda when: when.batch is not None,
    "tier": lambda when: bool(when.tiers),
    "region": lambda when: bool(when.regions),
}


def remark_in_words(kind: Remark, value: str) -> str:
    """What the price is for instead: `value` is the tier or region, as the event states it."""
    return str(_TEXTS[kind]["says"].format(value=value))


def remark_advice(kind: Remark, provider: str, value: str) -> str:
    """What to do about it."""
    return str(_TEXTS[kind]["advice"].format(provider=provider, value=value))


def remarked(line: Line, context: Context) -> dict[Remark, str]:
    """The tier or region of each remark of a line of an event that was served like `context`: as the model's
    name says it, else as the event states it; '' of a batch."""
    tier, region = line.tier or context.service_tier, line.region or context.region
    stated: dict[Remark, str] = {"batch": "", "tier": tier, "region": region}
    return {kind: stated[kind] for kind in line.remarks}


def remarks_on(event: UsageEvent, lines: Iterable[Line]) -> Remarked | UnsetType:
    """What the lines of an event remark, for the book to add up without looking into them."""
    said: dict[Remark, str] = {}
    for line in lines:
        if line.remarks:  # nearly never
            said |= remarked(line, event.data.context)
    if not said:
        return UNSET
    return Remarked(
        provider=event.data.provider,
        batch="batch" in said,
        tier=said.get("tier", ""),
        region=said.get("region", ""),
    )


def remarks_in_words(line: Line, context: Context) -> list[str]:
    """The same in words."""
    return [remark_in_words(kind, value) for kind, value in remarked(line, context).items()]
