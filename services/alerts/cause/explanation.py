"""What explains an incident, as its `details` keep it: JSON, with amounts as plain decimal strings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.alerts.cause.contributors import Contributor
from services.alerts.cause.leaves import ScopeSums
from services.alerts.cause.search import ExcessCause
from spendmeter.book.split import ChangeSplit
from spendmeter.contracts.money import plain

PARTS = ("volume", "tokens_per_call", "mix", "cache", "price", "unsplit")
"""Of a split, as they are told."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Of an incident as it opens. Amounts are in its currency, and about its minutes up to then."""

    whole: ScopeSums
    """What its scope cost, and was expected to."""
    causes: Sequence[ExcessCause]
    """The largest share first; none where nothing rose. Scopes lie within the incident's."""
    contributors: Sequence[Contributor]
    """Of the first cause (of all, without one), by series: who holds its excess."""
    split: ChangeSplit
    """Of all in the scope of the first cause (of all, without one): why it costs more than expected."""

    def details(self) -> dict[str, Any]:
        """For the `details` of an incident: `causes`, `contributors`, `split`, each amount as text."""
        return {
            "excess": plain(self.whole.excess),
            "narrowed": all(cause.narrowed for cause in self.causes),
            "causes": [_held(cause) for cause in self.causes],
            "contributors": [_held(each) for each in self.contributors],
            "split": {name: plain(getattr(self.split, name)) for name in PARTS}
            | {"change": plain(self.split.change)},
        }


def _held(by: ExcessCause | Contributor) -> Mapping[str, Any]:
    amounts: dict[str, Decimal | None] = {
        "amount": by.actual, "expected": by.expected, "excess": by.excess, "share": by.share
    }  # fmt: skip
    return {"scope": dict(by.scope)} | {
        name: None if value is None else plain(value) for name, value in amounts.items()
    }
