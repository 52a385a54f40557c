"""`python -m services.ledger`."""

from __future__ import annotations

import asyncio

from services.ledger.worker import Ledger
from spendmeter.platform.serve import run_worker
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import start_telemetry


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    start_telemetry("ledger", settings)

    async def work() -> None:
        ledger = Ledger(settings)
        await run_worker(settings, ledger.run, ledger.not_ready)

    # Not uvloop: its transports raise RuntimeError when written to after the broker went away, which ends
    # aiokafka's metadata task without a word, and with it everything that waits for metadata.
    asyncio.run(work())


if __name__ == "__main__":
    main()
