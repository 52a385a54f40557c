"""A day of the chain as it is hashed, entry by entry, of each tenant by itself. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from spendmeter.book.entry import SUMS
from spendmeter.contracts.chain import (
    LEAF_COLUMNS,
    NO_LINK,
    ChainDay,
    ChainSums,
    chain_sums,
    leaf,
    next_link,
    root_of,
)

_TENANT, _CURRENCY = LEAF_COLUMNS.index("tenant"), LEAF_COLUMNS.index("currency")
_LIST = LEAF_COLUMNS.index("list")
_NOTHING = (Decimal(0), Decimal(0), Decimal(0))
DaySums = tuple[Decimal, Decimal, Decimal]
"""List, contracted, effective."""


@dataclass(kw_only=True)
class OpenDay:
    """One tenant's entries so far."""

    link: bytes
    leaves: int
    sums: dict[str, DaySums]


def open_day(link: str, leaves: int, sums: str) -> OpenDay:
    """As it was kept."""
    told = msgspec.json.decode(sums, type=dict[str, ChainSums])
    amounts = {
        currency: (Decimal(each.list), Decimal(each.contracted), Decimal(each.effective))
        for currency, each in told.items()
    }
    return OpenDay(link=bytes.fromhex(link), leaves=leaves, sums=amounts)


def kept(day: OpenDay) -> tuple[str, int, str]:
    """How it is kept."""
    return day.link.hex(), day.leaves, encode_sums(chain_sums(day.sums))


def encode_sums(sums: Mapping[str, ChainSums]) -> str:
    """As JSON."""
    return msgspec.json.encode(sums).decode()


def tenants_of(entries: Iterable[Sequence[Any]]) -> set[str]:
    """Whose these are."""
    return {entry[_TENANT] for entry in entries}


def fold(days: dict[str, OpenDay], entries: Iterable[Sequence[Any]]) -> None:
    """Go on with these entries, whose values are those of LEAF_COLUMNS, in the order of the chain."""
    for entry in entries:
        day = days.get(entry[_TENANT])
        if day is None:
            day = days[entry[_TENANT]] = OpenDay(link=NO_LINK, leaves=0, sums={})
        day.link = next_link(day.link, leaf(entry))
        day.leaves += 1
        before = day.sums.get(entry[_CURRENCY], _NOTHING)
        day.sums[entry[_CURRENCY]] = (
            SUMS.add(before[0], entry[_LIST]),
            SUMS.add(before[1], entry[_LIST + 1]),
            SUMS.add(before[2], entry[_LIST + 2]),
        )


def closed_day(row: Mapping[str, Any], *, day: date, epoch: int, closed_at: datetime) -> ChainDay:
    """What is told of a tenant's whole day, from a row of `whole_day`."""
    said = ChainDay(
        tenant=row["tenant"],
        epoch=epoch,
        day=day,
        previous_day=row["previous_day"],
        previous=row["previous"],
        leaves=row["leaves"],
        sums=msgspec.json.decode(row["sums"], type=dict[str, ChainSums]),
        link=row["link"],
        root="",
        closed_at=closed_at,
    )
    return msgspec.structs.replace(said, root=root_of(said))
