"""What a check found, what it could not look at, and how much it looked at."""

import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

NAMED_MAX = 20
"""Findings named per invariant; all are counted."""

CLEAN, FOUND, INCOMPLETE = 0, 1, 2
"""Exit codes: all checked and right; something is wrong; not wrong, but not all could be checked."""


class Invariant(NamedTuple):
    """What must hold, and what a finding, or several, are called in the verdict."""

    about: str
    one: str
    many: str


INVARIANTS = {
    name: Invariant(**texts)
    for name, texts in tomllib.loads(Path(__file__).with_name("invariants.toml").read_text("utf-8")).items()
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
                    "about": invariant.about,
                    "checked": self.checked[name],
                    "found": self.found[name],
                    "named": [vars(finding) for finding in self.named.get(name, ())],
                    "unchecked": dict(self.unchecked.get(name, ())),
                }
                for name, invariant in INVARIANTS.items()
            },
        }
