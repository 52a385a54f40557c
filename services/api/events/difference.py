"""What a re-rate changed of an event, by cause, as its dry run split it. Pure."""

from collections.abc import Mapping
from typing import Any

from services.api.events.models import CauseOfDifference
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.rated import decode_lines
from spendmeter.pricing.causes import EntryFacts, steps
from spendmeter.pricing.engine import Rating


def difference_by_cause(old: Any, new: Any, facts: Mapping[str, EntryFacts]) -> list[CauseOfDifference]:
    """Of two entries' rows, in the order in which causes are told apart. `facts`: of the catalog entries that
    their lines name; what was withdrawn after the newer of them is none of its business."""
    version = new["catalog_version"]
    known = {
        entry: EntryFacts(fact.version, fact.withdrawn if (fact.withdrawn or version) <= version else None)
        for entry, fact in facts.items()
    }
    return [
        CauseOfDifference(
            cause=step.cause,
            currency=step.currency,
            before=step.before.effective,
            after=step.after.effective,
            difference=EXACT.subtract(step.after.effective, step.before.effective),
        )
        for step in steps(_rating(old), _rating(new), known)
    ]


def _rating(row: Any) -> Rating:
    fields = ("status", "currency", "accounting_period", "list", "contracted", "effective", "catalog_version")
    return Rating(lines=tuple(decode_lines(row["lines"])), **{name: row[name] for name in fields})
