"""A cost that a trusted sender reports, held against what the catalog says. Pure.

It is booked as reported, whatever it is: a gateway may have a contract that we do not know. One of less than
half of what the catalog says is told all the same, for a key that reports too little hides spend.
"""

from decimal import Decimal, Inexact

from msgspec.structs import replace

from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import plain
from spendmeter.pricing.engine import Rating, rate, reported_cost
from spendmeter.pricing.price_book import PriceBook

LOW = Decimal("0.5")
"""Of what the catalog says."""
_KNOWN = ("priced", "free")


def catalogs_amount(event: UsageEvent, book: PriceBook) -> Decimal | None:
    """What the catalog says that an event with a trusted cost costs, by contract, in book currency; None of
    any other event, and where the catalog knows no price of some of it."""
    if reported_cost(event) is None:
        return None
    try:
        rating = rate(replace(event, trustreportedcost=False), book)
    except Inexact:
        return None
    return rating.contracted if rating.status in _KNOWN else None


def reports_little(event: UsageEvent, rating: Rating, book: PriceBook) -> bool:
    """Whether the event was booked, as reported, at less than half of what the catalog says."""
    if rating.status != "reported":
        return False
    amount = catalogs_amount(event, book)
    return amount is not None and rating.contracted < LOW * amount


def reported_in_words(event: UsageEvent, booked: Decimal, currency: str, book: PriceBook) -> list[str]:
    """What is to be said of it, for people."""
    amount = catalogs_amount(event, book)
    if amount is None or not booked < LOW * amount:
        return []
    return [f"less than half of what the catalog says: {plain(amount)} {currency}"]
