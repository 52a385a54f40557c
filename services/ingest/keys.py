"""Keeps the snapshot of all live keys fresh: read from Postgres every few seconds.

No request waits for Postgres. A revoked key stops working with the next snapshot, so within 10 s.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import asyncpg
import msgspec

from services.ingest.admitted import AdmittedValues
from services.ingest.credentials import IngestCredential, NumberedMaps, NumberedMeters, Snapshot
from services.ingest.refused import unavailable
from spendmeter.contracts.label_maps import TenantMaps
from spendmeter.contracts.meters import UsageMeter
from spendmeter.platform.postgres import CONNECTION_ERRORS, connect
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

REFRESH_S = 5.0
READ_S_MAX = 4.0
"""With REFRESH_S below the 10 s that a revocation may take."""
STALE_S_MAX = 3600.0
KEYS_AT_ONCE = 1_000
"""A few milliseconds' work."""

AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.PostgresError)
"""PostgresError: started before the schema and its roles were there."""
SQL = load_sql(Path(__file__).with_name("keys.sql"))


Setting = TypeVar("Setting", NumberedMaps, NumberedMeters)


class IngestKeys:
    """Keeps a snapshot fresh. Run `keep_fresh` beside the server; ask `current`."""

    def __init__(self, url: str, meters: Meters, admitted: AdmittedValues) -> None:
        self._url = url
        self._meters = meters
        self._admitted = admitted
        self._connection: asyncpg.Connection | None = None
        self._snapshot: Snapshot | None = None

    def trouble(self) -> str:
        """Why no key can be checked; '' = they can."""
        if self._snapshot is None:
            return "the API keys have not been read from Postgres yet"
        if time.monotonic() - self._snapshot.read_at > STALE_S_MAX:
            return f"Postgres has been away for more than {STALE_S_MAX / 3600:g} h, and with it the API keys"
        return ""

    def current(self) -> Snapshot:
        """The newest snapshot. Raises RequestRefused 503 when there is none, or none young enough."""
        if trouble := self.trouble():
            raise unavailable(trouble)
        assert self._snapshot is not None
        return self._snapshot

    async def keep_fresh(self) -> None:
        """Read again every REFRESH_S, for ever; while Postgres is away the last snapshot stays."""
        await keep_doing(self._refresh, "API keys not read", every_s=REFRESH_S, away=AWAY)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(READ_S_MAX):
                if self._connection is None:
                    self._connection = await connect(self._url, service="ingest")
                await self._admitted.read(self._connection, datetime.now(UTC))
                self._snapshot = await read_snapshot(self._connection, self._snapshot)
        except AWAY:
            self._meters.add("spendmeter.database.retries", service="ingest")
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            raise


async def read_snapshot(connection: Any, before: Snapshot | None = None) -> Snapshot:
    """Read all keys, the names of tenants' own dimensions, and of their label maps and meters those that are
    not those of `before`, as the ingest role. What asyncpg raises passes through."""
    read_at = time.monotonic()  # before the question: the answer is at least as young
    keys = await connection.fetch(SQL["live_keys"])
    secrets = await connection.fetch(SQL["pseudonym_keys"])
    tenants = await connection.fetch(SQL["tenants"])
    erasures = await connection.fetch(SQL["erasures"])
    dimensions: defaultdict[str, set[str]] = defaultdict(set)
    for row in await connection.fetch(SQL["dimensions"]):
        dimensions[row["tenant"]].add(row["name"])
    maps, meters = (before.maps, before.meters) if before else ({}, {})
    return Snapshot(
        credentials=MappingProxyType(await _credentials(keys)),
        pseudonym_keys=MappingProxyType({(row["tenant"], row["month"]): row["secret"] for row in secrets}),
        tenants=frozenset(row["tenant"] for row in tenants),
        regions=MappingProxyType({row["tenant"]: row["region"] for row in tenants if row["region"]}),
        erasures=MappingProxyType({row["tenant"]: row["number"] for row in erasures}),
        read_at=read_at,
        dimensions=MappingProxyType(dict(dimensions)),
        maps=MappingProxyType(await _in_force(connection, "map_numbers", "maps", maps, _maps)),
        meters=MappingProxyType(await _in_force(connection, "meter_numbers", "meters", meters, _meters)),
    )


async def _in_force(
    connection: Any,
    numbers_of: str,
    rows_of: str,
    before: Mapping[str, Setting],
    made: Callable[[Any], Setting],
) -> dict[str, Setting]:
    """What each tenant has set last, by tenant: its number by one statement, and by another the rows, of
    which `made` makes it. What `before` has under that number is not read again."""
    numbers = {row["tenant"]: row["number"] for row in await connection.fetch(SQL[numbers_of])}
    found = {
        tenant: before[tenant]
        for tenant, number in numbers.items()
        if tenant in before and before[tenant].number == number
    }
    if others := list(numbers.keys() - found.keys()):
        for row in await connection.fetch(SQL[rows_of], others):
            found[row["tenant"]] = made(row)
    return found


def _maps(row: Any) -> NumberedMaps:
    return NumberedMaps(number=row["number"], maps=msgspec.json.decode(row["maps"], type=TenantMaps))


def _meters(row: Any) -> NumberedMeters:
    kept = msgspec.json.decode(row["meters"], type=tuple[UsageMeter, ...])
    return NumberedMeters(number=row["number"], meters={meter.event_type: meter for meter in kept})


async def _credentials(rows: Sequence[Any]) -> dict[str, IngestCredential]:
    """By key id; a hundred thousand keys take most of a second, in which senders are answered."""
    found = {}
    for number, row in enumerate(rows):
        if number % KEYS_AT_ONCE == 0:
            await asyncio.sleep(0)
        found[row["key_id"]] = IngestCredential(**dict(row) | {"scopes": frozenset(row["scopes"])})
    return found
