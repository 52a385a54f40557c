"""Corrections over a public catalog that somebody imports: they are neither undone by it nor said twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from msgspec.structs import replace

from spendmeter.contracts.catalog import CatalogEntry, Model, Price
from spendmeter.contracts.entry_ids import entry_id
from spendmeter.pricing.catalog.corrections import Rule
from spendmeter.pricing.catalog.formats import is_public_release
from spendmeter.pricing.catalog.overlay import is_heading, lay_over, thing_of
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.corrected import Corrected
from spendmeter.pricing.review.finding import LintFinding, finding

_OTHERS_LISTS = ".json"
"""The format of what other vendors publish; what an installation writes itself stands as it is written."""


@dataclass(frozen=True, kw_only=True)
class ShippedRules:
    """The corrections of this release, and the entries beside them that are nobody's public catalog."""

    rules: Sequence[Rule]
    own: Sequence[CatalogEntry]


class PricesSent(Protocol):
    """A price file as it was sent."""

    @property
    def name(self) -> str: ...
    @property
    def content(self) -> bytes: ...


def corrected(
    file: PricesSent,
    stated: Sequence[CatalogEntry],
    snapshot: CatalogSnapshot,
    shipped: ShippedRules,
    now: datetime,
) -> tuple[list[CatalogEntry], list[LintFinding]]:
    """What a file of another vendor's prices states, with the corrections over it that are in force here, of
    the models that it states; and, where it is a release of the public catalog, which of these it makes
    superfluous, or contradicts. Any other file stays as it is. Raises CatalogError."""
    rules = _in_force(shipped.rules, snapshot)
    if PurePath(file.name).suffix.lower() != _OTHERS_LISTS or not rules:
        return list(stated), []
    about = {_about(entry) for entry in stated}
    ours = {entry.id for rule in rules for entry in rule.entries}
    laid = [e for e in lay_over(stated, rules) if e.id not in ours or _about(e) in about]
    if not is_public_release(file.name, file.content):
        return laid, []
    return laid, _findings(stated, [rule for rule in rules if _speaks_of(rule, about)], shipped, now)


def _in_force(rules: Sequence[Rule], snapshot: CatalogSnapshot) -> list[Rule]:
    """Those of which nothing was withdrawn here."""
    known = {
        entry.id if not entry.revision else entry_id(replace(entry, revision=0))
        for key, entry in snapshot.entries.items()
        if not snapshot.withdrawn_by[key]
    }
    said = [
        (rule, {e.id for e in rule.entries if not (isinstance(e, Model) and is_heading(e))}) for rule in rules
    ]
    return [rule for rule, ids in said if ids <= known]


def _about(entry: CatalogEntry) -> tuple[str, ...]:
    if isinstance(entry, Price):
        return "prices", entry.provider.lower(), entry.sku.lower()
    return thing_of(entry) or ("entry", entry.id)


def _speaks_of(rule: Rule, about: set[tuple[str, ...]]) -> bool:
    """Whether the file has prices of somebody whom the rule is about."""
    return any(key[0] == "prices" and key[1] in rule.providers for key in about)


def _findings(
    stated: Sequence[CatalogEntry], rules: list[Rule], shipped: ShippedRules, now: datetime
) -> list[LintFinding]:
    try:
        states = Corrected(stated, shipped.own, rules).states(now)
    except CatalogError as error:
        return [finding("corrections", "warning", f"no correction can be held against the file: {error}")]
    return [
        finding("corrections", "warning", f"correction {each.key} is {each.state}: {'; '.join(each.reasons)}")
        for each in states
        if each.state != "needed"
    ]
