"""The price book that `spendmeter price` asks: the running system's, or the one of this release."""

import asyncio
from dataclasses import dataclass
from typing import Any

from cli._running import fail, home
from deploy.local.state import read_state

CONNECT_S_MAX = 5.0
READ_S_MAX = 30.0


@dataclass(frozen=True)
class Prices:
    """A book, and what a person calls it."""

    book: Any
    name: str


def running(tenant: str) -> Prices | None:
    """The newest publication of the system that runs from this home; None when none does. Ends the command
    when it does not answer, or has no such tenant."""
    state = read_state(home())
    if state is None or not state.running or "DATABASE_URL" not in state.environment:
        return None
    try:
        return asyncio.run(_published(state.environment["DATABASE_URL"], tenant))
    except OSError as trouble:
        fail(f"the running system's catalog cannot be read ({trouble}); --shipped asks this release's")


def shipped(*providers: str) -> Prices:
    """The catalog of this release; only these providers' part of the public one."""
    from spendmeter.pricing.catalog import load_snapshot
    from spendmeter.pricing.price_book import PriceBook

    return Prices(PriceBook(load_snapshot(*providers)), "the catalog of this release; no system is asked")


async def _published(url: str, tenant: str) -> Prices:
    import asyncpg

    from spendmeter.platform.catalog_store import read_publication
    from spendmeter.platform.keys import tenant_exists
    from spendmeter.pricing.price_book import PriceBook

    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S_MAX, command_timeout=READ_S_MAX)
        try:
            if tenant and not await tenant_exists(connection, tenant):
                fail(f"--tenant {tenant}: the running system has no such tenant")
            entries, version = await read_publication(connection)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    return Prices(PriceBook(entries, version), f"publication {version} of the running system")
