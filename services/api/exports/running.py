"""Exports that are being written: each by a process of its own, on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from itertools import takewhile

import msgspec

from services.api.exports.writer import (
    FOLDED_WAIT_S,
    ExportBegins,
    ExportQuestion,
    ExportRefused,
    decode_beginning,
)
from services.api.http.problems import RETRY_AFTER_S, HttpRefusal
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, module_output
from spendmeter.platform.telemetry import log

WRITER = "services.api.exports.writer"
AT_ONCE_MAX = 2
"""Of all tenants, and one of each: every export holds a process, two connections and a snapshot."""
BOUNDS = ProcessBounds(seconds_max=3600, memory_bytes_max=6 * 1024**3, output_bytes_max=64 * 1024)
"""Of the processor; of addresses (Arrow reserves many more than it uses); and of the first line."""
PATIENCE_S = 10.0
"""Who was turned away and asks again within so long comes before who has just had one: else two who export
all the time leave nobody else a turn."""
LASTS_S_MAX = 3600.0
"""From its first byte to its last: who takes one slowly keeps everybody's second turn, and a snapshot."""


class RunningExports:
    """`begin` an export; `database_url` is that of the api's own role, under which rows are its tenant's."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.folded_wait_s = FOLDED_WAIT_S
        self._tenants: set[str] = set()
        self._turned_away: dict[str, float] = {}
        """When each last asked in vain; who did so first stands first."""

    async def begin(self, question: ExportQuestion) -> BegunExport:
        """Raises HttpRefusal: 503 for want of room, or of what is not folded; 422 where none can be had."""
        tenant = question.tenant
        self._take_turn(tenant)
        question = msgspec.structs.replace(
            question, database_url=self._database_url, folded_wait_s=self.folded_wait_s
        )
        output = module_output(WRITER, stdin=msgspec.json.encode(question), bounds=BOUNDS)
        begun = BegunExport(output=output, running=self, tenant=tenant)
        try:
            await begun.read_beginning()
        except BaseException:
            await begun.aclose()
            raise
        return begun

    def _take_turn(self, tenant: str) -> None:
        """Raises HttpRefusal (503)."""
        now_s = asyncio.get_running_loop().time()
        waiting = {each: at_s for each, at_s in self._turned_away.items() if now_s - at_s < PATIENCE_S}
        self._turned_away = waiting
        ahead = len(list(takewhile(lambda each: each != tenant, waiting)))
        if tenant in self._tenants or len(self._tenants) + ahead >= AT_ONCE_MAX:
            if tenant not in self._tenants:
                waiting[tenant] = now_s  # where it stood already it stands still
            raise _not_now(
                f"one export of a tenant and {AT_ONCE_MAX} of all are written at a time: ask later"
            )
        waiting.pop(tenant, None)
        self._tenants.add(tenant)

    def ended(self, tenant: str) -> None:
        """Another may begin."""
        self._tenants.discard(tenant)


@dataclass(kw_only=True)
class BegunExport:
    """A file under way."""

    output: AsyncGenerator[bytes, None]
    running: RunningExports
    tenant: str
    begins: ExportBegins = field(init=False)
    _rest: bytes = b""

    async def read_beginning(self) -> None:
        """Raises HttpRefusal."""
        first = b""
        try:
            async for piece in self.output:
                first += piece
                if b"\n" in first or len(first) > BOUNDS.output_bytes_max:
                    break
        except BoundError as error:
            log().warning("an export did not begin", tenant=self.tenant, why=str(error))
            raise _not_now("the export could not be begun: ask again later") from error
        line, _, self._rest = first.partition(b"\n")
        match decode_beginning(line):
            case ExportRefused(reason=reason, later=True):
                raise _not_now(reason)
            case ExportRefused(reason=reason):
                raise HttpRefusal(422, "Cannot be written", reason)
            case ExportBegins() as begins:
                self.begins = begins

    async def file(self) -> AsyncGenerator[bytes, None]:
        """The file, once. Raises BoundError where it breaks off: the answer then has no end, so nobody takes
        what came of it for a whole file. The caller closes the export, however far it came."""
        try:
            if self._rest:
                yield self._rest
            async for piece in _in_time(self.output):
                yield piece
        except BoundError as error:
            log().warning("an export broke off", tenant=self.tenant, why=str(error))
            raise

    async def aclose(self) -> None:
        """The process is gone, and another may begin. Again it does nothing."""
        try:
            await asyncio.shield(self.output.aclose())
        finally:
            self.running.ended(self.tenant)


async def _in_time(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    clock = asyncio.get_running_loop().time
    ends_s = clock() + LASTS_S_MAX
    async for piece in pieces:
        if clock() > ends_s:
            raise BoundError(f"it was taken too slowly: not all of it in {LASTS_S_MAX:g} s")
        yield piece


def _not_now(detail: str) -> HttpRefusal:
    return HttpRefusal(503, "Not available", detail, retry_after_s=RETRY_AFTER_S)
