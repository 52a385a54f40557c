"""Who contributed to a change: groups by what they changed by, each with what it came to in both periods.
Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from services.api.changes.uses import PARTS, Compared, summed
from services.api.http.compared import percent_of
from services.api.spend.closed import GroupKey
from spendmeter.contracts.money import EXACT, divided, plain, total

_FIGURES = {
    "events": ("events_before", "events"),
    "unpriced_events": ("unpriced_events_before", "unpriced_events"),
    "of_which_provisional": ("provisional_before", "of_which_provisional"),
}


class GroupChange(NamedTuple):
    """What `groups` groups came to together: figures by the name that an answer gives them."""

    currency: str
    values: tuple[str, ...]
    groups: int
    figures: Mapping[str, Any]
    parts: Mapping[str, Decimal]

    @property
    def change(self) -> Decimal:
        change: Decimal = self.figures["change"]
        return change


def changes_of(
    dimensions: Sequence[str], groups: Mapping[GroupKey, Compared], group_by: Sequence[str]
) -> list[GroupChange]:
    """One for each currency and values of `group_by`: the largest change first, up or down."""
    places = [dimensions.index(name) for name in group_by]
    met: defaultdict[GroupKey, list[Compared]] = defaultdict(list)
    for (currency, values), of in groups.items():
        met[currency, tuple(values[place] for place in places)].append(of)
    found = [_change(key, of) for key, of in met.items()]
    return sorted(found, key=lambda each: (-abs(each.change), -each.figures["amount"], each.values))


def top_of(changes: Sequence[GroupChange], top: int) -> tuple[list[GroupChange], GroupChange | None]:
    """Of one currency the first `top`, and all others together; None = there are no others."""
    named, others = list(changes[:top]), changes[top:]
    if not others:
        return named, None
    figures = {name: _sum(each.figures[name] for each in others) for name in others[0].figures}
    parts = {name: total(each.parts[name] for each in others) for name in others[0].parts}
    return named, GroupChange(others[0].currency, (), len(others), figures, parts)


def row_of(
    change: GroupChange, group_by: Sequence[str], whole: GroupChange | None = None, *, with_parts: bool = True
) -> dict[str, Any]:
    """As an answer has it. `whole`: of what the share is; without it the row is all there is of a
    currency."""
    named = bool(change.values)
    group = {name: change.values[place] if named else None for place, name in enumerate(group_by)}
    percent = percent_of(change.change, change.figures["before"])
    row: dict[str, Any] = {
        **group,
        "currency": change.currency,
        **{name: plain(of) if isinstance(of, Decimal) else of for name, of in change.figures.items()},
        "change_percent": None if percent is None else plain(percent),
    }
    if whole is not None:
        row["others"] = 0 if named else change.groups
        row["share"] = plain(divided(change.change, whole.change)) if whole.change else None
    parts = {name: plain(amount) for name, amount in change.parts.items()} if with_parts else {}
    row["parts"] = {name: amount for name, amount in parts.items() if name in PARTS}
    row["within"] = {name: amount for name, amount in parts.items() if name not in PARTS}
    return row


def _change(key: GroupKey, of: Sequence[Compared]) -> GroupChange:
    before = [each.before.sums for each in of if each.before]
    now = [each.now.sums for each in of if each.now]
    amounts = [total(each["effective"] for each in side) for side in (before, now)]
    figures: dict[str, Any] = {
        "before": amounts[0],
        "amount": amounts[1],
        "change": EXACT.subtract(amounts[1], amounts[0]),
    }
    for name, (earlier, later) in _FIGURES.items():
        add = total if name == "of_which_provisional" else sum
        figures[earlier], figures[later] = add(each[name] for each in before), add(each[name] for each in now)
    return GroupChange(*key, 1, figures, summed([each.parts for each in of])._asdict())


def _sum(of: Iterable[Any]) -> Any:
    values = list(of)
    return total(values) if isinstance(values[0], Decimal) else sum(values)
