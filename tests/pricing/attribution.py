"""Which corrections make an event cost something else than the public catalog alone says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.rated import Line
from spendmeter.pricing.catalog import load_own, load_public
from spendmeter.pricing.catalog.corrections import Rule, shipped_corrections
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook


class Attribution:
    """`rules_for(event, ...)`: by the entries that decided, and by whose name of a model was found."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.plain = PriceBook([*load_public(), *load_own()])
        """The book without corrections."""
        self.rules = {rule.key: rule for rule in rules}
        self._made_by = {entry.id: rule.key for rule in self.rules.values() for entry in rule.entries}

    def rules_for(self, event: UsageEvent, book: PriceBook) -> tuple[Rating, set[str]]:
        """What the event costs without corrections; and the corrections that decided its lines in `book` where
        these differ."""
        plain, corrected = rate(event, self.plain), rate(event, book)
        lines = [line for line in corrected.lines if line not in plain.lines]
        found = {self._made_by[key] for line in lines for key in _decided(line) if key in self._made_by}
        data = event.data
        named = book.meaning(event.tenant, data.provider, data.sku, event.time)
        provider = book.providers.get(data.provider) if named.sold_as else None  # the maker's price counts
        by = (named.model.entry if named.model else "", provider.id if provider else "")
        found.update(self._made_by[entry] for entry in by if entry in self._made_by)
        return plain, found


def _decided(line: Line) -> Iterator[str]:
    yield line.entry
    for multiplier in line.multipliers:
        yield multiplier.entry


def shipped() -> Attribution:
    """Of the corrections of this release."""
    return Attribution(shipped_corrections())
