"""What is answered about a change of cost: what it is made of, and who contributed."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.models import AsItStood, DecimalString
from spendmeter.contracts.money import ZERO

PartName = Literal["days", "volume", "mix", "tokens_per_call", "cache", "price", "new", "gone", "unsplit"]
WithinName = Literal["of_mix_new", "of_mix_gone", "of_price_agreed"]


class CurrencyChange(BaseModel):
    """All that was spent in one currency, before and now; effective cost. The parts sum to `change`.

    Events without a price are in no amount. `change_percent` is null where there was nothing before."""

    currency: str
    before: DecimalString = ZERO
    amount: DecimalString = ZERO
    change: DecimalString = ZERO
    change_percent: DecimalString | None = None
    events_before: int = 0
    events: int = 0
    unpriced_events_before: int = 0
    unpriced_events: int = 0
    provisional_before: DecimalString = ZERO
    of_which_provisional: DecimalString = ZERO
    parts: dict[PartName, DecimalString] = Field(
        default_factory=dict,
        description="`days`: the periods are not equally long; `volume`: calls; `mix`: by which models; "
        "`tokens_per_call`: how large each is; `cache`: how much of the input is cached; `price`: what a "
        "unit costs; `new`, `gone`: uses that were not there before, or are no more; `unsplit`: of what has "
        "no settled price, or states no quantity",
    )
    within: dict[WithinName, DecimalString] = Field(
        default_factory=dict,
        description="of `mix`: models that are new to a use, and those gone from it; of `price`: what the "
        "list price does not say, discounts and agreed prices",
    )


class ChangeContributor(CurrencyChange):
    """The same of one group (beside these: one text a dimension of `group_by`). `share` of the currency's
    change: above 1 where others fell, null where it is 0 in all. `others` = how many groups this row sums up,
    whose dimensions are null; 0 = it is of one."""

    model_config = ConfigDict(extra="allow")

    others: int = 0
    share: DecimalString | None = None


class ComparedPeriod(BaseModel):
    """One of the two; `length` in local days where both are of whole days, else in minutes."""

    from_: datetime = Field(alias="from")
    to: datetime
    length: int


class SpendChanges(AsItStood):
    """The answer. Currencies have rows of their own; contributors of a currency add up to it, part by
    part."""

    TABLES: ClassVar = ("contributors", "currencies")

    currency: str = Field(description="the tenant's")
    tz: str
    period: ComparedPeriod
    before: ComparedPeriod
    measured_in: Literal["days", "minutes"]
    uses: list[str] = Field(
        description="uses are told apart by these: within one, models are swapped; one that was not there "
        "before is new"
    )
    currencies: list[CurrencyChange]
    contributors: list[ChangeContributor]
