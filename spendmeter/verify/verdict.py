"""What a report comes to, in sentences that need no knowledge of how the book works. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from spendmeter.platform.spoken import duration
from spendmeter.verify.lines import STATUSES
from spendmeter.verify.report import CLEAN, FOUND, INVARIANTS, Report

_WRONG = {
    "I1": (
        "event is missing, doubled, changed or wrongly set aside",
        "events are missing, doubled, changed or wrongly set aside",
    ),
    "I2": ("refused event is there all the same", "refused events are there all the same"),
    "I3": ("event of unknown outcome is there too often", "events of unknown outcome are there too often"),
    "I4": ("booked amount is not what it should be", "booked amounts are not what they should be"),
    "I4a": (
        "currency, month or stretch of terms is not as the catalog says",
        "currencies, months or stretches of terms are not as the catalog says",
    ),
    "I5": (
        "figure of the rollups is not the sum of its entries",
        "figures of the rollups are not the sums of their entries",
    ),
    "I6": (
        "count does not add up, or events are not booked yet",
        "counts do not add up, or events are not booked yet",
    ),
    "I7": (
        "partition's offset in Kafka is ahead of the book",
        "partitions' offsets in Kafka are ahead of the book",
    ),
    "I8": ("table shows one tenant's rows to another", "tables show one tenant's rows to another"),
    "I8a": ("right is not as it should be", "rights are not as they should be"),
}
"""By invariant: what one finding is, and several are."""


def sentences(report: Report) -> list[str]:
    """The verdict, the most important sentence first."""
    if report.exit_code == FOUND:
        return list(_wrong(report))
    events, again = _booked(report), _again(report)
    once = f"{_counted(events, 'event')}, each booked once{f', and {again}' if again else ''}."
    if report.exit_code == CLEAN:
        return [
            f"The book is right: {once}",
            "Every amount follows from its event and price, to the last digit, and every total is the sum "
            "of its entries.",
        ]
    return [
        f"Nothing is wrong, but not everything could be checked. {once[0].upper()}{once[1:]}",
        *(f"Not checked: {why}." for why in _unchecked(report)),
    ]


def _wrong(report: Report) -> Iterator[str]:
    said = [
        f"{count:,} {_WRONG[name][count != 1]}" for name in INVARIANTS if (count := report.found.get(name, 0))
    ]
    yield f"The book is WRONG: {'; '.join(said)}."
    first = next(finding for name in INVARIANTS for finding in report.named.get(name, ()))
    yield f"The first: {first.row}: {first.what}."


def _booked(report: Report) -> int:
    outcomes: dict[str, int] = report.facts.get("outcomes", {})
    return sum(outcomes.get(name, 0) for name in STATUSES)


def _again(report: Report) -> str:
    """What else lay on the topic, in words."""
    outcomes: dict[str, int] = report.facts.get("outcomes", {})
    words = (
        ("duplicate", "copy", "copies"),
        ("conflict", "conflict", "conflicts"),
        ("rejected", "rejected", "rejected"),
    )
    said = [f"{n:,} {words[n != 1]}" for name, *words in words if (n := outcomes.get(name, 0))]
    return f"{_listed(said)} set aside" if said else ""


def _unchecked(report: Report) -> Iterator[str]:
    """What was not looked at and what to do about it."""
    hints = {
        "submissions: no log of a sender was given": "whether everything that was sent has arrived (give the "
        "sender's log: --submissions)",
        "entries without a price table": "the prices themselves (give a table of prices: --prices)",
    }
    for counts in report.unchecked.values():
        for why, count in counts.items():
            yield hints.get(why, f"{count:,} {why}")


def figures(report: Report) -> Iterator[tuple[str, str]]:
    """What was there, as (name, value) for people."""
    facts = report.facts
    outcomes: dict[str, int] = facts["outcomes"]
    yield "records read", f"{facts['records']:,}"
    statuses = ", ".join(f"{outcomes[name]:,} {name}" for name in STATUSES if outcomes[name])
    yield "booked", f"{facts['entries']:,}{f' ({statuses})' if statuses else ''}"
    for name in ("duplicate", "conflict", "rejected"):
        yield name, f"{outcomes[name]:,}"
    if facts["submissions"] is not None:
        yield "submissions", f"{facts['submissions']:,}"
        yield "copies beyond the log", f"{facts['copies_beyond_the_log']:,}"
    amounts = [f"{Decimal(amount).normalize():,f} {currency}" for currency, amount in facts["list"].items()]
    yield "list amounts", ", ".join(amounts) or "none"
    yield (
        "took",
        f"{duration(facts['seconds'])}, {facts['records'] / max(facts['seconds'], 0.001):,.0f} records/s",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
