"""In what a tenant of a test counts, without a publication: as catalog_record would have written it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NEVER = datetime.max.replace(tzinfo=UTC)


async def counts_in(
    owner: Any,
    tenant: str,
    currency: str = "USD",
    zone: str = "UTC",
    *,
    since: datetime | None = None,
    until: datetime = NEVER,
) -> None:
    """The tenant counts so from `since` (None = the beginning) until `until`."""
    await owner.execute(
        "INSERT INTO tenant_terms VALUES ($1, coalesce($2::timestamptz, '-infinity'), $3, $4, $5, 1, 1, 'test', 0) "
        "ON CONFLICT (tenant, effective_from) DO UPDATE SET currency = excluded.currency, zone = excluded.zone",
        tenant, since, until, currency, zone,
    )  # fmt: skip
