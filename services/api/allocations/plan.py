"""How shared cost is handed on: pools and the rules by which they are shared out, and what is wrong with a
plan that cannot be. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from spendmeter.contracts.series import FOLDED
from spendmeter.contracts.units import UNITS

SharingRule = Literal["proportional", "even", "fixed", "weighted"]
COSTS = ("list", "contracted", "effective")
POOLS_MAX = 50
DEPTH_MAX = 5
"""Pools in a row: one feeds the next."""
WEIGHTS_MAX = 1_000
WEIGHT_MAX = 1_000_000
OF_DEFAULT = 100
_NEEDS: Mapping[str, Collection[str]] = {
    "proportional": {"driver", "among"},
    "even": {"among"},
    "fixed": {"weights", "pools", "of"},
    "weighted": {"weights", "pools"},
}
"""What of a pool each rule reads."""


class Driver(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a proportional pool is measured by: of the events that the filter leaves a cost, their number, or
    the quantity of a unit."""

    measure: str
    filter: dict[str, str] = {}


class CostPool(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shared cost: what the filter leaves, less what an earlier pool of the plan has taken."""

    name: str
    filter: dict[str, str]
    rule: SharingRule
    driver: Driver | None = None
    among: tuple[str, ...] = ()
    """Cost centres; none = all that were active."""
    weights: dict[str, int] = {}
    """By cost centre."""
    pools: dict[str, int] = {}
    """By the pool that is fed."""
    of: int | None = None
    """Of so many parts the weights are; the rest is the residual."""

    @property
    def parts(self) -> int:
        """Of a fixed rule: what the weights and the residual sum to."""
        return OF_DEFAULT if self.of is None else self.of


def troubles_with(pools: Sequence[CostPool], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """(field, reason) of all that cannot be; `known`: the tenant's dimensions."""
    places: dict[str, int] = {}
    for place, pool in enumerate(pools):
        field = f"pools.{place}"
        if places.setdefault(pool.name, place) != place:
            yield f"{field}.name", "is another pool's name"
        for name in sorted(pool.filter.keys() - set(known)):
            yield f"{field}.filter", f"{name[:64]!r} is not one of {', '.join(known)}"
        for earlier in pools[:place]:
            if earlier.filter.items() <= pool.filter.items():
                yield f"{field}.filter", f"pool {earlier.name!r} stands before it and takes all of this"
                break
        yield from _troubles_with_rule(pool, field, known)
        for fed in pool.pools.keys() - {each.name for each in pools}:
            yield f"{field}.pools", f"there is no pool {fed[:64]!r} in this plan"
    yield from _troubles_with_feeding(pools)


def _troubles_with_rule(pool: CostPool, field: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    said = {"driver": pool.driver, "among": pool.among, "weights": pool.weights, "pools": pool.pools}
    for name, value in {**said, "of": pool.of}.items():
        if value and name not in _NEEDS[pool.rule]:
            yield f"{field}.{name}", f"is nothing that the rule {pool.rule} reads"
    if pool.rule == "proportional" and pool.driver is None:
        yield f"{field}.driver", "is missing: by what is it to be shared out?"
    if pool.rule in ("fixed", "weighted") and not pool.weights and not pool.pools:
        yield f"{field}.weights", "is missing: who is to have a part of it?"
    given = sum(pool.weights.values()) + sum(pool.pools.values())
    if pool.rule == "fixed" and given > pool.parts:
        yield f"{field}.weights", f"sum to {given}, which is more than the {pool.parts} parts that there are"
    for nobody in {"", FOLDED} & {*pool.weights, *pool.among}:
        yield f"{field}.weights" if nobody in pool.weights else f"{field}.among", f"{nobody!r} is nobody"
    if pool.driver is not None:
        if pool.driver.measure not in (*COSTS, "events", *UNITS):
            reason = f"{pool.driver.measure[:64]!r} is none of {', '.join(COSTS)}, events, nor a unit"
            yield f"{field}.driver.measure", reason
        for name in sorted(pool.driver.filter.keys() - set(known)):
            yield f"{field}.driver.filter", f"{name[:64]!r} is not one of {', '.join(known)}"


def _troubles_with_feeding(pools: Sequence[CostPool]) -> Iterator[tuple[str, str]]:
    feeds = {pool.name: sorted(pool.pools) for pool in pools}
    longest: dict[str, tuple[str, ...]] = {}
    for place, pool in enumerate(pools):
        if circle := _circle(pool.name, feeds, (), longest):
            yield f"pools.{place}.pools", f"goes round in a circle: {' -> '.join(circle)}"
            return
    for place, pool in enumerate(pools):
        path = longest[pool.name]
        if len(path) > DEPTH_MAX:
            yield f"pools.{place}.pools", f"more than {DEPTH_MAX} pools in a row: {' -> '.join(path)}"
            return


def _circle(
    name: str,
    feeds: Mapping[str, Sequence[str]],
    path: tuple[str, ...],
    longest: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """The way from a pool back to itself; none: its longest way is in `longest`."""
    if name in path:
        return (*path[path.index(name) :], name)
    if name in longest:
        return ()
    for fed in feeds.get(name, ()):
        if circle := _circle(fed, feeds, (*path, name), longest):
            return circle
    ways = [longest[fed] for fed in feeds.get(name, ())]
    longest[name] = (name, *max(ways, key=len, default=()))
    return ()


def in_feeding_order(pools: Sequence[CostPool]) -> list[int]:
    """The places of the pools, each before those that it feeds; else as they stand."""
    places = {pool.name: place for place, pool in enumerate(pools)}
    fed_by = dict.fromkeys(range(len(pools)), 0)
    for pool in pools:
        for name in pool.pools:
            fed_by[places[name]] += 1
    order: list[int] = []
    while ready := [place for place in fed_by if not fed_by[place]]:
        order.append(ready[0])
        del fed_by[ready[0]]
        for name in pools[ready[0]].pools:
            fed_by[places[name]] -= 1
    assert not fed_by, "a plan that feeds in a circle is refused before"
    return order
