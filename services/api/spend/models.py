"""What is answered about spend: sums by group, and the same by calendar bucket."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.models import AsItStood, DecimalString
from services.api.spend.question import Measure
from spendmeter.contracts.money import ZERO

ComparedName = Literal["before", "change", "percent"]
RatioName = Literal["per_event", "per_1k_tokens", "token_share", "cache_hit_rate", "discount"]
Cut = Literal["start", "end", "open"]


class SpendRow(BaseModel):
    """The sums of one group (beside these: one text a dimension of `group_by`); amounts in `currency`.

    `others` = how many groups this row sums up, all that the page does not name, whose dimensions are null;
    0 = it is of one group."""

    model_config = ConfigDict(extra="allow")

    currency: str
    others: int = 0
    events: int = 0
    unpriced_events: int = 0
    list: DecimalString = ZERO
    contracted: DecimalString = ZERO
    effective: DecimalString = ZERO
    amount: DecimalString = ZERO
    of_which_provisional: DecimalString = ZERO
    usage: dict[str, DecimalString] = Field(default_factory=dict)
    compared: dict[ComparedName, DecimalString | None] = Field(
        default_factory=dict,
        description="with `compare`: what `amount` was before, the change, and that in percent (null where "
        "nothing was before); all null where the span that is compared with has no such bucket",
    )
    ratios: dict[RatioName, DecimalString | None] = Field(
        default_factory=dict,
        description="with `ratios=true`, of effective cost: per event with a price, of models per 1,000 of "
        "their tokens, the share of models, cache-read input of all input, and what is below the list price; "
        "null where there is nothing to divide by, or over 1 % of the events have no price",
    )


class SeriesRow(SpendRow):
    """The same of one calendar bucket, 0 where nothing was spent; a bucket that has not begun has no row.

    `cut`: the range begins (`start`) or ends (`end`) within the bucket, so the sums are of a part of it;
    `open`: the bucket is not over."""

    bucket_start: datetime
    bucket_end: datetime
    cut: list[Cut] = Field(default_factory=list)


class PastSpan(BaseModel):
    """The span that the rows are compared with."""

    from_: datetime = Field(alias="from")
    to: datetime


class Spend(AsItStood):
    """The answer. Amounts are plain decimal strings; each currency has rows of its own and is never added
    to another; what stands beside the rows is in `currency`, the tenant's. The rows of `totals` add up to all
    that was spent in the range, whichever page they are of."""

    PARQUET: ClassVar = True
    TABLES: ClassVar = ("series", "totals")

    currency: str
    tz: str
    from_: datetime = Field(alias="from")
    to: datetime
    measure: Measure
    compared_with: PastSpan | None = None
    of_which_provisional: DecimalString
    unpriced_events: int
    totals: list[SpendRow]
    series: list[SeriesRow]
    next_cursor: str | None = Field(None, description="of the series' next page; null on the last")
    next_groups: str | None = Field(
        None, description="a cursor too: of the groups that come after these; null when all were named"
    )
