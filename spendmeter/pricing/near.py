"""What bounds the price of a name that is no model's: models that it is near to."""

from decimal import Decimal
from typing import Literal, NamedTuple

from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.siblings import NO_KIN, Kin


class Near(NamedTuple):
    """A model that bounds the price of one that nobody knows, by so many times its price."""

    sku: Sku
    at_most: Decimal
    unconfirmed: bool = False
    """Whether one public list alone has it."""


DEARER = Decimal(2)
"""Times the price of a model whose name goes on with a word for a dearer variant (fast, turbo, pro)."""

Trust = Literal["sure", "with_family", "with_all"]
"""Whether what a name leads to bounds it alone; or with its family, where it may be another variant; or,
where nothing is known, or it says one that costs more, or a single other seller has that model, with whatever
its seller has that is next to its family: of which nothing is known, with all that its seller has."""


class NameBounds(NamedTuple):
    """What bounds the price of a name that is no model's: the dearest of some models, and of its siblings."""

    near: tuple[Near, ...] = ()
    says: str = ""
    trust: Trust = "sure"
    """What else may bound it."""
    kin: Kin = NO_KIN


NO_BOUNDS = NameBounds()
NOTHING_NEAR = NameBounds(trust="with_all")
