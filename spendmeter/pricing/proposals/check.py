"""A change of the catalog, compiled with all that stands and then compared: only a price book is worth it."""

from collections.abc import Sequence
from dataclasses import dataclass

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.renamed import Renamed, renamed
from spendmeter.pricing.review.changes import PriceChange, changes
from spendmeter.pricing.review.finding import LintFinding
from spendmeter.pricing.review.lint import lint
from spendmeter.pricing.visibility import EVERYBODY


@dataclass(frozen=True, kw_only=True)
class CheckedChange:
    """Entries that make a price book with all that stands in `snapshot`, and what they change for who states
    them; no price of another tenant's is among it."""

    snapshot: CatalogSnapshot
    added: Sequence[CatalogEntry]
    book: PriceBook
    """With them."""
    changes: Sequence[PriceChange]
    renamed: Sequence[Renamed]
    findings: Sequence[LintFinding]
    """Those to confirm first."""


def check(snapshot: CatalogSnapshot, added: Sequence[CatalogEntry], as_tenant: str) -> CheckedChange:
    """Raises CatalogError where the entries make no price book, or one that cannot be in force."""
    before, after = list(snapshot.entries.values()), snapshot.with_added(added)
    book = PriceBook(after, snapshot.version + 1)
    if as_tenant != EVERYBODY:
        viewer = snapshot.viewer(as_tenant)
        before, after = viewer.visible(before), viewer.visible(after)
    findings = lint(before, after)
    if errors := [finding.message for finding in findings if finding.severity == "error"]:
        raise CatalogError("; ".join(errors))
    return CheckedChange(
        snapshot=snapshot,
        added=added,
        book=book,
        changes=changes(before, after),
        renamed=renamed(before, after),
        findings=sorted(findings, key=lambda finding: finding.severity != "confirm"),
    )
