"""What lint finds."""

from typing import Literal

from msgspec import Struct

from spendmeter.contracts.catalog import Entry

Severity = Literal["error", "confirm", "warning"]
"""error: cannot be put in force; confirm: somebody must say that it is meant; warning: worth a look."""


class LintFinding(Struct, frozen=True, kw_only=True):
    """What a rule says of entries, for people."""

    rule: str
    severity: Severity
    message: str
    entries: tuple[str, ...]


def finding(rule: str, severity: Severity, message: str, *entries: Entry) -> LintFinding:
    """The finding of some entries; those without an id are none of the catalog's."""
    ids = tuple(entry.id for entry in entries if entry.id)
    return LintFinding(rule=rule, severity=severity, message=message, entries=ids)
