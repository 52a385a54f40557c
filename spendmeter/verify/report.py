"""What a check found, what it could not look at, and how much it looked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

NAMED_MAX = 20
"""Findings named per invariant; all are counted."""

CLEAN, FOUND, INCOMPLETE = 0, 1, 2
"""Exit codes: all checked and right; something is wrong; not wrong, but not all could be checked."""

INVARIANTS = {
    "I1": "every acknowledged submission is booked, duplicate, conflict or rejected, once",
    "I2": "a refused event is nowhere",
    "I3": "an event of unknown outcome is there at most once",
    "I4": "every amount follows from its event and lines, and from the price table, to the last digit",
    "I4a": "every entry is in the currency and the month of its tenant's terms, and these are the catalog's",
    "I5": "the rollups equal the entries",
    "I6": "offsets passed are accounted for, and none is in flight",
    "I7": "Kafka's committed offsets are not ahead of the book",
    "I8": "no tenant's row is visible to another",
    "I8a": "each role has its own tables, and none can change an entry",
}


@dataclass(frozen=True, kw_only=True)
class BookFinding:
    """One thing that is wrong."""

    what: str
    """The rule it breaks: "missing", "doubled", "changed: list is 1, should be 2"."""
    row: str
    """The row, named so that a person finds it."""


@dataclass(kw_only=True)
class Report:
    """The result of one check, by invariant."""

    checked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[BookFinding]] = field(default_factory=lambda: defaultdict(list))
    unchecked: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By invariant: why, and how many."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was there: counts and totals, for the reader."""
    named_max: int = NAMED_MAX

    def check(self, invariant: str, count: int = 1) -> None:
        """Count what was looked at."""
        self.checked[invariant] += count

    def find(self, invariant: str, what: str, row: str) -> None:
        """Note something wrong; named up to `named_max`, counted always."""
        self.found[invariant] += 1
        if len(self.named[invariant]) < self.named_max:
            self.named[invariant].append(BookFinding(what=what, row=row))

    def pass_over(self, invariant: str, why: str, count: int = 1) -> None:
        """Count what could not be checked."""
        if count:
            self.unchecked[invariant][why] += count

    @property
    def exit_code(self) -> int:
        if any(self.found.values()):
            return FOUND
        return INCOMPLETE if any(self.unchecked.values()) else CLEAN

    def as_json(self) -> dict[str, Any]:
        """{verdict, facts, invariants: {I1: {about, checked, found, named, unchecked}}}."""
        return {
            "verdict": ("clean", "wrong", "incomplete")[self.exit_code],
            "facts": self.facts,
            "invariants": {
                name: {
                    "about": about,
                    "checked": self.checked[name],
                    "found": self.found[name],
                    "named": [vars(finding) for finding in self.named.get(name, ())],
                    "unchecked": dict(self.unchecked.get(name, ())),
                }
                for name, about in INVARIANTS.items()
            },
        }
