"""What a report comes to, in sentences that need no knowledge of how the book works. Pure."""

from collections.abc import Iterator

from spendmeter.verify.lines import STATUSES
from spendmeter.verify.report import CLEAN, FOUND, INVARIANTS, Report


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
    counts = [
        f"{count:,} {invariant.one if count == 1 else invariant.many}"
        for name, invariant in INVARIANTS.items()
        if (count := report.found.get(name, 0))
    ]
    yield f"The book is WRONG: {'; '.join(counts)}."
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


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
