"""Whether the database has the catalog that the topic has: after a restore not at once.

What was corrected before would be priced by an older version than it was, and a job whose version is on its
way would be refused for good.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from services.corrector.in_force import SQL
from spendmeter.platform.telemetry import Meters, log


@dataclass(kw_only=True)
class CatalogWait:
    """Until it `is_over`, nothing is corrected; asked whenever the database may be another one."""

    published: Callable[[], Awaitable[int]]
    """The version of the topic's last marker; 0 = nothing was ever published."""
    meters: Meters
    why: str = ""
    """What is waited for; '' = nothing."""

    async def is_over(self, connection: Any) -> bool:
        """Whether the database has all that the topic has."""
        published, newest = await self.published(), await connection.fetchval(SQL["newest"]) or 0
        lacking, why = max(published - newest, 0), ""
        if lacking:
            why = (
                f"waiting for version {published} of the catalog, which the topic has and the database, at "
                f"version {newest}, lacks: it was restored, and api brings the rest back"
            )
        if why and why != self.why:
            log().warning("nothing is corrected yet", reason=why)
        self.why = why
        self.meters.set("spendmeter.corrector.catalog.lacking", lacking)
        return not lacking
