"""A vendor's stream, passed on chunk by chunk, and metered at its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterable, Callable, Iterable
from types import TracebackType
from typing import Any

from spendmeter_client.seen import Seen

SNAPSHOTS = ("current_message_snapshot", "current_completion_snapshot")
"""Of Anthropic's and OpenAI's streams with helpers."""
Ended = Callable[[Seen, bool, float], None]
"""What was seen, whether it ended before its end, and after how many milliseconds."""


class MeteredStream:
    """Iterates as the stream does, sync or async, and has all its other attributes. `ended` is called once:
    at the end, when it is closed or left, when it breaks, or when nobody holds it any more."""

    def __init__(self, stream: Iterable[Any] | AsyncIterable[Any], ended: Ended) -> None:
        self._stream = self._source = stream
        self._iterator: Any = None
        self._ended: Ended | None = ended
        self._seen = Seen()
        self._chunks = 0
        self._began = time.monotonic()

    def __iter__(self) -> MeteredStream:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._source)  # type: ignore[arg-type]
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._end(interrupted=False)
            raise
        except BaseException:
            self._end(interrupted=True)
            raise
        self._note(chunk)
        return chunk

    def __aiter__(self) -> MeteredStream:
        return self

    async def __anext__(self) -> Any:
        if self._iterator is None:
            self._iterator = aiter(self._source)  # type: ignore[arg-type]
        try:
            chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self._end(interrupted=False)
            raise
        except BaseException:  # a cancelled task, too
            self._end(interrupted=True)
            raise
        self._note(chunk)
        return chunk

    def __enter__(self) -> MeteredStream:
        self._source = self._stream.__enter__() if hasattr(self._stream, "__enter__") else self._stream
        return self

    def __exit__(
        self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self._end(interrupted=True)
        return self._stream.__exit__(type, error, trace) if hasattr(self._stream, "__exit__") else None

    async def __aenter__(self) -> MeteredStream:
        if hasattr(self._stream, "__aenter__"):
            self._source = await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self._end(interrupted=True)
        if hasattr(self._stream, "__aexit__"):
            return await self._stream.__aexit__(type, error, trace)
        return None

    def close(self) -> Any:
        """As the stream's; a coroutine where that is one."""
        self._end(interrupted=True)
        close = getattr(self._source, "close", None)
        return close() if close else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __del__(self) -> None:
        if self.__dict__.get("_ended"):
            self._end(interrupted=True)

    def _note_snapshot(self) -> None:
        """Of a stream that was read by another way than its chunks (`text_stream`): what its SDK gathered."""
        for name in SNAPSHOTS:
            with contextlib.suppress(Exception):  # there is none yet
                if (snapshot := getattr(self._source, name, None)) is not None:
                    self._note(snapshot)
                    return

    def _note(self, chunk: Any) -> None:
        self._chunks += 1
        try:
            self._seen.add(chunk)
        except Exception as error:  # noqa: BLE001 whatever it is made of
            self._seen.unread = type(error).__name__

    def _end(self, *, interrupted: bool) -> None:
        ended, self._ended = self._ended, None
        if ended and not self._chunks:
            self._note_snapshot()
        if ended and (self._chunks or not interrupted):
            ended(self._seen, interrupted, (time.monotonic() - self._began) * 1000)
