"""A run's receipt, put together of sums that were read. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.api.runs.models import (
    AgentCost,
    CallStatusCount,
    ClassCost,
    ModelCost,
    OutcomeSum,
    OutcomeValue,
    RunCalls,
    RunCost,
    WorkflowCost,
)
from services.api.spend.ratios import UNPRICED_PERCENT_MAX
from spendmeter.contracts.money import divided, plain

WAYS: Mapping[str, tuple[str, type[RunCost]]] = {
    "currency": ("costs", RunCost),
    "class": ("by_class", ClassCost),
    "model": ("by_model", ModelCost),
    "agent": ("by_agent", AgentCost),
    "workflow": ("by_workflow", WorkflowCost),
}
"""What the statement groups by, to the field and its rows' model."""


def receipt_of(
    run: str,
    sums: Iterable[Mapping[str, Any]],
    outcomes: Sequence[Mapping[str, Any]],
    *,
    dangling: int,
    unfolded: int,
    in_flight: int | None,
) -> dict[str, Any]:
    """The fields of a `RunReceipt`, but for its events and how complete the book is. `dangling`: verdicts and
    reversals of the run about nothing that is known; `unfolded`: of the book, what the sums lack."""
    by_way: dict[str, list[Mapping[str, Any]]] = {}
    for row in sums:
        by_way.setdefault(row["way"], []).append(row)
    found: dict[str, Any] = {
        field: [model(**row) for row in by_way.get(way, ())] for way, (field, model) in WAYS.items()
    }
    everything = by_way.get("all", [None])[0]
    found["outcomes"] = [_outcome(row, found["costs"]) for row in outcomes]
    fields = {way: field for way, (field, _) in WAYS.items()} | {"status": "calls.statuses"}
    beyond = {fields[way]: rows[0]["groups"] - len(rows) for way, rows in by_way.items() if way in fields}
    if outcomes:
        beyond["outcomes"] = outcomes[0]["groups"] - len(outcomes)
    return found | {
        "run": run,
        "summary": _summary(found["costs"], found["outcomes"], everything),
        "first_at": everything and everything["first_at"],
        "last_at": everything and everything["last_at"],
        "calls": _calls(everything, by_way.get("status", ())),
        "not_in_it": _missing(found["costs"], dangling=dangling, unfolded=unfolded, in_flight=in_flight),
        "beyond": {field: count for field, count in beyond.items() if count},
    }


def _calls(everything: Mapping[str, Any] | None, statuses: Iterable[Mapping[str, Any]]) -> RunCalls:
    counts = [
        CallStatusCount(status=row["call_status"], events=row["calls"]) for row in statuses if row["calls"]
    ]
    attempts = everything["calls"] if everything else 0
    timed = everything["timed_events"] if everything else 0
    if not everything or not timed:
        return RunCalls(
            attempts=attempts, statuses=counts, timed=0, latency_ms_mean=None, latency_ms_max=None
        )
    return RunCalls(
        attempts=attempts,
        statuses=counts,
        timed=timed,
        latency_ms_mean=divided(everything["latency_ms"], Decimal(timed)),
        latency_ms_max=everything["latency_ms_max"],
    )


def _outcome(row: Mapping[str, Any], costs: Sequence[RunCost]) -> OutcomeSum:
    counts = {name: int(row[name]) for name in ("stated", "accepted", "refused", "open", "reversed")}
    worth = zip(row["currencies"], row["values"], row["values_accepted"], strict=True)
    [cost] = costs if len(costs) == 1 else [None]
    return OutcomeSum(
        **counts,
        name=row["name"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        values=[OutcomeValue(currency=one, value=value, accepted=part) for one, value, part in worth],
        cost_per_outcome=_each(cost, counts["stated"] - counts["reversed"]),
        cost_per_accepted=_each(cost, counts["accepted"]),
        cost_currency=cost.currency if cost else "",
    )


def _each(cost: RunCost | None, count: int) -> Decimal | None:
    if not cost or not count or cost.unpriced_events * 100 > cost.events * UNPRICED_PERCENT_MAX:
        return None
    return divided(cost.effective, Decimal(count))


def _summary(
    costs: Sequence[RunCost], outcomes: Sequence[OutcomeSum], everything: Mapping[str, Any] | None
) -> str:
    amounts = " + ".join(f"{plain(cost.effective)} {cost.currency}" for cost in costs) or "nothing"
    attempts = everything["events"] if everything else 0
    stated = ", ".join(f"{each.stated - each.reversed} {each.name} ({_became(each)})" for each in outcomes)
    return f"{amounts} for {attempts:,} events; {stated or 'no outcome is stated'}"


def _became(each: OutcomeSum) -> str:
    parts = [f"{each.accepted} accepted", f"{each.refused} refused", f"{each.open} open"]
    return ", ".join([*parts, *([f"{each.reversed} reversed beside"] if each.reversed else [])])


def _missing(costs: Iterable[RunCost], *, dangling: int, unfolded: int, in_flight: int | None) -> list[str]:
    """What the receipt lacks, in words; nothing where it is whole."""
    said = []
    for cost in costs:
        if cost.unpriced_events:
            count = f"{cost.unpriced_events:,} events ({cost.currency})"
            said.append(f"{count} have no price: what they cost is unknown")
        if cost.of_which_provisional:
            amount = f"{plain(cost.of_which_provisional)} {cost.currency}"
            said.append(f"{amount} of it is provisional: a bound, until the price or the usage is known")
    if in_flight is None:
        said.append("how many events are on their way to the book is not known now")
    elif in_flight:
        said.append(f"{in_flight:,} events of all tenants are on their way, maybe some of this run")
    if unfolded:
        said.append(f"{unfolded:,} booked events of all tenants are not added up by run yet")
    if dangling:
        said.append(f"{dangling:,} verdicts or reversals are about outcomes that have not come")
    return said
