"""What the prices of vendors have in common, read from vendor_rules.toml, which says what the fields mean."""

import tomllib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from msgspec import Struct, convert
from msgspec.structs import replace

from spendmeter.contracts.catalog import Price
from spendmeter.pricing.dates import hold_at_once
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.review.changes import ratio
from spendmeter.pricing.review.finding import LintFinding, Severity, finding
from spendmeter.pricing.words import amount_in_words


class VendorRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bound on a price by that of its peer."""

    sku: str = "*"
    unit: str
    batch: bool | None = None
    peer: str
    least: str = "0"
    most: str
    free: bool = True
    message: str
    severity: Severity

    def peer_of(self, price: Price) -> str | None:
        """The unit whose price this one is compared with; None = the rule is not about it."""
        if self.batch and not price.when.batch:
            return None
        start, star, end = self.unit.partition("*")
        if not (price.unit.startswith(start) and price.unit.endswith(end) and (star or price.unit == start)):
            return None
        word = price.unit[len(start) : len(price.unit) - len(end)]
        return self.peer.replace("*", word) if matches_any([self.sku], price.sku.lower()) else None

    def is_kept(self, price: Price, peer: Price) -> bool:
        """Whether a price keeps to the bound."""
        one, other = price.per_unit, peer.per_unit
        if not self.free and not (one and other):
            return True
        return Fraction(self.least) * other <= one <= Fraction(self.most) * other


VENDOR_RULES = convert(
    tomllib.loads(Path(__file__).with_name("vendor_rules.toml").read_text("utf-8")), dict[str, VendorRule]
)


def broken_rules(price: Price, prices: Iterable[Price]) -> Iterator[LintFinding]:
    """What vendors' rules say of a price of a sku, whose `prices` these are."""
    for name, rule in VENDOR_RULES.items():
        unit = rule.peer_of(price)
        for peer in peers(price, unit, prices, None if rule.batch else price.when.batch) if unit else ():
            if not rule.is_kept(price, peer):
                message = rule.message.format(
                    price=amount_in_words(price),
                    peer=amount_in_words(peer),
                    ratio=f"{ratio(peer, price) or 0:.4g}",
                )
                yield finding(name, rule.severity, message, price, peer)


def peers(price: Price, unit: str, prices: Iterable[Price], batch: bool | None) -> Iterator[Price]:
    """The prices of a unit that apply wherever `price` does, but for whether in a batch."""
    when = replace(price.when, batch=batch).without_dates()
    scope = (price.kind, price.layer, price.tenant, price.contract, price.currency)
    for peer in prices:
        if (
            peer.unit == unit
            and peer.when.without_dates() == when
            and (peer.kind, peer.layer, peer.tenant, peer.contract, peer.currency) == scope
            and hold_at_once(peer.when, price.when)
        ):
            yield peer
