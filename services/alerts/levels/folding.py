"""One message for one cause: which of the scopes that rose are told, and which are told with them. Pure.

A rise of an agent is one of its team, its model and its tenant as well. Of scopes by themselves no sum says
who lies in whom, but two values of one dimension are apart, and all that rose is in the tenant: so what of
the whole rise is not told yet bounds what another dimension can have that is news.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from services.alerts.levels.days import place_of
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.contracts.money import EXACT, ZERO, total

HOLDS = Decimal("0.8")
"""The most telling scope that holds so much of the largest rise is the one that is told."""
LEEWAY = Decimal("1.25")
"""Two scopes of one cause do not rise by the same to the cent."""


class Excess(Protocol):
    """What rose, and by how much a day."""

    @property
    def scope(self) -> DetectorScope: ...
    @property
    def excess(self) -> Decimal: ...


Rose = TypeVar("Rose", bound=Excess)


class ToldCause(Generic[Rose]):
    """What is told, and what is told with it."""

    def __init__(self, told: Rose, folded: Sequence[Rose]) -> None:
        self.told, self.folded = told, folded


def causes_of(
    rose: Iterable[Rose], whole: Decimal, known: Sequence[tuple[DetectorScope, Decimal]] = ()
) -> list[ToldCause[Rose]]:
    """The largest first. `whole`: by how much the tenant rose a day; `known`: what people know of already."""
    left = sorted(rose, key=lambda each: (-each.excess, place_of(each.scope), each.scope))
    largest = max([whole, *(each.excess for each in left[:1])])
    untold = max(ZERO, EXACT.subtract(largest, total(excess for _, excess in known)))
    for scope, _ in known:  # what has outgrown what people know of it is news
        left = [each for each in left if each.scope == scope or _is_apart(each, scope, untold)]
    causes = []
    while left:
        top = left[0]
        holders = [each for each in left if each.excess >= HOLDS * top.excess]
        told = min(holders, key=lambda each: (place_of(each.scope), -each.excess))
        untold = max(ZERO, EXACT.subtract(untold, told.excess))
        rest = [each for each in left if each is not told]
        left = [each for each in rest if _is_apart(each, told.scope, untold)]
        causes.append(ToldCause(told, [each for each in rest if each not in left]))
    return causes


def _is_apart(each: Excess, scope: DetectorScope, untold: Decimal) -> bool:
    """Whether its rise may be another one than that of `scope`."""
    if each.scope[0] == scope[0] != TENANT[0]:
        return each.scope[1] != scope[1]
    return each.excess <= LEEWAY * untold
