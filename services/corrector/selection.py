"""Which events a job is about: by series, by what they cost now, by what a publication changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spendmeter.contracts.corrections import Selection
from spendmeter.contracts.events import UsageEvent, event_time
from spendmeter.contracts.rated import Line
from spendmeter.pricing.arithmetic import entries_of
from spendmeter.pricing.causes import EntryFacts
from spendmeter.pricing.engine import Rating
from spendmeter.pricing.meaning import Meaning
from spendmeter.pricing.price_book import PriceBook


def is_named(selection: Selection, tenant: str, provider: str, sku: str, book: PriceBook) -> bool:
    """Whether a series is selected by provider and model: by the names sent, or by what they mean."""
    if not (selection.providers or selection.skus):
        return True
    found = book.meaning(tenant, provider, sku)
    providers = {provider.lower(), found.seller, found.provider.owner if found.provider else ""}
    skus = {sku.lower(), found.model.owner if found.model else ""}
    return _among(providers, selection.providers) and _among(skus, selection.skus)


def _among(names: set[str], wanted: Sequence[str]) -> bool:
    return not wanted or not names.isdisjoint(name.lower() for name in wanted)


def may_concern(selection: Selection, old: Rating) -> bool:
    """Whether an event is selected by what it costs now, before anybody prices it anew."""
    if selection.statuses and old.status not in selection.statuses:
        return False
    currency = selection.missing_rate_of
    return not currency or any(_lacks_rate(line, currency) for line in old.lines)


def _lacks_rate(line: Line, currency: str) -> bool:
    if line.status != "unpriced":
        return False
    return (line.currency == currency and not line.fx) or (
        line.contracted_currency == currency and not line.contracted_fx
    )


@dataclass(frozen=True, kw_only=True)
class PublicationReach:
    """What one publication changed: `before` and `after` are the tenant's books of the version before it and
    of it."""

    version: int
    before: PriceBook
    after: PriceBook

    def concerns(self, event: UsageEvent, old: Rating, new: Rating, facts: Mapping[str, EntryFacts]) -> bool:
        """Whether the event costs something else because of it: a new line names an entry of it, an old one
        an entry that it withdrew, or it gave another meaning to the event's names, or its tenant other terms.
        Whatever else moved, the bound of another unknown model for one, is left as it is."""
        named = (facts.get(entry) for line in new.lines for entry in entries_of(line))
        if any(each and each.version == self.version for each in named):
            return True
        gone = (facts.get(entry) for line in old.lines for entry in entries_of(line))
        if any(each and each.withdrawn == self.version for each in gone):
            return True
        return self._reads_otherwise(event)

    def _reads_otherwise(self, event: UsageEvent) -> bool:
        tenant, time, data = event.tenant, event_time(event), event.data
        books = self.before, self.after
        terms = [book.agreement(tenant).at(time)[0] for book in books]
        models = [_model(book.meaning(tenant, data.provider, data.sku, time)) for book in books]
        served = [book.served(tenant, data, time) for book in books]
        return any(was != now for was, now in (terms, models, served))


def _model(found: Meaning) -> tuple[str, str]:
    return found.seller, found.model.owner if found.model else ""
