"""Slices that were priced, kept for as long as the same would be answered again: to price one takes 200 ms.

A key says all that an answer is made of: whose traffic, of which days, in which generation (`folded_days`
counts how often cells and calls of a day have changed), what was asked, by which publication, with prices of
when. Pure.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import NamedTuple

BYTES_MAX = 16_000_000
"""Kept in all, of answers that are a tenth of what they were; what was asked for longest ago goes first."""
PRICED_FOR = timedelta(minutes=10)
"""A price that begins meanwhile is in the next one; an answer says of when its prices are."""


class PricedSlice(NamedTuple):
    """An answer as JSON, but for how complete it is; `currencies`: in how many its slice was booked."""

    packed: bytes
    currencies: int

    @property
    def content(self) -> bytes:
        """As it was put there."""
        return zlib.decompress(self.packed)


def priced_slice(content: bytes, currencies: int) -> PricedSlice:
    """To be kept."""
    return PricedSlice(zlib.compress(content, 1), currencies)


def priced_since(now: datetime) -> datetime:
    """Since when prices that are looked up now may have been looked up."""
    return now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % PRICED_FOR


class PricedSlices:
    """One process's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, PricedSlice] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> PricedSlice | None:
        """What was put there; None = nothing is."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, found: PricedSlice) -> None:
        """Until others need the room."""
        if key in self._kept or len(found.packed) > BYTES_MAX:
            return
        self._kept[key] = found
        self._bytes += len(found.packed)
        while self._bytes > BYTES_MAX:
            self._bytes -= len(self._kept.popitem(last=False)[1].packed)
