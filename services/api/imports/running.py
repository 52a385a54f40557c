"""The imports that are under way in this process: each is a task beside the requests."""

import asyncio
import contextlib

from services.api.http.problems import RETRY_AFTER_S, HttpRefusal
from services.api.imports.job import ImportJob
from spendmeter.platform.telemetry import log

AT_ONCE_MAX = 4
"""Of all tenants: each has a process that reads, and takes its turns with the questions of its tenant."""


class RunningImports:
    """`start` a job; the process ends them when it ends, and the same import once more goes on from there."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def check_room(self) -> None:
        """Raises HttpRefusal (503) where so many run that another has to wait."""
        if len(self._tasks) >= AT_ONCE_MAX:
            detail = f"{AT_ONCE_MAX} imports are under way, of whichever tenants: send it again later"
            raise HttpRefusal(503, "Not available", detail, retry_after_s=RETRY_AFTER_S)

    def start(self, job: ImportJob) -> None:
        """Let it run."""
        task = asyncio.create_task(job.run(), name=f"import {job.wanted.import_id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log().error("an import broke", error=type(error).__name__, exc_info=error)

    async def aclose(self) -> None:
        """Break them off."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
