"""In which calendar each tenant counts, as the book has it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from spendmeter.contracts.terms import Timeline, timeline_of
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("timelines.sql"))


async def read_timelines(connection: Any, tenants: Iterable[str]) -> Mapping[str, Timeline]:
    """Of these tenants; of one that has stated nothing, and of any other, the default. `connection` may be a
    pool."""
    rows = await connection.fetch(SQL["timelines"], sorted(set(tenants)))
    stated = {
        tenant: timeline_of(map(dict, terms)) for tenant, terms in groupby(rows, key=itemgetter("tenant"))
    }
    return defaultdict(Timeline, stated)
