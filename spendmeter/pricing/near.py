"""What a name leads to: a model, or those that it is near to, which bound the price of what is none."""

from decimal import Decimal
from typing import Literal, NamedTuple

from spendmeter.pricing.name_rules import NameStep
from spendmeter.pricing.names import Claim
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.siblings import NO_KIN, Kin


class FoundModel(NamedTuple):
    """Whose price list has the model, the model, the rules that lead to it, and as what it is sold where the
    price is its maker's."""

    seller: str = ""
    model: Claim | None = None
    steps: tuple[NameStep, ...] = ()
    sold_as: str = ""


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
