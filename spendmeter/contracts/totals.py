"""What `spend.totals` says: totals of series in minutes, and days to read again. A lost one does no harm."""

from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from spendmeter.contracts.series import Series


class SpendTotal(Struct, frozen=True, kw_only=True):
    """What the rollup of (tenant, series, bucket, currency) says now, summed over shards with corrections.

    `version` only grows; the higher one wins. Amounts and quantities are plain decimal strings. Of a minute
    with very many series not each is told; one of them is.
    """

    type: Literal["spendmeter.total.v1"] = "spendmeter.total.v1"
    tenant: str
    series_id: str
    dimensions: Series
    bucket_start: datetime
    version: int
    currency: str
    list: str
    contracted: str
    effective: str
    of_which_provisional: str
    events: int
    unpriced_events: int
    usage: dict[str, str]


class SpendChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.spend.changed.v1"):
    """What a tenant spent on this day of UTC has changed, and no total says where: read it again.

    For what is older than totals are told of (late events, corrections) and for what is too much to tell.
    """

    tenant: str
    day: date


decode_total = msgspec.json.Decoder(SpendTotal).decode
encode_total = msgspec.json.Encoder().encode
decode_changed = msgspec.json.Decoder(SpendChanged).decode
encode_changed = msgspec.json.Encoder().encode
