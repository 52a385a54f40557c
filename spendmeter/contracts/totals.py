"""An absolute total of one series in one minute, on `spend.totals`: a lost or repeated one does no harm."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from spendmeter.contracts.series import Series


class SpendTotal(Struct, frozen=True, kw_only=True):
    """What the rollup of (tenant, series, bucket, currency) says now, summed over shards.

    `version` only grows; the higher one wins. Amounts and quantities are plain decimal strings.
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


decode_total = msgspec.json.Decoder(SpendTotal).decode
encode_total = msgspec.json.Encoder().encode
