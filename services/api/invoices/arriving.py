"""A bill that comes in, in its turn: into a file without a name, then to a process that reads it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from hashlib import blake2b
from itertools import islice
from typing import IO

from msgspec import structs

from services.api.database.shares import TooMuch
from services.api.http.problems import RETRY_AFTER_S, HttpRefusal
from services.api.invoices.billed import BillError, InvoiceLine, ProviderBill
from services.api.invoices.reader import NoInvoice, decode_head, decode_row
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, module_lines

READER = "services.api.invoices.reader"
BOUNDS = ProcessBounds(seconds_max=60, memory_bytes_max=2 * 1024**3, output_bytes_max=4 * 1024**2)
"""Of computing time, and of addresses."""
AT_ONCE_MAX = 2
"""That come in, of all tenants; of each one. One of them is read."""
ARRIVAL_S_MAX = 60
ROWS_AT_ONCE = 500


class BillTurns:
    """Whose bills this process has before it: `with turns.turn(tenant)` around each, before anything of it is
    kept, and `async with turns.reader` around its reading."""

    def __init__(self) -> None:
        self._reading: set[str] = set()
        self.reader = asyncio.Lock()

    @contextmanager
    def turn(self, tenant: str) -> Iterator[None]:
        """Raises TooMuch where one of the tenant's is being read, and HttpRefusal (503) of others'."""
        if tenant in self._reading:
            raise TooMuch("a bill of this tenant is being read: send the next when it is done", RETRY_AFTER_S)
        if len(self._reading) >= AT_ONCE_MAX:
            detail = f"{AT_ONCE_MAX} bills of other tenants are being read: send it again"
            raise HttpRefusal(503, "Not available", detail, retry_after_s=RETRY_AFTER_S)
        self._reading.add(tenant)
        try:
            yield
        finally:
            self._reading.discard(tenant)


async def kept(body: AsyncIterator[bytes], file: IO[bytes]) -> bytes:
    """Write all of it, and return its digest; b"" = there is nothing in it. Raises BillError where it does
    not come in time: nobody else's turn waits for it."""
    digest, is_blank = blake2b(digest_size=16), True
    try:
        async with asyncio.timeout(ARRIVAL_S_MAX):
            async for piece in body:
                is_blank = is_blank and not piece.strip()
                digest.update(piece)
                file.write(piece)
    except TimeoutError:
        said = f"did not come within {ARRIVAL_S_MAX:g} s: pack it with gzip, or send it in parts, day by day"
        raise BillError(said) from None
    file.seek(0)
    return b"" if is_blank else digest.digest()


async def read_arrived(provider: str, file: IO[bytes]) -> ProviderBill:
    """What it says. Raises BillError, which names the bound where one is passed."""
    bill: ProviderBill | None = None
    rows: list[InvoiceLine] = []
    try:
        async with aclosing(module_lines(READER, provider, bounds=BOUNDS, stdin=file)) as lines:
            async for some in lines:
                rest = iter(some)
                if bill is None:
                    head = decode_head(next(rest))
                    if isinstance(head, NoInvoice):
                        raise BillError(head.reason)
                    bill = head.bill
                while piece := [decode_row(line) for line in islice(rest, ROWS_AT_ONCE)]:
                    rows += piece
                    await asyncio.sleep(0)  # others are answered meanwhile
    except BoundError:
        raise BillError(
            f"takes more than {BOUNDS.seconds_max:g} s of computing to read, or "
            f"{BOUNDS.memory_bytes_max // 1024**2:,} MiB: import it in parts, day by day"
        ) from None
    assert bill is not None
    return structs.replace(bill, rows=tuple(rows))
