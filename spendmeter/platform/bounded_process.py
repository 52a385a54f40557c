"""Runs a module of ours on somebody else's bytes, in a process that is bounded in time, memory and output:
what a hostile file does to its reader, it does to that process alone."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import IO

CHILD = "spendmeter.platform.bounded_child"
"""Takes the limits upon itself, then becomes the module. Code between fork and exec (preexec_fn) could wait
for ever, in a process with threads, for a lock that one of them held."""


LINES_BYTES = 256 * 1024


class BoundError(Exception):
    """The process passed a bound, or died; the message says which."""


@dataclass(frozen=True, kw_only=True)
class ProcessBounds:
    """Of one run."""

    seconds_max: float
    memory_bytes_max: int
    output_bytes_max: int


async def run_module(module: str, *arguments: str, stdin: bytes, bounds: ProcessBounds) -> bytes:
    """What `python -m module arguments` writes for these bytes. It gets nothing of our environment but where
    Python is. Raises BoundError."""
    async with _started(module, arguments, bounds, asyncio.subprocess.PIPE) as process:
        try:
            async with asyncio.timeout(bounds.seconds_max):
                output, _ = await asyncio.gather(_output(process, bounds), _feed(process, stdin))
                code = await process.wait()
        except TimeoutError:
            raise BoundError(f"it took longer than {bounds.seconds_max:g} s to read") from None
    if code:
        raise BoundError(f"reading it ended with code {code}: it takes more time or memory than a file may")
    return output


async def module_output(
    module: str, *arguments: str, stdin: bytes, bounds: ProcessBounds
) -> AsyncGenerator[bytes, None]:
    """What it writes, piece by piece: it waits while its reader does. Of the time what it computes in is
    bounded. Raises BoundError."""
    async with _started(module, arguments, bounds, asyncio.subprocess.PIPE) as process:
        assert process.stdout is not None
        await _feed(process, stdin)
        while piece := await process.stdout.read(LINES_BYTES):
            yield piece
        code = await process.wait()
    if code:
        raise BoundError(
            f"writing it ended with code {code}: it broke, or took more time or memory than it may"
        )


async def module_lines(
    module: str, *arguments: str, bounds: ProcessBounds, stdin: IO[bytes] | None = None
) -> AsyncGenerator[list[bytes], None]:
    """What it writes, as many whole lines at a time as there are: it waits while its reader does. `stdin`: a
    file, which it reads from where that stands. Of the output a line alone is bounded, and of the time what
    it computes in. Raises BoundError."""
    rest = b""
    async with _started(module, arguments, bounds, stdin or asyncio.subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while chunk := await process.stdout.read(LINES_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > bounds.output_bytes_max:
                raise BoundError(f"a line of what it says has more than {bounds.output_bytes_max:,} bytes")
            if lines:
                yield lines
        code = await process.wait()
    if code:
        raise BoundError(f"reading it ended with code {code}: it takes more time or memory than a file may")


@contextlib.asynccontextmanager
async def _started(
    module: str, arguments: tuple[str, ...], bounds: ProcessBounds, stdin: IO[bytes] | int
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """The process, which is over afterwards, however that comes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", CHILD, _limits(bounds), module, *arguments,
        stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _limits(bounds: ProcessBounds) -> str:
    """As the child reads them: seconds of CPU, bytes of memory."""
    return f"{int(bounds.seconds_max) + 1},{bounds.memory_bytes_max}"


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended early: its code says so
        process.stdin.write(stdin)
        await process.stdin.drain()
        process.stdin.close()


async def _output(process: asyncio.subprocess.Process, bounds: ProcessBounds) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(64 * 1024):
        output += chunk
        if len(output) > bounds.output_bytes_max:
            raise BoundError(f"what it says has more than {bounds.output_bytes_max:,} bytes")
    return bytes(output)
