"""What is answered about the unit economics of models."""

from datetime import date
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.models import Complete, DecimalString


class UnitEconomicsRow(BaseModel):
    """One group (beside these: one text a dimension of `group_by`), in one currency.

    null = it cannot be said. Amounts are effective. lower_bound: events without a price are in it, so cost
    is at least so much. What has no price is in no cost of a request or of tokens, above or below the line;
    where it is more than one in a hundred of these, they have none."""

    model_config = ConfigDict(extra="allow")

    currency: str
    requests: DecimalString
    unpriced_requests: DecimalString = Field(description="of these: of events of which not all has a price")
    cost: DecimalString
    billed: DecimalString = Field(
        description="within cost, what bills say: their rows are no requests, and in no cost of one"
    )
    of_which_provisional: DecimalString
    unpriced_events: int
    lower_bound: bool
    cost_per_request: DecimalString | None = Field(
        description="cost less `billed`, over requests that have a price"
    )
    tokens: DecimalString
    unpriced_tokens: DecimalString = Field(description="of these: in no amount")
    cost_per_1k_tokens: DecimalString | None = Field(
        description="the same cost over tokens that have a price, times 1,000"
    )
    uncached_tokens: DecimalString
    cache_read_tokens: DecimalString
    cache_written_tokens: DecimalString
    cache_hit_rate: DecimalString | None = Field(
        description="read / (uncached + read + written) input tokens"
    )
    input_cost: DecimalString | None = Field(description="of uncached, read and written input tokens")
    input_cost_without_cache: DecimalString | None = Field(
        description="were all of these uncached, at the price of uncached ones of the same model that day"
    )
    cache_return: DecimalString | None = Field(
        description="the difference: what the cache saved, negative where it cost more than it saved"
    )
    cache_return_percent: DecimalString | None
    not_compared_tokens: DecimalString = Field(
        description="input tokens in neither cost: uncached ones without a settled price, and cached ones "
        "without one for them, or for uncached ones"
    )
    attempts: int = Field(
        description="calls of the group that say how they ended, whatever their currency: of two currencies "
        "the same in both rows"
    )
    succeeded: int
    attempts_per_success: DecimalString | None


class VersionRelease(BaseModel):
    """A version of a workflow that came in these days: its first run ended on `day`, of UTC."""

    workflow: str
    version: str
    day: date


class UnitEconomics(Complete):
    """Rows are the dearest groups first; `groups` is how many there are. not_in_it: what the rows lack, in
    words."""

    TABLES: ClassVar = ("rows",)

    first_day: date
    until: date
    group_by: list[str]
    groups: int
    not_in_it: list[str]
    rows: list[UnitEconomicsRow]
    releases: list[VersionRelease] = Field(
        description="why a figure may have moved: the newest 50 of the workflows that the filter lets "
        "through; none for who sees one team alone"
    )
