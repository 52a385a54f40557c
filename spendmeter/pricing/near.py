"""What bounds the price of a name that is no model's: models that it is near to."""

from decimal import Decimal
from typing import Literal, NamedTuple

from spendmeter.pricing.price_lists import Sku


class Near(NamedTuple):
    """A model that bounds the price of one that nobody knows, by so many times its price."""

    sku: Sku
    at_most: Decimal
    unconfirmed: bool = False
    """Whether one public list alone has it."""


Trust = Literal["sure", "with_family", "with_all"]
"""Whether what a name leads to bounds it alone; or with its family, where it may be another variant; or,
where it says one that costs more, or a single other seller has that model, with its family, and where
little is known of that, with all that the provider sells."""


class NameBounds(NamedTuple):
    """What bounds the price of a name that is no model's: the dearest of some models."""

    near: tuple[Near, ...] = ()
    says: str = ""
    trust: Trust = "sure"
    """What else may bound it."""


NO_BOUNDS = NameBounds()
