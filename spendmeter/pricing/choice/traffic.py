"""What is priced on another model: sums of calls that were served alike. Pure."""

from decimal import Decimal

from msgspec import Struct

ContextRange = tuple[int, int | None]
"""Tokens from and to, both inclusive; None = without an end."""
ANY_CONTEXT: tuple[ContextRange, ...] = ((0, None),)


class Portion(Struct, frozen=True, kw_only=True):
    """A quantity of one unit, with the price entry by which it was booked; '' = by none."""

    unit: str
    quantity: Decimal
    events: int
    """That have some of it."""
    entry: str = ""


class CandidateModel(Struct, frozen=True, kw_only=True):
    """A model by the names that an event would have."""

    provider: str
    sku: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.provider}/{self.sku}"


class Use(Struct, frozen=True, kw_only=True):
    """Calls of one model, served alike; of those to come, a mean. `contexts`: how long they were, as far as
    that is known."""

    provider: str
    sku: str
    tier: str = "standard"
    region: str = ""
    batch: bool = False
    calls: int | Decimal
    portions: tuple[Portion, ...]
    contexts: tuple[ContextRange, ...] = ANY_CONTEXT

    @property
    def model(self) -> CandidateModel:
        """Their own."""
        return CandidateModel(provider=self.provider, sku=self.sku)


class UnitCost(Struct, frozen=True, kw_only=True):
    """What one unit comes to, at least and at most: more tokens by another tokenizer, and prices that hold
    for some contexts or hours alone."""

    unit: str
    quantity_low: Decimal
    quantity_high: Decimal
    prices: tuple[tuple[str, str], ...]
    """(price of one as text with its currency, entry)."""
    list_low: Decimal
    list_high: Decimal
    low: Decimal
    high: Decimal


class RepricedTraffic(Struct, frozen=True, kw_only=True):
    """What calls cost on a candidate, in one currency: as contracted where there is a contract. `missing`:
    why it is not comparable; then there is no amount, for one without these would be too low."""

    calls: int | Decimal
    units: tuple[UnitCost, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    low: Decimal | None
    high: Decimal | None
    list_low: Decimal | None
    list_high: Decimal | None
